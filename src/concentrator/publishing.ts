// Publishing values of nodes whose owners enabled it: on change beyond a deadband, not too often, and now and then all the
// same; the last values only, whatever was missed while the service was away (PUB-GEN, PUB-RATE, PUB-NODE-03).

import type { Clock } from "#base/clock.ts";
import { backoff } from "#base/delays.ts";
import type { Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import type { Task } from "#base/supervise.ts";
import { publishedNodesMax, publishingIdleMs, publishingRetryFirstMs, publishingRetryMsMax } from "#limits.ts";
import type { Caller } from "./contract/caller.ts";
import { Refusal } from "./contract/faults.ts";
import type { Field, FieldValue, Reading, Sample } from "./contract/field.ts";
import { describeNode, type NodeRef, nodeKey } from "./contract/node.ts";
import type { TreeNode } from "./forest.ts";
import type { Publication, PublicationStore, PublishingPlace } from "./publications.ts";
import type { Owners } from "./rules.ts";

export interface PublishingDeps extends Owners {
  readonly store: PublicationStore;
  readonly place: PublishingPlace;
  /** Without any restriction, at this moment. */
  readonly mayRead: (bareJid: string, node: NodeRef, signal: AbortSignal) => Promise<boolean>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Publishing {
  /** Throws `Refusal` denied when the node is not his, busy when there are too many. */
  enable(caller: Caller, publication: Omit<Publication, "by">): void;
  /** Throws `Refusal` denied, not-found. */
  disable(caller: Caller, node: NodeRef): void;
  of(node: NodeRef): Publication | undefined;
  /** Only who owns the node; where nobody does, who owns the appliance. */
  mayEnable(bareJid: string, node: NodeRef): boolean;
  heard(node: TreeNode, sample: Sample): void;
  removed(node: NodeRef): void;
  /** Rights or owners changed: who reads is looked at anew, at once. */
  reconsider(): void;
  /** The service is there: what failed is tried again. */
  online(): void;
  readonly run: Task;
}

interface Published {
  readonly publication: Publication;
  readonly latest: Map<string, { readonly at: number; readonly field: Field }>;
  readonly told: Map<string, FieldValue>;
  /** The place is there and its readers are those who may read. */
  isOpen: boolean;
  isNews: boolean;
  /** Monotonic. */
  sentAt: number;
  notBefore: number;
  delays: ReturnType<typeof backoff>;
}

export function createPublishing({
  store,
  place,
  ownerOf,
  rootOwner,
  mayRead,
  clock,
  ...deps
}: PublishingDeps): Publishing {
  const log = deps.log.with({ audit: true });
  const published = new Map<string, Published>();
  /** Places to take away. */
  const closing = new Map<string, NodeRef>();
  let wake = () => {};

  const take = (publication: Publication) => {
    published.set(nodeKey(publication.node), {
      publication,
      latest: new Map(),
      told: new Map(),
      isOpen: false,
      isNews: false,
      sentAt: Number.NEGATIVE_INFINITY,
      notBefore: 0,
      delays: backoff(publishingRetryFirstMs, publishingRetryMsMax),
    });
    closing.delete(nodeKey(publication.node));
  };
  for (const one of store.all()) take(one);

  const ownerNow = (node: NodeRef): string | undefined => ownerOf(node) ?? rootOwner();
  const end = (node: NodeRef, why: string, by = "") => {
    store.delete(node);
    published.delete(nodeKey(node));
    closing.set(nodeKey(node), node);
    log.notice("publishing-ended", { node, why, by });
    wake();
  };

  /** Monotonic time of the next thing to do for it. */
  const dueAt = (one: Published): number => {
    const { minSeconds, maxSeconds } = one.publication;
    if (!one.isOpen) return one.notBefore;
    if (one.latest.size === 0) return Number.POSITIVE_INFINITY;
    return Math.max(one.sentAt + (one.isNews ? minSeconds : maxSeconds) * 1_000, one.notBefore);
  };

  const readersOf = async ({ publication }: Published, signal: AbortSignal): Promise<string[]> => {
    const readers: string[] = [];
    for (const jid of publication.readers) if (await mayRead(jid, publication.node, signal)) readers.push(jid);
    return readers;
  };

  const serve = async (one: Published, signal: AbortSignal): Promise<void> => {
    const { node } = one.publication;
    try {
      if (!one.isOpen) {
        // Set before asking: what changes meanwhile is looked at again.
        one.isOpen = true;
        await place.open(node, await readersOf(one, signal), signal);
      }
      if (one.latest.size > 0 && dueAt(one) <= clock.monotonic()) {
        one.isNews = false;
        one.told.clear();
        for (const [name, { field }] of one.latest) one.told.set(name, field.value);
        one.sentAt = clock.monotonic();
        await place.publish(node, readingsOf(node, one), signal);
      }
      one.delays = backoff(publishingRetryFirstMs, publishingRetryMsMax);
    } catch (error) {
      signal.throwIfAborted();
      one.isOpen = false;
      one.isNews = one.latest.size > 0;
      one.sentAt = Number.NEGATIVE_INFINITY;
      const isForeign = error instanceof Refusal && error.kind === "denied";
      const delayMs: number = one.delays.next().value ?? publishingRetryMsMax;
      one.notBefore = clock.monotonic() + (isForeign ? publishingRetryMsMax : delayMs);
      log.warning("not-published", { node: describeNode(node), error });
    }
  };

  const sweep = async (signal: AbortSignal): Promise<void> => {
    for (const [key, node] of [...closing]) {
      await place.close(node, signal).then(
        () => closing.delete(key),
        error => log.info("place-not-closed", { node: describeNode(node), error }),
      );
    }
    for (const one of [...published.values()]) {
      const { node, by } = one.publication;
      if (ownerNow(node) !== by) end(node, "the owner changed");
      else if (dueAt(one) <= clock.monotonic()) await serve(one, signal);
    }
  };

  return {
    enable(caller, wish) {
      if (ownerNow(wish.node) !== caller.bareJid) throw new Refusal("denied", "Only who owns it publishes its values.");
      if (published.size >= publishedNodesMax && !published.has(nodeKey(wish.node))) {
        throw new Refusal("busy", "Too many nodes publish their values already.");
      }
      const publication = { ...wish, by: caller.bareJid };
      store.put(publication);
      take(publication);
      log.notice("publishing-begun", {
        node: wish.node,
        readers: wish.readers,
        by: caller.bareJid,
        from: caller.fullJid,
      });
      wake();
    },
    disable(caller, node) {
      if (!published.has(nodeKey(node))) throw new Refusal("not-found", "This node publishes nothing.");
      if (ownerNow(node) !== caller.bareJid) throw new Refusal("denied", "Only who owns it decides on publishing.");
      end(node, "taken back", caller.bareJid);
    },
    of: node => published.get(nodeKey(node))?.publication,
    mayEnable: (jid, node) => ownerNow(node) === jid,
    heard(node, sample) {
      const one = published.get(nodeKey(node.ref));
      if (one === undefined) return;
      for (const field of sample.fields) {
        const before = one.latest.get(field.name);
        if (!isPublic(field) || (before !== undefined && before.at > sample.at)) continue;
        one.latest.set(field.name, { at: sample.at, field });
        const told = one.told.get(field.name);
        if (told === undefined || isOther(told, field.value, one.publication.deadbandPercent)) one.isNews = true;
      }
      if (one.isNews) wake();
    },
    removed(node) {
      if (published.has(nodeKey(node))) end(node, "the node was removed");
    },
    reconsider() {
      for (const one of published.values()) one.isOpen = false;
      wake();
    },
    online() {
      for (const one of published.values()) {
        one.notBefore = 0;
        one.delays = backoff(publishingRetryFirstMs, publishingRetryMsMax);
      }
      wake();
    },
    async run(signal) {
      while (!signal.aborted) {
        using idle = createScope(signal);
        wake = idle.abort;
        await sweep(signal);
        const next = Math.min(...[...published.values()].map(dueAt), clock.monotonic() + publishingIdleMs);
        await clock.sleep(Math.max(0, next - clock.monotonic()), idle.signal).catch(() => {});
      }
    },
  };
}

/** Never who it is, nor what went wrong with it (PUB-GEN-03). */
const isPublic = ({ value, categories, quality }: Field): boolean =>
  value.kind !== "missing" &&
  !quality.error &&
  !categories.identity &&
  (categories.momentary || categories.peak || categories.computed);

function isOther(told: FieldValue, now: FieldValue, deadbandPercent: number): boolean {
  if (told.kind === "quantity" && now.kind === "quantity") {
    if (told.unit !== now.unit) return true;
    return (
      told.value !== now.value && Math.abs(now.value - told.value) >= (Math.abs(told.value) * deadbandPercent) / 100
    );
  }
  return told.kind !== now.kind || ("value" in told && "value" in now && told.value !== now.value);
}

function readingsOf(node: NodeRef, { latest }: Published): Reading[] {
  const byTime = Map.groupBy(latest.values(), one => one.at);
  return [...byTime]
    .sort(([a], [b]) => a - b)
    .map(([at, group]) => ({ kind: "reading", node, at, fields: group.map(one => one.field) }));
}
