// What a driver offers: node types; a node type opens a device; a device is what it can do. docs/adding-a-driver.md walks
// through it, drivers/blueprint is a compilable empty one.

import type * as z from "zod";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Command } from "./command.ts";
import type { ControlParameter } from "./control.ts";
import type { DeviceFault } from "./faults.ts";
import type { Ask, Sample } from "./field.ts";
import type { DisplayParameter, Tag } from "./node.ts";
import type { SniffedItem } from "./sniff.ts";

/** Each member is optional: a thing is what it can do. Closing twice is harmless. */
export interface Device extends AsyncDisposable {
  /**
   * Answers when asked. Yields samples with the time of measurement; may yield more than was asked, the readout filters.
   * Throws `DeviceFault`. Aborting ends it promptly.
   */
  read?(ask: Ask, signal: AbortSignal): AsyncIterable<Sample>;
  /** Speaks unasked until aborted. */
  watch?(signal: AbortSignal): AsyncIterable<Sample>;
  readonly parameters?: readonly ControlParameter[];
  /** What it can be told to do, its ids unique. */
  readonly commands?: readonly Command[];
  /** What is said on its line, or by and to this device alone, until aborted. Costs nothing while nobody listens. */
  sniff?(signal: AbortSignal): AsyncIterable<SniffedItem>;
  /** Facts for display on the node: state of a breaker, counters. Cheap, never touches the line. */
  describe?(): readonly DisplayParameter[];
  /** Settles when the line or port went away; the tree then closes the device and its children and reopens. Never rejects. */
  readonly closed?: Promise<DeviceFault>;
}

/** What a driver gets to work with. A driver does not know what its device is called. */
export interface Env<Parent = unknown> {
  readonly clock: Clock;
  readonly log: Log;
  /** The opened device of the parent node. */
  readonly parent: Parent;
  /**
   * Takes sole ownership of a physical line, by one key whoever opens it ("serial:/dev/serial/by-id/…", "tcp:host:port").
   * Throws `DeviceFault` unreachable naming the present owner. Dispose to give it back.
   */
  own(line: string): Disposable;
  /** A measured value of the device, told between readouts (unasked); passes through the same door as a readout. */
  readonly timeZone: string;
  /** What was learnt of products before; missing where there is no store. */
  readonly memory?: Memory;
  /**
   * Hangs nodes below this one, all of them or none, for a command that says so (whoever may execute on a line may add to it).
   * What has its id already stays as it is. Throws `Refusal`. Missing where there is no tree.
   */
  addBelow?(children: readonly ChildNode[]): Added;
}

/** A node as a person would add it. */
export interface ChildNode {
  readonly type: string;
  readonly id: string;
  readonly name?: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Ids of nodes. */
export interface Added {
  readonly created: readonly string[];
  readonly present: readonly string[];
}

/**
 * Small texts by key that a driver finds again after a restart, the same for all its devices. It is learnt knowledge: the
 * device works without it, and the oldest goes when there is too much (limits.memoryEntriesMax).
 */
export interface Memory {
  recall(key: string): string | undefined;
  /** A text that is too long (limits.memoryTextCharsMax) is not kept. */
  keep(key: string, text: string): void;
}

export interface NodeType<S extends z.ZodObject = z.ZodObject, Parent = unknown, D extends Device = Device> {
  /** Stable machine name, public API: "mbus.meter". */
  readonly name: string;
  readonly title: string;
  /** Type names acceptable as parent; "" is the root of the source. */
  readonly parents: readonly string[];
  /** Flat object of scalars and choices, made of contract/settings.ts. */
  readonly settings: S;
  /** Children are addressed in a partition named after this node. */
  readonly line?: true;
  /** Stands at the top of a source, once, and takes below it what says "" among its `parents`. Not made or removed by people. */
  readonly root?: true;
  /** Registered with the Thing Registry and claimable on its own. Lines are not: they belong to the appliance. */
  readonly thing?: true;
  /** Base types and capabilities, nearest first (getNodeInheritance). */
  readonly inherits: readonly string[];
  /** Values to choose from, by name of the setting, as things are now; others are taken too. Never rejects, and soon. */
  readonly suggestions?: Readonly<Record<string, () => Promise<readonly Suggestion[]>>>;
  /** Tags a thing of these settings carries by itself (CLASS, MAN, MODEL …). */
  tags?(settings: z.output<S>): readonly Tag[];
  /** Throws `DeviceFault` when it cannot be reached now; the tree tries again. */
  open(settings: z.output<S>, env: Env<Parent>, signal: AbortSignal): Promise<D>;
}

/** `label`: what it is, for people; no text of ours. */
export interface Suggestion {
  readonly value: string;
  readonly label: string;
}

export interface Driver {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: each node type has its own settings, parent and device; the tree does the one cast.
  readonly nodeTypes: readonly NodeType<any, any, any>[];
}
