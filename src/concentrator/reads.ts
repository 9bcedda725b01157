// Reading one device, shared: who asks for what is being read already takes part in the running read (SD-REQ-14). A driver
// that hangs or ignores its signal is left behind; what it says too late is dropped.

import type { Clock } from "#base/clock.ts";
import { TimeoutError } from "#base/deadline.ts";
import type { Log } from "#base/log.ts";
import { deviceReadMs, leftBehindMs, samplesPerReadMax } from "#limits.ts";
import { DeviceFault } from "./contract/faults.ts";
import { type Ask, covers, type Field, type Sample } from "./contract/field.ts";
import { describeNode } from "./contract/node.ts";
import type { Opened, TreeNode } from "./forest.ts";

export interface ReadsDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly failed: (node: TreeNode, error: unknown) => void;
  readonly recovered: (node: TreeNode) => void;
  /** Each sample once, however many take part. */
  readonly remember: (node: TreeNode, sample: Sample) => void;
  /** False while the appliance does not know the time: its samples are marked. */
  readonly synchronised: () => boolean;
}

export interface Reads {
  /**
   * What the device says, unfiltered: perhaps more than asked. Throws `DeviceFault`, `TimeoutError`, or the reason of the
   * abort, each promptly whatever the driver does. The node must be open and its device have `read`.
   */
  read(node: TreeNode, ask: Ask, signal: AbortSignal): AsyncGenerator<Sample>;
  /** Device reads in progress. */
  readonly running: number;
}

interface Run {
  readonly ask: Ask;
  readonly samples: Sample[];
  readonly scope: AbortController;
  readonly waiting: Set<() => void>;
  takers: number;
  end: { readonly error?: unknown } | undefined;
}

export function createReads(deps: ReadsDeps): Reads {
  const { clock, log } = deps;
  const runs = new Map<TreeNode, Run[]>();
  let running = 0;

  const finish = (node: TreeNode, run: Run, end: NonNullable<Run["end"]>) => {
    if (run.end !== undefined) return;
    run.end = end;
    const left = (runs.get(node) ?? []).filter(other => other !== run);
    if (left.length === 0) runs.delete(node);
    else runs.set(node, left);
    wakeAll(run);
  };

  const start = (node: TreeNode, opened: Opened, ask: Ask): Run => {
    const run: Run = {
      ask,
      samples: [],
      scope: new AbortController(),
      waiting: new Set(),
      takers: 0,
      end: undefined,
    };
    runs.set(node, [...(runs.get(node) ?? []), run]);
    running++;
    void keep(node, opened, run).finally(() => running--);
    return run;
  };

  /** Lives as long as the driver works; the run itself may end before. */
  const keep = async (node: TreeNode, opened: Opened, run: Run): Promise<void> => {
    const { signal } = run.scope;
    const timer = new AbortController();
    const lost = () => run.scope.abort(opened.signal.reason);
    const aborted = () => {
      finish(node, run, { error: signal.reason });
      if (signal.reason instanceof TimeoutError) deps.failed(node, signal.reason);
    };
    signal.addEventListener("abort", aborted, { once: true });
    opened.signal.addEventListener("abort", lost, { once: true });
    if (opened.signal.aborted) lost();
    clock.sleep(deviceReadMs, timer.signal).then(
      () => run.scope.abort(new TimeoutError(describeNode(node.ref), deviceReadMs)),
      () => {},
    );
    try {
      await Promise.race([take(node, opened, run), stuck(node, signal, timer.signal)]);
      if (run.end === undefined) deps.recovered(node);
      finish(node, run, {});
    } catch (error) {
      if (run.end === undefined) deps.failed(node, error);
      finish(node, run, { error });
    } finally {
      timer.abort(nobody);
      opened.signal.removeEventListener("abort", lost);
      signal.removeEventListener("abort", aborted);
    }
  };

  const take = async (node: TreeNode, { device }: Opened, run: Run): Promise<void> => {
    const mark = marking(device.parameters?.map(one => one.name) ?? [], deps.synchronised());
    for await (const sample of device.read?.(run.ask, run.scope.signal) ?? []) {
      if (run.end !== undefined) return;
      if (run.samples.length >= samplesPerReadMax)
        throw new DeviceFault("garbled", "The device does not stop talking.");
      const marked = mark(sample);
      deps.remember(node, marked);
      run.samples.push(marked);
      wakeAll(run);
    }
  };

  /** Resolves some time after the abort, when the driver is still at it. */
  const stuck = async (node: TreeNode, signal: AbortSignal, over: AbortSignal): Promise<void> => {
    if (!signal.aborted) await new Promise(resolve => signal.addEventListener("abort", resolve, { once: true }));
    await clock.sleep(leftBehindMs, over).catch(() => {});
    if (!over.aborted) log.warning("driver-ignores-abort", { node: describeNode(node.ref) });
  };

  return {
    async *read(node, ask, signal) {
      signal.throwIfAborted();
      const { opened } = node;
      if (opened === undefined) throw new DeviceFault("unreachable", "The device is not open.");
      const run = runs.get(node)?.find(one => answers(one.ask, ask)) ?? start(node, opened, ask);
      run.takers++;
      try {
        for (let next = 0; ; ) {
          const sample = run.samples[next];
          if (sample !== undefined) {
            next++;
            yield sample;
          } else if (run.end !== undefined) {
            if ("error" in run.end) throw run.end.error;
            return;
          } else {
            await news(run, signal);
          }
          signal.throwIfAborted();
        }
      } finally {
        run.takers--;
        if (run.takers === 0 && run.end === undefined) {
          run.scope.abort(nobody);
        }
      }
    },
    get running() {
      return running;
    },
  };
}

/** One for all: making an exception gathers a stack, and this happens with every read. */
const nobody = new DOMException("nobody waits for it any more", "AbortError");

const wakeAll = (run: Run) => {
  for (const wake of [...run.waiting]) wake();
};

/** Until there is a sample, the end, or the taker leaves. */
const news = (run: Run, signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    const wake = () => {
      run.waiting.delete(wake);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    run.waiting.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    if (signal.aborted) wake();
  });

/** A read for `running` tells all that `ask` wants to know. */
const answers = (running: Ask, ask: Ask): boolean =>
  covers(running.categories, ask.categories) &&
  (running.names.length === 0 || (ask.names.length > 0 && ask.names.every(name => running.names.includes(name)))) &&
  running.from <= ask.from &&
  running.to >= ask.to;

/** What we add to what a device says: which fields can be set, whether the time is to be trusted, no numbers that are none. */
export function marking(parameters: readonly string[], synchronised: boolean): (sample: Sample) => Sample {
  const writable = new Set(parameters);
  const mark = (field: Field): Field => {
    const settable = writable.has(field.name) && field.categories.momentary;
    const { value } = field;
    const senseless = value.kind === "quantity" && !Number.isFinite(value.value);
    if (!settable && synchronised && !senseless) return field;
    return {
      ...field,
      ...(senseless ? { value: { kind: "missing" as const, reason: "the device gave no number" } } : {}),
      ...(settable ? { writable: true as const } : {}),
      quality: synchronised ? field.quality : { ...field.quality, timeOffset: true },
    };
  };
  return sample => ({ at: sample.at, fields: sample.fields.map(mark) });
}
