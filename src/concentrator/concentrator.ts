// All that a face may ask of the concentrator. It speaks the words of the field: no XML, no bytes, no SQL.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { type Admission, type Admitted, type AdmittedControl, createAdmission, type Rule } from "./admission.ts";
import { type Commands, createCommands } from "./commands.ts";
import type { Caller } from "./contract/caller.ts";
import type { Command } from "./contract/command.ts";
import type { ControlParameter, ControlValue } from "./contract/control.ts";
import type { Ask, Reading } from "./contract/field.ts";
import type { DisplayParameter, NodeMessage, NodeRef, NodeState, Tag } from "./contract/node.ts";
import { createControl } from "./control.ts";
import { type CurrentValues, createCurrentValues } from "./current-values.ts";
import { createEditing, type Editing } from "./editing.ts";
import { createExplaining, type ExplainSources } from "./explaining.ts";
import type { TreeNode } from "./forest.ts";
import { createInterfaces, type Interfaces } from "./interfaces.ts";
import { createLookup } from "./lookup.ts";
import { nodeCommands } from "./node-commands.ts";
import { createOffered } from "./offered.ts";
import { createQueries, type Queries } from "./queries.ts";
import { createReadout } from "./readout.ts";
import { createReads } from "./reads.ts";
import type { EventLog, Readings } from "./records.ts";
import { roleCommands } from "./role-commands.ts";
import type { Roles } from "./roles.ts";
import type { Owners } from "./rules.ts";
import { createSniffers, type Sniffers } from "./sniffers.ts";
import { createSourceEvents, type SourceEvents } from "./source-events.ts";
import { createSubscriptions, type Subscriptions } from "./subscriptions.ts";
import type { Tree } from "./tree.ts";
import { watchAll } from "./watch.ts";
import { whyCommands } from "./why-command.ts";

export interface SourceInfo {
  readonly sourceId: string;
  readonly name: string;
  readonly hasChildren: boolean;
  /** Milliseconds since 1970; undefined when nothing ever changed. */
  readonly lastChanged?: number;
}

export interface NodeInfo {
  readonly ref: NodeRef;
  readonly localId: string;
  readonly displayName: string;
  readonly nodeType: string;
  readonly typeTitle: string;
  readonly state: NodeState;
  readonly hasChildren: boolean;
  readonly childrenOrdered: boolean;
  readonly isReadable: boolean;
  readonly isControllable: boolean;
  readonly hasCommands: boolean;
  /** Its line can be listened to now. */
  readonly sniffable: boolean;
  readonly parent?: NodeRef;
  readonly lastChanged: number;
  /** Always there; a face shows them when asked to. */
  readonly parameters: readonly DisplayParameter[];
  readonly messages: readonly NodeMessage[];
}

export interface Inheritance {
  readonly baseClasses: readonly string[];
  readonly interfaces: readonly string[];
}

export interface ControlRequest {
  /** In the order to be written; a parameter stands once. */
  readonly values: readonly { name: string; value: ControlValue }[];
}

/** What was written; `refused` names what admission took away (partial grants). */
export interface ControlResult {
  readonly nodes: readonly NodeRef[];
  readonly parameters: readonly string[];
}

/**
 * Lookups throw `Refusal` not-found for what is unknown or not visible to the caller, the same in both cases.
 * Admission throws `Refusal` not-found or denied and touches no device.
 */
export interface Concentrator extends Editing, Commands, Queries, Sniffers, Interfaces {
  sources(caller: Caller): Promise<SourceInfo[]>;
  rootSources(caller: Caller): Promise<SourceInfo[]>;
  childSources(caller: Caller, sourceId: string): Promise<SourceInfo[]>;
  contains(caller: Caller, ref: NodeRef): Promise<boolean>;
  node(caller: Caller, ref: NodeRef): Promise<NodeInfo>;
  /** Breadth first, parents before children; `types` empty = all, else own or base type (not-found for an unknown type). */
  allNodes(caller: Caller, sourceId: string, types: readonly string[]): Promise<NodeInfo[]>;
  rootNodes(caller: Caller, sourceId: string): Promise<NodeInfo[]>;
  childNodes(caller: Caller, ref: NodeRef): Promise<NodeInfo[]>;
  /** First the node itself, last the root. */
  ancestors(caller: Caller, ref: NodeRef): Promise<NodeInfo[]>;
  inheritance(caller: Caller, ref: NodeRef): Promise<Inheritance>;

  /** Rights that need no Admitted, for lists and at delivery, and as a condition: see `Admission`. */
  readonly allowed: Admission["allowed"];
  readonly require: Admission["require"];

  admitRead(caller: Caller, nodes: readonly NodeRef[], ask: Ask, signal: AbortSignal): Promise<Admitted>;
  /** Ends by itself within limits.readoutMs, with a fault for each node that stayed silent. Aborting ends it promptly. */
  readout(admitted: Admitted, signal: AbortSignal): AsyncIterable<Reading>;
  /** Events of sensor data. Throws as `admitRead` does, and touches no device. Zero nodes are nothing to wait for, and no error. */
  readonly subscribe: Subscriptions["subscribe"];
  /** Events of a data source, past and to come. */
  readonly followSource: SourceEvents["follow"];
  /** Rights may have changed: whatever is running is decided on anew before it goes on (COM-AUTH-09). */
  rightsChanged(): void;

  admitControl(
    caller: Caller,
    nodes: readonly NodeRef[],
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<AdmittedControl>;
  /** The parameters every admitted node has, for checks and forms. */
  parameters(admitted: AdmittedControl): readonly ControlParameter[];
  /** Parameters that are set together with these, and are not among them. */
  companions(admitted: AdmittedControl, names: readonly string[]): readonly string[];
  /** Of the first admitted node, for forms: what answers within limits.currentValuesMs. */
  readonly currentValues: CurrentValues;
  /** Two phases: all values are validated (Refusal with `parameters`), then written. Throws `ControlFault` when a device refused. */
  control(admitted: AdmittedControl, request: ControlRequest, signal: AbortSignal): Promise<ControlResult>;
}

/** What the registry is told of a node that is a thing. */
export interface Thing {
  readonly ref: NodeRef;
  readonly tags: readonly Tag[];
}

export interface ConcentratorDeps {
  readonly tree: Tree;
  readonly readings: Readings;
  /** What happened to the sources; without it nobody is told of the past. */
  readonly eventLog?: EventLog;
  /** In the order asked; silence is refusal. */
  readonly rules: readonly Rule[];
  /** Bare JID of who claimed this node; default: nobody ever did. */
  readonly ownerOf?: (ref: NodeRef) => string | undefined;
  /** Commands of the program on this node, besides those of its device. */
  readonly commandsOf?: (node: TreeNode, caller: Caller) => readonly Command[];
  /** Told of all that devices say, once each. */
  readonly heard?: Subscriptions["heard"];
  /** Given, they are managed by commands on the nodes. */
  readonly roles?: Roles;
  /** Given, owners may ask of their nodes why somebody may or may not. */
  readonly explaining?: Pick<Owners, "rootOwner"> & ExplainSources;
  readonly clock: Clock;
  readonly log: Log;
  /** False until the appliance knows the time: its samples are marked as offset. Default: it knows. */
  readonly synchronised?: () => boolean;
}

/** Puts the parts together. The tree is run by the composition root; what opens in it is polled and listened to from here on. */
export function createConcentrator({ tree, readings, rules, clock, log, ...deps }: ConcentratorDeps): Concentrator {
  const { find, failed, recovered, warn } = tree;
  const synchronised = deps.synchronised ?? (() => true);
  const admission = createAdmission({ rules, find: ref => find(ref)?.ref, clock, log });
  const offered = createOffered({ readings, changed: tree.offersChanged });
  tree.whenOpened(offered.opened);
  const reads = createReads({
    clock,
    log,
    failed,
    recovered,
    remember(node, sample) {
      readings.remember(node.ref, sample);
      heard(node, sample);
    },
    synchronised,
  });
  const readout = createReadout({ find, reads, readings, clock });
  const subscriptions: Subscriptions = createSubscriptions({
    find,
    after: tree.after,
    admission,
    readout,
    readings,
    hurry: node => watch.hurry(node),
    clock,
    log,
  });
  tree.whenChanged(subscriptions.changed);
  const { parameters, companions, control } = createControl({ find, readings, failed, warn, clock, log });
  const { pollMs, polled } = subscriptions;
  const heard: Subscriptions["heard"] = (node, sample) => {
    offered.heard(node, sample);
    subscriptions.heard(node, sample);
    deps.heard?.(node, sample);
  };
  const watch = watchAll({ tree, reads, readings, heard, pollMs, polled, clock, synchronised });
  const lookup = createLookup({ tree, ...admission });
  const sourceEvents = createSourceEvents({
    tree,
    lookup,
    visible: admission.visible,
    // Of a node that is gone: what the rules say of its name.
    wouldSee: createAdmission({ rules, find: ref => ref, clock, log }).visible,
    eventLog: deps.eventLog ?? noEventLog,
    clock,
    log,
  });
  tree.whenChanged(sourceEvents.changed);
  const ownerOf = deps.ownerOf ?? (() => undefined);
  const sources = deps.explaining;
  const explaining = sources && createExplaining({ admission, sources, ownerOf, rootOwner: sources.rootOwner });
  const commandsOf = (node: TreeNode, caller: Caller) => [
    ...nodeCommands({ tree, admission, readout }, node, caller),
    ...(node.opened?.device.commands ?? []),
    ...(deps.commandsOf?.(node, caller) ?? []),
    ...(deps.roles === undefined ? [] : roleCommands(deps.roles, clock.now, node, caller)),
    ...(explaining === undefined ? [] : whyCommands(explaining, node, caller)),
  ];
  const executing = { tree, admission, commandsOf, ownerOf, clock, log };
  const queries = createQueries(executing);
  const sniffers = createSniffers(executing);
  const reconsider = (what: string, work: Promise<void>) =>
    void work.catch(error => log.error("not-decided-anew", { what, error }));
  return {
    ...lookup,
    ...createEditing({ tree, admission, node: lookup.node, ownerOf, log }),
    ...createCommands(executing),
    ...queries,
    ...sniffers,
    ...createInterfaces({ tree, admission, offered }),
    allowed: admission.allowed,
    require: admission.require,
    admitRead: admission.read,
    readout: (admitted, signal) => subscriptions.telling(admitted.caller, readout(admitted, signal)),
    subscribe: subscriptions.subscribe,
    followSource: sourceEvents.follow,
    rightsChanged() {
      subscriptions.reconsider();
      sourceEvents.reconsider();
      reconsider("queries", queries.queriesReconsidered());
      reconsider("sniffers", sniffers.sniffersReconsidered());
    },
    admitControl: admission.control,
    parameters,
    companions,
    currentValues: createCurrentValues({ find, clock }),
    control,
  };
}

/** Nothing is kept, so nothing is claimed to be whole. */
const noEventLog: EventLog = {
  append() {},
  since: () => [],
  count: () => 0,
  completeFrom: () => Number.POSITIVE_INFINITY,
  beginAt() {},
  last: () => undefined,
  forget: () => false,
};
