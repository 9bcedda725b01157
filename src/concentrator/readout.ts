// From `Admitted` to a stream of readings: one stream a device, a bounded number at a time, each filtered by what was
// granted. A failed device is an item. It ends by itself, and promptly, with the reason, when aborted.

import type { Clock } from "#base/clock.ts";
import { TimeoutError } from "#base/deadline.ts";
import { merge } from "#base/merge.ts";
import { createScope } from "#base/scope.ts";
import { devicesAtOnceMax, historyPageRows, historySamplesMax, readoutMs } from "#limits.ts";
import type { Admitted } from "./admission.ts";
import { type Ask, asAsked, categories, isAsked, isEmpty, type Reading, type Sample } from "./contract/field.ts";
import type { NodeRef } from "./contract/node.ts";
import type { Forest, TreeNode } from "./forest.ts";
import type { Reads } from "./reads.ts";
import type { Readings } from "./records.ts";
import { describeFault, faultText } from "./status.ts";

export interface ReadoutDeps {
  readonly find: Forest["find"];
  readonly reads: Reads;
  readonly readings: Pick<Readings, "latest" | "between">;
  readonly clock: Clock;
}

type Target = Admitted["targets"][number];

/** Whether the last word of a device is recent enough: its values, or its fault; undefined: it is to be asked. */
export type Known = (node: TreeNode) => "values" | "fault" | undefined;

/** Ends by itself, and promptly, with the reason, when aborted. Devices that are `known` are not asked again. */
export type Readout = (admitted: Admitted, signal: AbortSignal, known?: Known) => AsyncGenerator<Reading>;

export function createReadout({ find, reads, readings, clock }: ReadoutDeps): Readout {
  const fault = (node: NodeRef, message: string): Reading => ({ kind: "fault", node, at: clock.now(), message });

  /** Ends quietly when the asker leaves; whatever else happens is told. */
  async function* readTarget(
    { node: ref, ask }: Target,
    signal: AbortSignal,
    expiry: AbortSignal,
    known: Known,
  ): AsyncGenerator<Reading> {
    using scope = createScope(signal);
    const expire = () => scope.abort(expiry.reason);
    expiry.addEventListener("abort", expire, { once: true });
    try {
      const node = find(ref);
      if (isEmpty(ask.categories)) return;
      if (expiry.aborted) throw expiry.reason;
      if (node === undefined) return yield fault(ref, "The node was removed.");
      yield* fromHistory(ref, ask, scope.signal);
      yield* fromDevice(node, ask, scope.signal, known(node));
    } catch (error) {
      if (!signal.aborted) yield fault(ref, describeFault(error).text);
    } finally {
      expiry.removeEventListener("abort", expire);
    }
  }

  async function* fromDevice(
    node: TreeNode,
    ask: Ask,
    signal: AbortSignal,
    known: ReturnType<Known>,
  ): AsyncGenerator<Reading> {
    const { opened, ref } = node;
    if (opened === undefined)
      return yield fault(ref, faultText(node) ?? settingsText(node) ?? "The device is not open yet.");
    if (opened.device.read === undefined || known === "values") return yield* fromLatest(node, ask);
    const why = known === "fault" ? faultText(node) : undefined;
    if (why !== undefined) return yield fault(ref, why);
    for await (const sample of reads.read(node, ask, signal)) {
      const asked = asAsked(sample, ask);
      if (asked !== undefined) yield { kind: "reading", node: ref, ...asked };
    }
  }

  /** A device that only speaks unasked: the last it told of each field, with the time it told it. */
  function* fromLatest({ ref, opened }: TreeNode, ask: Ask): Generator<Reading> {
    const latest = readings.latest(ref);
    if (latest.length === 0) {
      const silent =
        opened?.device.watch === undefined ? "This node has no values of its own." : "No value received yet.";
      return yield fault(ref, silent);
    }
    const byTime = Map.groupBy(latest, one => one.at);
    for (const [at, group] of [...byTime].sort(([a], [b]) => a - b)) {
      const asked = asAsked({ at, fields: group.map(one => one.field) }, ask);
      if (asked !== undefined) yield { kind: "reading", node: ref, ...asked };
    }
  }

  /** What was recorded, as historical values: only when a time is given, `all` alone does not mean years. */
  async function* fromHistory(ref: NodeRef, ask: Ask, signal: AbortSignal): AsyncGenerator<Reading> {
    if (!ask.categories.historical || !(Number.isFinite(ask.from) || Number.isFinite(ask.to))) return;
    let count = 0;
    for (const sample of readings.between(ref, ask.from, ask.to)) {
      if (++count > historySamplesMax) {
        return yield fault(ref, `More than ${historySamplesMax} recorded readings: ask for a shorter time.`);
      }
      // Reading a long history must not hold up everybody else.
      if (count % historyPageRows === 0) await clock.sleep(0, signal);
      const asked = asHistorical(sample, ask);
      if (asked !== undefined) yield { kind: "reading", node: ref, ...asked };
    }
  }

  return async function* readout(admitted, signal, known = unknown) {
    const expiry = new AbortController();
    const over = new AbortController();
    clock.sleep(readoutMs, over.signal).then(
      () => expiry.abort(new TimeoutError("readout", readoutMs)),
      () => {},
    );
    try {
      const sources = admitted.targets.map(
        target => (inner: AbortSignal) => readTarget(target, inner, expiry.signal, known),
      );
      yield* merge<Reading>(sources, devicesAtOnceMax, signal, clock);
    } finally {
      over.abort(ended);
    }
  };
}

const unknown: Known = () => undefined;

/** One for all: making an exception gathers a stack, and this happens with every readout. */
const ended = new DOMException("the readout ended", "AbortError");

const historical = categories("historical");

function asHistorical(sample: Sample, ask: Ask): Sample | undefined {
  const fields = sample.fields
    .map(({ name, value, quality }) => ({ name, value, quality, categories: historical }))
    .filter(field => isAsked(field, ask));
  return fields.length === 0 ? undefined : { at: sample.at, fields };
}

const settingsText = (node: TreeNode): string | undefined => node.messages.get("settings")?.text;
