// Brings one readout to its asker: at once in the answer when it is done within the quick-reply time, otherwise `started`
// and messages, with exactly one end whatever happens (SD-RESP-01…03) unless the asker cancelled or left.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import { Refusal } from "#contract/faults.ts";
import type { Reading } from "#contract/field.ts";
import { type NodeRef, nodeKey } from "#contract/node.ts";
import type { Element } from "#xml/element.ts";
import { createFragments } from "./fragments.ts";
import { done } from "./sensor-data.wire.ts";

export interface DeliveryLimits {
  readonly quickReplyMs: number;
  readonly readoutEndMs: number;
  readonly fragmentDelayMs: number;
  readonly fragmentsPerSecondMax: number;
  /** Of a payload, its envelope not counted. */
  readonly payloadBytesMax: number;
  readonly outboxRetryMs: number;
}

export interface Delivery {
  readonly id: string;
  readonly ns: string;
  readonly targets: readonly NodeRef[];
  readonly readings: AsyncIterable<Reading>;
  /** Aborted when the asker cancelled or left, and when the program stops. */
  readonly signal: AbortSignal;
  /** True once nothing may be sent for this readout any more. */
  readonly silent: () => boolean;
  readonly send: (payload: Element) => void;
  /** Rights changed: until it is decided anew whether this may go on, nothing is sent (COM-AUTH-09). Must not reject. */
  readonly undecided?: () => Promise<void> | undefined;
  /** Why something failed, in the asker's language (SD-RESP-15). Default: as it was said. */
  readonly say?: (text: string) => string;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: DeliveryLimits;
}

/** Resolves with the whole answer, or undefined when it is to come in messages: then `rest` is to be run after `started`. */
export interface Readout {
  quick(): Promise<Element | undefined>;
  /** Resolves when the end is sent or nothing more may be said. Never rejects. */
  rest(): Promise<void>;
}

export function createReadout(delivery: Delivery): Readout {
  const { id, ns, clock, signal, limits, log, say = text => text } = delivery;
  const fragments = createFragments(id, ns, limits.payloadBytesMax);
  const stream = delivery.readings[Symbol.asyncIterator]();
  const began = clock.monotonic();
  const seen = new Set<string>();
  const pace = createPace(clock, limits.fragmentsPerSecondMax);
  const ready: Element[] = [];
  let next: Promise<IteratorResult<Reading, unknown>> | undefined;
  let waitingSince = began;
  let sentAny = false;

  /** The next reading, or undefined when `ms` are over or the readout was aborted. A reading asked for is never lost. */
  const nextWithin = async (ms: number) => {
    if (next === undefined) {
      next = stream.next();
      next.catch(() => {});
    }
    using timer = createScope(signal);
    const expiry = clock.sleep(ms, timer.signal).catch(() => {});
    const item = await Promise.race([next, expiry]);
    if (item) next = undefined;
    return item ?? undefined;
  };

  const take = (reading: Reading) => {
    seen.add(nodeKey(reading.node));
    const wasEmpty = fragments.isEmpty;
    const full = fragments.add(inWords(reading, say));
    if (wasEmpty || full.length > 0) waitingSince = clock.monotonic();
    ready.push(...full);
  };

  /** Says of each node that gave nothing why it did not, or that of the whole. */
  const fail = (english: string) => {
    const message = say(english);
    const silentNodes = delivery.targets.filter(node => !seen.has(nodeKey(node)));
    for (const node of silentNodes) ready.push(...fragments.add({ kind: "fault", node, at: clock.now(), message }));
    if (silentNodes.length === 0) ready.push(...fragments.fail(clock.now(), message));
  };

  const sendNow = (payload: Element) => {
    if (delivery.silent()) return;
    delivery.send(payload);
    sentAny = true;
  };

  const send = async (payload: Element): Promise<void> => {
    await pace(signal);
    await delivery.undecided?.();
    for (;;) {
      try {
        return sendNow(payload);
      } catch (error) {
        if (!(error instanceof Refusal) || clock.monotonic() - began > limits.readoutEndMs) throw error;
        await clock.sleep(limits.outboxRetryMs, signal);
      }
    }
  };

  const last = (): Element => (sentAny && fragments.isEmpty ? done.encode({ id }, ns) : fragments.take(false));

  const leave = () => {
    // The readout's signal is aborted by its owner; a stream that does not heed it must not be waited for.
    Promise.resolve(stream.return?.()).catch(() => {});
  };

  /** Sends until the stream ends. Throws what the stream throws, and the abort reason. */
  const pump = async () => {
    for (;;) {
      for (const full of ready.splice(0)) await send(full);
      signal.throwIfAborted();
      const now = clock.monotonic();
      const left = began + limits.readoutEndMs - now;
      if (left <= 0) return fail(`no answer within ${Math.round(limits.readoutEndMs / 1000)} s`);
      const due = fragments.isEmpty ? left : waitingSince + limits.fragmentDelayMs - now;
      if (due <= 0) {
        await send(fragments.take(true));
        continue;
      }
      const item = await nextWithin(Math.min(left, due));
      if (item?.done) return;
      if (item) take(item.value);
    }
  };

  return {
    async quick() {
      try {
        while (ready.length === 0) {
          signal.throwIfAborted();
          const left = began + limits.quickReplyMs - clock.monotonic();
          if (left <= 0) return undefined;
          const item = await nextWithin(left);
          if (item?.done) return last();
          if (item) take(item.value);
        }
        return undefined;
      } catch (error) {
        leave();
        throw error;
      }
    },

    async rest() {
      try {
        await pump();
        for (const full of ready.splice(0)) await send(full);
        await send(last());
      } catch (error) {
        if (delivery.silent()) return;
        if (!signal.aborted) log.error("readout-failed", { id, error });
        try {
          fail(signal.aborted ? "the appliance is stopping" : "the readout failed");
          for (const full of ready.splice(0)) sendNow(full);
          sendNow(last());
        } catch (unsent) {
          log.warning("readout-not-ended", { id, error: unsent });
        }
      } finally {
        leave();
      }
    },
  };
}

/** Values are what the device said and stay; why there is none is for people. */
function inWords(reading: Reading, say: (text: string) => string): Reading {
  if (reading.kind === "fault") return { ...reading, message: say(reading.message) };
  if (!reading.fields.some(({ value }) => value.kind === "missing")) return reading;
  const fields = reading.fields.map(field =>
    field.value.kind === "missing" ? { ...field, value: { ...field.value, reason: say(field.value.reason) } } : field,
  );
  return { ...reading, fields };
}

/** Waits until a further one would not be more than `perSecond` in any second. */
function createPace(clock: Clock, perSecond: number): (signal: AbortSignal) => Promise<void> {
  const sent: number[] = [];
  return async signal => {
    const first = sent.length < perSecond ? undefined : sent.shift();
    const wait = first === undefined ? 0 : first + 1000 - clock.monotonic();
    if (wait > 0) await clock.sleep(wait, signal);
    sent.push(clock.monotonic());
  };
}
