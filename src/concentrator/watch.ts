// Reading without being asked: devices that speak are listened to, others are polled as their settings say, one at a time on
// each line, and all of it goes into history. A silent device is asked less often, so that it does not starve its line.

import type { Clock } from "#base/clock.ts";
import { backoff } from "#base/delays.ts";
import { createTurns, type Turns } from "#base/turns.ts";
import { nodesMax, pollSlowestTimes, pollSpreadMs, reopenFirstMs, reopenMsMax } from "#limits.ts";
import { DeviceFault } from "./contract/faults.ts";
import { type Ask, askAll, categories } from "./contract/field.ts";
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
}

/** What a device keeps of its own past is read when somebody asks for it. */
const pollAsk: Ask = {
  ...askAll,
  categories: categories("momentary", "peak", "status", "computed", "identity"),
  order: "poll",
};

/** From now on every device that opens is watched, until it closes. */
export function watchAll({ tree, reads, readings, clock, synchronised }: WatchDeps): void {
  /** Polls of one line go one after the other: who asks meanwhile waits for one poll at most. */
  const lines = new WeakMap<TreeNode, Turns>();

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
          readings.record(
            node.ref,
            marking(
              node.parameters.map(one => one.name),
              synchronised(),
            )(sample),
          );
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

  const poll = (node: TreeNode, opened: Opened, periodMs: number) => {
    let times = 1;
    let due = clock.monotonic() + fraction(nodeKey(node.ref)) * Math.min(periodMs, pollSpreadMs);

    const once = async (): Promise<void> => {
      try {
        await turnsOf(node).take("poll", opened.signal, async () => {
          for await (const sample of reads.read(node, pollAsk, opened.signal)) readings.record(node.ref, sample);
        });
        times = 1;
      } catch {
        // What went wrong stands on the node already.
        times = Math.min(times * 2, pollSlowestTimes);
      }
      if (opened.signal.aborted) return;
      // Slowed down, not in step with others that fell silent together.
      const wait = periodMs * times * (times === 1 ? 1 : 0.9 + 0.2 * Math.random());
      due = Math.max(due + wait, clock.monotonic());
      later(due - clock.monotonic(), opened, once);
    };
    later(due - clock.monotonic(), opened, once);
  };

  tree.whenOpened(node => {
    const { opened } = node;
    if (opened === undefined) return;
    if (opened.device.watch !== undefined) listen(node, opened);
    const seconds = node.settings?.pollSeconds;
    if (opened.device.read !== undefined && typeof seconds === "number" && seconds > 0) {
      poll(node, opened, seconds * 1_000);
    }
  });
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
