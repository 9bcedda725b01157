// When the next event of a subscription is due: not before its least interval is over, not later than its greatest, one at a
// time, and a bounded number of all subscriptions at once. All of it on the tree's agenda: no timer of its own.

import type { Clock } from "#base/clock.ts";
import { eventRetryMs, eventsAtOnceMax } from "#limits.ts";
import { leastMs, type Running } from "./subscription.ts";
import type { Tree } from "./tree.ts";

export interface EventScheduleDeps {
  readonly after: Tree["after"];
  /** Makes one event and waits until it is told. "later": it could not be decided on now. Must not reject. */
  readonly make: (one: Running) => Promise<"done" | "later">;
  readonly clock: Clock;
}

export interface EventSchedule {
  /** A change: an event after `waitMs`, or when the least interval is over. One that is pending already takes it with it. */
  trigger(one: Running, waitMs: number): void;
  /** An event although no value changed. */
  force(one: Running): void;
  /** Looks whether the pending event is due, after something that had kept it. */
  wake(one: Running): void;
  /** From now on silence ends by itself. */
  watchSilence(one: Running, maxMs: number): void;
}

export function createEventSchedule({ after, make, clock }: EventScheduleDeps): EventSchedule {
  const ready = new Set<Running>();
  let running = 0;

  const schedule = (one: Running, due: number) => {
    one.pending = true;
    one.due = due;
    one.wakeUp?.[Symbol.dispose]();
    one.wakeUp = after(due - clock.monotonic(), () => wake(one));
  };
  const trigger = (one: Running, waitMs: number) => {
    if (one.over || one.pending) return;
    schedule(one, Math.max(clock.monotonic() + waitMs, one.lastAt + leastMs(one.interest)));
  };
  const force = (one: Running) => {
    one.forced = true;
    trigger(one, 0);
  };

  /** A wake-up may be an old one: what counts is what is due now. */
  const wake = (one: Running) => {
    if (!isDue(one) || one.busy || one.undecided !== undefined) return;
    ready.add(one);
    pump();
  };
  const isDue = (one: Running) => one.pending && !one.over && clock.monotonic() >= one.due;
  const pump = () => {
    for (const one of ready) {
      if (running >= eventsAtOnceMax) return;
      ready.delete(one);
      if (isDue(one)) void run(one);
    }
  };

  const run = async (one: Running): Promise<void> => {
    running++;
    one.busy = true;
    one.pending = false;
    one.forced = false;
    one.causes.clear();
    one.lastAt = clock.monotonic();
    const outcome = await make(one);
    running--;
    one.busy = false;
    if (outcome === "later" && !one.over) {
      one.forced = true;
      schedule(one, clock.monotonic() + eventRetryMs);
    }
    wake(one);
    pump();
  };

  /** One entry that looks again when there was an event meanwhile, not one for each event. */
  const watchSilence = (one: Running, maxMs: number, waitMs = maxMs) => {
    one.silence = after(waitMs, () => {
      if (one.over) return;
      const left = one.lastAt + maxMs - clock.monotonic();
      if (left <= 0) force(one);
      watchSilence(one, maxMs, left <= 0 ? maxMs : left);
    });
  };

  return { trigger, force, wake, watchSilence };
}
