// Reading without being asked: devices that speak are listened to, others are polled as their settings say, one at a time on
// each line, and all of it goes into history. A silent device is asked less often, so that it does not starve its line.

import type { Clock } from "#base/clock.ts";
import { backoff } from "#base/delays.ts";
import { createTurns, type Turns } from "#base/turns.ts";
import { nodesMax, pollSlowestTimes, pollSpreadMs, reopenFirstMs, reopenMsMax } from "#limits.ts";
import { DeviceFault } from "./contract/faults.ts";
import { type Ask, askAll, categories, type Sample } from "./contract/field.ts";
import { nodeKey } from "./contract/node.ts";
import type { Opened, TreeNode } from "./forest.ts";
import { marking, type Reads } from "./reads.ts";
import type { Readings } from "./records.ts";
import type { Tree } from "./tree.ts";

export interface WatchDeps {
  readonly tree: Pick<Tree, "whenOpened" | "after" | "failed" | "recovered">;
  readonly reads: Reads;
  readonly readings: Pick<Readings, "record">;
  readonly clock: Clock;
  readonly synchronised: () => boolean;
  /** A device spoke unasked; what it answers is told by the reads. */
  readonly heard: (node: TreeNode, sample: Sample) => void;
  /** How often a node is to be polled for those who subscribed to it; undefined when nobody did. */
  readonly pollMs: (node: TreeNode) => number | undefined;
  /** The node was polled, and will be again after `nextMs`. */
  readonly polled: (node: TreeNode, worked: boolean, nextMs: number) => void;
}

export interface Watch {
  /** Looks again how often the node is to be polled. */
  hurry(node: TreeNode): void;
}

/** What a device keeps of its own past is read when somebody asks for it. */
const pollAsk: Ask = {
  ...askAll,
  categories: categories("momentary", "peak", "status", "computed", "identity"),
  order: "poll",
};

/** From now on every device that opens is watched, until it closes. */
export function watchAll({ tree, reads, readings, clock, synchronised, ...deps }: WatchDeps): Watch {
  /** Polls of one line go one after the other: who asks meanwhile waits for one poll at most. */
  const lines = new WeakMap<TreeNode, Turns>();
  /** Of those that are polled; most of ten thousand nodes are read when somebody asks, and have nothing here. */
  const hurries = new WeakMap<Opened, () => void>();

  const turnsOf = (node: TreeNode): Turns => {
    const line = lineOf(node);
    const found = lines.get(line) ?? createTurns(nodesMax);
    lines.set(line, found);
    return found;
  };

  const later = (ms: number, { signal }: Opened, work: () => Promise<void>) => {
    const entry = tree.after(ms, () => {
      signal.removeEventListener("abort", cancel);
      if (!signal.aborted) void work();
    });
    const cancel = () => entry[Symbol.dispose]();
    signal.addEventListener("abort", cancel, { once: true });
  };

  const listen = (node: TreeNode, opened: Opened) => {
    let delays = backoff(reopenFirstMs, reopenMsMax);
    const attempt = async (): Promise<void> => {
      try {
        const { device, signal } = opened;
        for await (const sample of device.watch?.(signal) ?? []) {
          if (signal.aborted) return;
          const mark = marking(
            node.parameters.map(one => one.name),
            synchronised(),
          );
          const marked = mark(sample);
          readings.record(node.ref, marked);
          deps.heard(node, marked);
          tree.recovered(node);
          delays = backoff(reopenFirstMs, reopenMsMax);
        }
        if (!signal.aborted) throw new DeviceFault("unreachable", "The device stopped speaking.");
      } catch (error) {
        if (opened.signal.aborted) return;
        tree.failed(node, error);
        later(delays.next().value ?? reopenMsMax, opened, attempt);
      }
    };
    void attempt();
  };

  /** The node's own interval, and a shorter one as long as somebody subscribed to it. */
  const poll = (node: TreeNode, opened: Opened): (() => void) => {
    const ownMs = ownMsOf(node);
    const periodMs = () => Math.min(ownMs, deps.pollMs(node) ?? Number.POSITIVE_INFINITY);
    const spread = () => fraction(nodeKey(node.ref)) * Math.min(periodMs(), pollSpreadMs);
    let times = 1;
    let busy = false;
    let due = Number.POSITIVE_INFINITY;
    /** Polls made for subscribers are no history: that is kept as often as the settings say. */
    let recordAt = Number.NEGATIVE_INFINITY;

    const arm = (at: number) => {
      due = at;
      // An earlier time may have come up meanwhile: then this one is not the one that counts.
      if (Number.isFinite(at))
        later(at - clock.monotonic(), opened, async () => (at === due && !busy ? once() : undefined));
    };
    const read = async (planned: number): Promise<boolean> => {
      try {
        await turnsOf(node).take("poll", opened.signal, async () => {
          const isHistory = planned >= recordAt;
          // By the plan and not by the clock: a poll that came late is no reason to leave out the next.
          if (isHistory) recordAt = planned + ownMs * 0.9;
          for await (const sample of reads.read(node, pollAsk, opened.signal)) {
            if (isHistory && Number.isFinite(ownMs)) readings.record(node.ref, sample);
          }
        });
        return true;
      } catch {
        // What went wrong stands on the node already.
        return false;
      }
    };
    const once = async (): Promise<void> => {
      // Who subscribed may have left.
      if (periodMs() === Number.POSITIVE_INFINITY) return arm(Number.POSITIVE_INFINITY);
      const planned = due;
      busy = true;
      const worked = await read(planned);
      busy = false;
      if (opened.signal.aborted) return;
      times = worked ? 1 : Math.min(times * 2, pollSlowestTimes);
      // Slowed down, not in step with others that fell silent together.
      const wait = periodMs() * times * (times === 1 ? 1 : 0.9 + 0.2 * Math.random());
      deps.polled(node, worked, wait);
      arm(Math.max(planned + wait, clock.monotonic()));
    };

    return () => {
      const at = clock.monotonic() + spread();
      if (!busy && !opened.signal.aborted && at < due) arm(at);
    };
  };

  const hurry = (node: TreeNode) => {
    const { opened } = node;
    if (opened?.device.read === undefined) return;
    const again = hurries.get(opened) ?? poll(node, opened);
    hurries.set(opened, again);
    again();
  };

  tree.whenOpened(node => {
    const { opened } = node;
    if (opened === undefined) return;
    if (opened.device.watch !== undefined) listen(node, opened);
    if (Number.isFinite(ownMsOf(node)) || deps.pollMs(node) !== undefined) hurry(node);
  });
  return { hurry };
}

/** As its settings say. */
function ownMsOf({ settings }: TreeNode): number {
  const seconds = settings?.pollSeconds;
  return typeof seconds === "number" && seconds > 0 ? seconds * 1_000 : Number.POSITIVE_INFINITY;
}

function lineOf(node: TreeNode): TreeNode {
  for (let above = node.parent; above !== undefined; above = above.parent) if (above.type?.line) return above;
  return node;
}

/** Evenly spread over 0…1 and the same for the same text: polls do not begin in step (FNV-1a). */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0) / 2 ** 32;
}
