// What labels need, as commands for who may see the codes of unclaimed things: the appliance's owner and installers. On the
// appliance's own node they are about everything, elsewhere about the node and what is below it.

import * as z from "zod";
import type { Clock } from "#base/clock.ts";
import { isThing, type TreeNode, withDescendants } from "#concentrator/forest.ts";
import type { Tree } from "#concentrator/tree.ts";
import type { BootSettings } from "#config.ts";
import type { Caller } from "#contract/caller.ts";
import { type Command, queryWith } from "#contract/command.ts";
import { Refusal } from "#contract/faults.ts";
import { applianceSource, describeNode, type NodeRef, nodeKey, rootRef, sameNode } from "#contract/node.ts";
import { type Column, type Report, type ReportTable, textCell } from "#contract/report.ts";
import type { Discovery, ThingStatus } from "#iot/discovery.ts";
import { type LabelFacts, labelFacts } from "#labels/facts.ts";
import { labelNodesCharsMax, registerGapMs } from "#limits.ts";
import { applianceTags } from "./status.ts";

const words = {
  page: "Labels",
  labels: "Show what stands on labels",
  renew: "Make new codes for unclaimed things",
  renewConfirm: "The labels that hang there are worth nothing afterwards and must be printed anew. Continue?",
  nodes: "Nodes",
  nodesHelp: "Only these nodes, one a line; all unless said.",
  appliance: "Appliance",
  registry: "Registry",
  language: "Language",
  node: "Node",
  line: "Line",
  source: "Source",
  name: "Name",
  serial: "Serial number",
  model: "Model",
  room: "Room",
  state: "State",
  code: "Code",
};

const settings = z.object({
  nodes: z
    .string()
    .max(labelNodesCharsMax)
    .default("")
    .meta({ title: words.nodes, description: words.nodesHelp, page: words.page, lines: true }),
});

export interface LabelCommandsDeps {
  readonly tree: Pick<Tree, "sources" | "find" | "things">;
  readonly discovery: Pick<Discovery, "list" | "rekey" | "service">;
  /** On which of the nodes the caller may run commands now, by `nodeKey`. */
  readonly mayExecute: (caller: Caller, nodes: readonly NodeRef[], signal: AbortSignal) => Promise<ReadonlySet<string>>;
  readonly settings: Pick<BootSettings, "name" | "room" | "language">;
  readonly clock: Clock;
}

interface Thing extends LabelFacts {
  readonly ref: NodeRef;
  readonly name: string;
}

/** What is told at once; then it is decided anew who may hear more (COM-AUTH-09). */
const rowsAtOnce = 100;

export function createLabelCommands(deps: LabelCommandsDeps): (node: TreeNode, caller: Caller) => readonly Command[] {
  const { discovery, clock } = deps;

  const allowed = async (caller: Caller, things: readonly Thing[], signal: AbortSignal): Promise<Thing[]> => {
    const may = await deps.mayExecute(
      caller,
      things.map(({ ref }) => ref),
      signal,
    );
    // Who runs commands of the appliance's own node owns it or has it set up.
    return things.filter(({ ref }) => sameNode(ref, rootRef) || may.has(nodeKey(ref)));
  };

  const begin = async (report: Report, title: string): Promise<ReportTable> => {
    await report.title(title);
    const about = await report.table(words.appliance, aboutColumns);
    await about.row(textCell(discovery.service?.jid), textCell(deps.settings.language));
    await about.done();
    return await report.table(words.page, columns);
  };

  const statusOf = () => new Map(discovery.list().map(one => [nodeKey(one.ref), one]));

  const show = async (things: readonly Thing[], caller: Caller, report: Report, signal: AbortSignal) => {
    const table = await begin(report, words.labels);
    for (let from = 0; from < things.length; from += rowsAtOnce) {
      const statuses = statusOf();
      for (const thing of await allowed(caller, things.slice(from, from + rowsAtOnce), signal))
        await table.row(...rowOf(thing, statuses.get(nodeKey(thing.ref))));
    }
    await table.done();
  };

  const renew = async (things: readonly Thing[], caller: Caller, report: Report, signal: AbortSignal) => {
    const table = await begin(report, words.renew);
    const unclaimed = things.filter(({ ref }) => statusOf().get(nodeKey(ref))?.state === "registered");
    for (const [at, thing] of unclaimed.entries()) {
      if ((await allowed(caller, [thing], signal)).length === 0) continue;
      if (at > 0) await clock.sleep(registerGapMs, signal);
      await report.status(`${at + 1} / ${unclaimed.length}`);
      try {
        await discovery.rekey(thing.ref, signal);
      } catch (error) {
        // Claimed meanwhile: the others go on. A registry that is away is away for all of them.
        if (!(error instanceof Refusal) || error.kind === "busy") throw error;
        await report.message(`${describeNode(thing.ref)}: ${error.message}`, "Warning");
        continue;
      }
      await table.row(...rowOf(thing, statusOf().get(nodeKey(thing.ref))));
    }
    await table.done();
  };

  return (node, caller) => {
    const isAppliance = node.ref.sourceId === applianceSource && node.type?.inherits.includes("Appliance") === true;
    if (!isAppliance && !withDescendants(node).some(isThing)) return [];
    const things = (nodes: string) => wanted(thingsOf(deps, isAppliance ? undefined : node), nodes);
    return [
      queryWith({
        id: "Labels",
        title: words.labels,
        sort: { category: words.page, key: "1" },
        settings,
        query: async ({ nodes }, report, signal) => show(things(nodes), caller, report, signal),
      }),
      queryWith({
        id: "NewCodes",
        title: words.renew,
        sort: { category: words.page, key: "2" },
        confirmation: words.renewConfirm,
        settings,
        query: async ({ nodes }, report, signal) => renew(things(nodes), caller, report, signal),
      }),
    ];
  };
}

/** The things below a node, itself among them; undefined: all there are, the appliance first. */
function thingsOf({ tree, settings: { name, room } }: LabelCommandsDeps, node: TreeNode | undefined): Thing[] {
  const tags = new Map(tree.things().map(one => [nodeKey(one.ref), one.tags]));
  const nodes =
    node === undefined
      ? tree.sources.values().flatMap(({ roots }) => roots.values().flatMap(withDescendants))
      : withDescendants(node);
  const found = nodes
    .filter(isThing)
    .map(({ ref, record }) => ({ ref, name: record.displayName, ...labelFacts(tags.get(nodeKey(ref)) ?? []) }))
    .toArray();
  return node === undefined ? [{ ref: rootRef, name, ...labelFacts(applianceTags(room)) }, ...found] : found;
}

/** `text`: as people write nodes, one a line; empty for all. Throws `Refusal` for one there is not. */
function wanted(things: readonly Thing[], text: string): readonly Thing[] {
  const lines = new Set(text.split("\n").map(line => line.trim()));
  lines.delete("");
  if (lines.size === 0) return things;
  // The field devices come first: what is called alike in another source is not meant.
  const byId = new Map(things.toReversed().map(one => [one.ref.nodeId, one]));
  return [...lines].map(line => {
    const found = byId.get(line);
    if (found === undefined) throw new Refusal("not-found", `There is no thing ${line.slice(0, 100)} here.`);
    return found;
  });
}

const aboutColumns: readonly Column[] = [
  { columnId: "registry", header: words.registry },
  { columnId: "language", header: words.language },
];
const columns: readonly Column[] = [
  { columnId: "node", header: words.node },
  { columnId: "partition", header: words.line },
  { columnId: "source", header: words.source },
  { columnId: "name", header: words.name },
  { columnId: "serial", header: words.serial },
  { columnId: "model", header: words.model },
  { columnId: "room", header: words.room },
  { columnId: "state", header: words.state },
  { columnId: "code", header: words.code },
];

const rowOf = ({ ref, name, serial, model, room }: Thing, status: ThingStatus | undefined) =>
  [
    ref.nodeId,
    ref.partition,
    ref.sourceId,
    name,
    serial,
    model,
    room,
    status?.state ?? "unregistered",
    status?.uri,
  ].map(textCell);
