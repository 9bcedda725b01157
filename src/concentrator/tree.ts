// Sources and nodes: loaded from the store, created and destroyed all or nothing, opened and watched over in the background.
// Booting never waits for the field side; what changes is told to whoever listens.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createAgenda } from "./agenda.ts";
import { type Catalogue, createCatalogue } from "./catalogue.ts";
import { type Changing, createChanging, keepMsOf } from "./changing.ts";
import type { Thing } from "./concentrator.ts";
import type { Driver, Memory } from "./contract/driver.ts";
import { Refusal } from "./contract/faults.ts";
import { describeNode, type MessageType, type NodeRef, type Tag } from "./contract/node.ts";
import { createForest, type Forest, isThing, type TreeNode, withDescendants } from "./forest.ts";
import { createImporting } from "./importing.ts";
import { createLines } from "./lines.ts";
import { type ChangeUser, createNotices, type TreeChange } from "./notices.ts";
import { createOpening } from "./opening.ts";
import { createPlan, type NewNode, type Planned, parseSettings } from "./planning.ts";
import type { NodeStore, Readings, Statuses } from "./records.ts";
import { ensureRoots, type SourceRoot, siteType } from "./site-root.ts";
import { setMessage } from "./status.ts";

/** A node of a site file; children nest. */
export interface SiteNode {
  readonly type: string;
  readonly id: string;
  readonly name?: string | undefined;
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
  readonly tags?: Readonly<Record<string, string | number>> | undefined;
  /** As `NodeOptions`; absent is as usual. */
  readonly registered?: boolean | undefined;
  readonly historyDays?: number | undefined;
  readonly nodes?: readonly SiteNode[] | undefined;
}

export interface Create extends NewNode {
  readonly sourceId: string;
  /** Undefined: at the root of the source. */
  readonly parent?: NodeRef | undefined;
}

export interface TreeDeps {
  readonly drivers: readonly Driver[];
  readonly nodes: NodeStore;
  readonly statuses: Statuses;
  readonly readings: Pick<Readings, "forget" | "rename" | "keepFor">;
  readonly clock: Clock;
  readonly log: Log;
  readonly timeZone: string;
  /** What drivers learn about products, kept over restarts. */
  readonly memoryOf?: ((driver: string) => Memory) | undefined;
  /** Sources in which all nodes hang below one, made when it is missing: there people can begin with an empty source. */
  readonly roots?: readonly SourceRoot[];
}

export interface Tree extends Pick<Forest, "find" | "sources">, Changing {
  readonly catalogue: Catalogue;
  /** Stored, then applied, then opened in the background. Throws `Refusal` and changes nothing. */
  create(one: Create): NodeRef;
  /** The node and all below it go. Resolves when their devices are closed. Throws `Refusal` not-found, not-allowed at a root. */
  destroy(ref: NodeRef): Promise<void>;
  /** Creates what is not there yet, all or nothing; what is there stays as it is, having perhaps been edited since. */
  import(sourceId: string, nodes: readonly SiteNode[]): { created: readonly NodeRef[]; present: readonly NodeRef[] };
  /** The nodes that are registered and claimed on their own. */
  things(): Thing[];
  /** From now on, until aborted. */
  changes(signal: AbortSignal): AsyncIterableIterator<TreeChange>;
  /** The same, each in the turn in which it was made, for as long as the tree lives. `use` must not throw. */
  whenChanged(use: ChangeUser): void;
  /** A time that no change of the source has or will have (CON-EVT-01), for what is told between changes. */
  stamp(sourceId: string): number;
  /**
   * An operator has seen these messages of the node, or all of them (CON-NI-03). Returns how many were not signed before.
   * Throws `Refusal` not-found.
   */
  acknowledge(ref: NodeRef, eventIds?: readonly string[]): number;
  /** A device of the node failed while it was being used: its message, once. */
  failed(node: TreeNode, error: unknown): void;
  /** A device of the node answered: its faults are over. */
  recovered(node: TreeNode, events?: readonly string[]): void;
  /** A message that is not a fault of the device. */
  warn(node: TreeNode, eventId: string, text: string): void;
  /** What a person or the program wants to have said on the node. */
  note(node: TreeNode, type: MessageType, eventId: string, text: string): void;
  /** These messages go, or all; a fault the device has at this moment stays. Returns how many went. */
  erase(node: TreeNode, eventIds?: readonly string[]): number;
  /** What the node offers is other than before, without its having been edited (HI-GET-06). */
  offersChanged(node: TreeNode): void;
  /** Called for each node whenever its device is open; `Opened.signal` says when it no longer is. */
  whenOpened(use: (node: TreeNode) => void): void;
  /** Work due later, on the one timer of the tree. */
  after(ms: number, work: () => void): Disposable;
  /** Opens all devices and keeps them open, until aborted; closes them, bounded, before it resolves. */
  run(signal: AbortSignal): Promise<void>;
}

export function createTree(deps: TreeDeps): Tree {
  const { clock, log } = deps;
  const catalogue = createCatalogue([...deps.drivers, { name: "site", nodeTypes: [siteType] }]);
  const forest = createForest();
  const agenda = createAgenda(clock, log);
  const users: ((node: TreeNode) => void)[] = [];
  let running = false;

  const notices = createNotices({ ...deps, sources: forest.sources });
  const { changed, faulted, failed, recovered, warn } = notices;

  const opening = createOpening({
    agenda,
    lines: createLines(),
    clock,
    log,
    timeZone: deps.timeZone,
    memoryOf: deps.memoryOf,
    addBelow: (node, children) => importing.below(node, children),
    opened(node, cleared) {
      // A device that can be asked has proved nothing by being open; its other faults are over when it answers.
      if (node.opened?.device.read === undefined) recovered(node);
      else recovered(node, ["line-lost", "internal", ...(cleared === undefined ? [] : [cleared])]);
      for (const use of users) use(node);
    },
    failed: faulted,
  });

  const apply = (planned: readonly Planned[]): NodeRef[] => {
    if (planned.length === 0) return [];
    deps.nodes.insert(planned.map(one => one.record));
    const added = planned.map(one => forest.add(one.record, one.type, one.settings));
    const last = lastBefore(added);
    for (const node of added) {
      const after = last(node);
      deps.readings.keepFor(node.ref, keepMsOf(node.record));
      changed("added", node, after === undefined ? {} : { after: after.ref });
      if (running) opening.open(node);
    }
    return added.map(node => node.ref);
  };

  const importing = createImporting({ forest, catalogue, clock, apply });
  ensureRoots(deps.nodes, deps.roots ?? [], clock.now());
  load({ forest, catalogue, ...deps });
  const changing = createChanging({ ...deps, forest, opening, changed, running: () => running });

  return {
    catalogue,
    find: forest.find,
    sources: forest.sources,
    create({ sourceId, parent, ...one }) {
      const plan = createPlan(forest, catalogue, clock.now());
      const above = parent === undefined ? forest.rootOf(sourceId) : forest.find(parent);
      if (parent !== undefined && above === undefined) throw unknownNode(parent);
      return plan.add({ sourceId, parent: above }, one) && (apply(plan.planned)[0] as NodeRef);
    },
    async destroy(ref) {
      const node = forest.find(ref);
      if (node === undefined) throw unknownNode(ref);
      if (node.type?.root) throw new Refusal("not-allowed", "The root of a source cannot be removed.");
      const gone = [...withDescendants(node)].reverse();
      deps.nodes.remove(gone.map(one => one.ref));
      // Begun while the children still hang on it: closing goes down the tree.
      const closing = opening.close(node);
      for (const one of gone) {
        forest.remove(one);
        deps.statuses.keepMessages(one.ref, []);
        deps.readings.forget(one.ref);
        deps.readings.keepFor(one.ref, undefined);
        changed("removed", one);
      }
      await closing;
    },
    import: importing.site,
    things: () =>
      [...forest.sources.values()].flatMap(source => [...source.nodes.values()].filter(isThing).map(asThing)),
    ...changing,
    changes: notices.changes,
    whenChanged: notices.whenChanged,
    stamp: notices.stamp,
    acknowledge(ref, eventIds) {
      const node = forest.find(ref);
      if (node === undefined) throw unknownNode(ref);
      return notices.acknowledged(node, eventIds);
    },
    failed,
    recovered,
    warn,
    offersChanged: node => changed("updated", node),
    note: notices.note,
    erase: notices.erase,
    whenOpened: use => {
      users.push(use);
    },
    after: agenda.after,
    async run(signal) {
      running = true;
      const roots = () => [...forest.sources.values()].flatMap(source => [...source.roots]);
      for (const root of roots()) opening.open(root);
      await agenda.run(signal);
      running = false;
      await Promise.all(roots().map(opening.close));
    },
  };
}

/** The sibling each new node was put behind, asked for in the order they were put. */
function lastBefore(added: readonly TreeNode[]) {
  const fresh = new Set(added);
  const last = new Map<TreeNode, TreeNode | undefined>();
  return (node: TreeNode): TreeNode | undefined => {
    if (node.parent === undefined) return undefined;
    if (!last.has(node.parent)) {
      last.set(
        node.parent,
        [...node.parent.children].findLast(one => !fresh.has(one)),
      );
    }
    const before = last.get(node.parent);
    last.set(node.parent, node);
    return before;
  };
}

/** From the store into the forest. What no longer fits is kept, faulted and never opened: a lost driver is no lost node. */
function load({
  forest,
  catalogue,
  nodes,
  statuses,
  readings,
  clock,
  log,
}: TreeDeps & { forest: Forest; catalogue: Catalogue }) {
  for (const record of nodes.load()) {
    const type = catalogue.find(record.type);
    let settings: TreeNode["settings"];
    let why = `No driver of this version has the node type ${record.type}.`;
    if (type !== undefined) {
      try {
        settings = parseSettings(type, record.settings);
      } catch (error) {
        why = error instanceof Refusal ? error.message : String(error);
      }
    }
    const node = forest.add(record, type, settings);
    readings.keepFor(record.ref, keepMsOf(record));
    if (settings !== undefined) continue;
    log.error("node-not-usable", { node: describeNode(record.ref), why });
    setMessage(node, { at: clock.now(), type: "Error", eventId: "settings", text: why });
  }
  for (const { node: ref, messages } of statuses.messages()) {
    const node = forest.find(ref);
    for (const message of messages) if (node !== undefined && message.eventId !== "settings") setMessage(node, message);
  }
  for (const [sourceId, at] of statuses.sourceChanges()) {
    const source = forest.sources.get(sourceId);
    if (source !== undefined) source.lastChanged = at;
  }
}

const unknownNode = (ref: NodeRef): Refusal => new Refusal("not-found", `There is no node ${describeNode(ref)}.`);

/** What the type says of its settings, and over it what the node itself was given. */
function asThing(node: TreeNode): Thing {
  const own = node.settings === undefined ? [] : (node.type?.tags?.(node.settings) ?? []);
  if (own.length === 0) return { ref: node.ref, tags: node.record.tags };
  const byName = new Map<string, Tag>();
  for (const tag of [...own, ...node.record.tags]) byName.set(tag.name, tag);
  return { ref: node.ref, tags: [...byName.values()] };
}
