// One subscription to sensor data, as those see it who keep it, time it and make its events.

import type { Scope } from "#base/scope.ts";
import { eventFaultMs, eventIntervalMsMin, eventSilenceMsMin } from "#limits.ts";
import type { Caller } from "./contract/caller.ts";
import type { Ask, Reading } from "./contract/field.ts";
import type { NodeRef } from "./contract/node.ts";
import type { TreeNode } from "./forest.ts";
import type { ChangeLimits, Reference } from "./triggers.ts";

/** What is to be heard of, and how often. */
export interface Interest {
  readonly caller: Caller;
  readonly nodes: readonly NodeRef[];
  /** Names empty = all; times are not looked at. */
  readonly ask: Ask;
  /** By field name; a field that is not in it is told of at any change. */
  readonly limits: ReadonlyMap<string, ChangeLimits>;
  /** Wished for between two events; what happens meanwhile is told once, at its end. */
  readonly minIntervalMs: number | undefined;
  /** Wished for as the longest silence; undefined: as long as nothing changes. */
  readonly maxIntervalMs: number | undefined;
  /** Of recorded values, with the historical category. */
  readonly historyMs: number | undefined;
}

export interface Subscriber {
  /** He may: asked before anything is kept for him, and what it throws is what he is told (COM-ERR-03). */
  admitted?(): void;
  /** One event, made anew: values as they are now. It resolves when all is said; the next comes only after that. */
  event(readings: AsyncIterable<Reading>, nodes: readonly NodeRef[]): Promise<void>;
  /** The right was lost or all nodes are gone: nothing more will come, and nothing may be said any more. */
  ended(): void;
}

interface Told {
  readonly value: Reference;
  readonly at: number;
}

/** A node of a subscription: what was granted of the ask, and by field what the next value is compared with. */
export interface Target {
  ask: Ask;
  readonly references: Map<string, Told>;
}

export interface Running {
  readonly interest: Interest;
  readonly subscriber: Subscriber;
  readonly scope: Scope;
  /** All it is about, whether it may be read now or not. */
  readonly nodes: Set<TreeNode>;
  /** Those that may be read. */
  readonly targets: Map<TreeNode, Target>;
  /** Changes nobody told the subscriber of yet: by node and field, with the time of the value. */
  readonly causes: Map<TreeNode, Map<string, number>>;
  /** An event is to come for another reason than a value. */
  forced: boolean;
  pending: boolean;
  /** On the monotonic clock. */
  due: number;
  lastAt: number;
  lastFaultAt: number;
  busy: boolean;
  over: boolean;
  /** Rights are being decided on anew: nothing is to be said before that. */
  undecided: Promise<void> | undefined;
  /** On the agenda for it: the pending event, and the look whether it has been silent for too long. */
  wakeUp: Disposable | undefined;
  silence: Disposable | undefined;
}

export const newSubscription = (
  interest: Interest,
  subscriber: Subscriber,
  scope: Scope,
  nodes: Iterable<TreeNode>,
  now: number,
): Running => ({
  interest,
  subscriber,
  scope,
  nodes: new Set(nodes),
  targets: new Map(),
  causes: new Map(),
  forced: false,
  pending: false,
  due: now,
  lastAt: now,
  lastFaultAt: Number.NEGATIVE_INFINITY,
  busy: false,
  over: false,
  undecided: undefined,
  wakeUp: undefined,
  silence: undefined,
});

/** What the subscriber said he knows already, for each of his nodes alike. */
export function given({ limits }: Interest): Map<string, Told> {
  const references = new Map<string, Told>();
  for (const [name, { value }] of limits) {
    if (value !== undefined) references.set(name, { value: { kind: "given", value }, at: Number.NEGATIVE_INFINITY });
  }
  return references;
}

/** What was wished for, raised to what is kept (EV-SUB-05). */
export const leastMs = ({ minIntervalMs }: Interest): number => Math.max(eventIntervalMsMin, minIntervalMs ?? 0);
export const greatestMs = ({ maxIntervalMs }: Interest): number | undefined =>
  maxIntervalMs === undefined ? undefined : Math.max(eventSilenceMsMin, maxIntervalMs);

/** EV-EVT-03: errors come once in this time at most. */
export const faultMs = (interest: Interest): number => greatestMs(interest) ?? eventFaultMs;
