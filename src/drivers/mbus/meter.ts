// One meter on a line: answers a readout, or the last one where the meter may not be asked so often, and rests when silent.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { TurnOrder } from "#base/turns.ts";
import type { Device } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import type { Sample } from "#contract/field.ts";
import { mbusFailedMax, mbusRestFirstMs, mbusRestMsMax } from "#limits.ts";
import { createBreaker } from "../breaker.ts";
import { counterFacts, createLastFault, textFact } from "../device-facts.ts";
import { type Address, formatAddress } from "./address.ts";
import { meterCommands } from "./commands.ts";
import { samplesOf } from "./fields.ts";
import type { Bus, Line } from "./line.ts";
import { type Readout, readMeter } from "./readout.ts";

export interface MeterPlan {
  readonly address: Address;
  readonly key?: Uint8Array;
  /** Battery meters ration their answers: within this time the last readout is the answer, with its own time. */
  readonly minIntervalMs: number;
  readonly timeZone: string;
}

const rest = { failuresMax: mbusFailedMax, firstMs: mbusRestFirstMs, msMax: mbusRestMsMax };

export function createMeter(line: Line, plan: MeterPlan, clock: Clock, log: Log): Device {
  const who = formatAddress(plan.address);
  const turned = (resting: boolean) => {
    if (resting) log.warning("mbus.meter.silent", { meter: who });
    else log.notice("mbus.meter.answers", { meter: who });
  };
  const breaker = createBreaker(rest, clock, turned, until => line.health.resting(who, until));
  const counters = { readouts: 0, failures: 0, retries: 0 };
  let last: { readout: Readout; samples: readonly Sample[]; at: number } | undefined;
  const lastFault = createLastFault(clock.now);
  let isOpen = true;

  const readOut = async (order: TurnOrder, signal: AbortSignal): Promise<Readout> => {
    // A meter at rest is refused before it queues for the line.
    breaker.check(order);
    const work = async (bus: Bus) => {
      if (!isOpen) throw closedFault(who);
      return breaker.attempt(order, probing =>
        readMeter(
          bus,
          {
            address: plan.address,
            ...(plan.key === undefined ? {} : { key: plan.key }),
            probing,
            retried() {
              counters.retries++;
              line.health.retried(who);
            },
          },
          signal,
        ),
      );
    };
    return line.take(order, signal, work, who);
  };

  /** What the meter says now, or what it said last where it may not be asked so often. */
  const latest = async (order: TurnOrder, signal: AbortSignal) => {
    signal.throwIfAborted();
    if (!isOpen) throw closedFault(who);
    if (last !== undefined && clock.monotonic() - last.at < plan.minIntervalMs) return last;
    try {
      const readout = await readOut(order, signal);
      last = { readout, samples: samplesOf(readout, plan.timeZone), at: clock.monotonic() };
      counters.readouts++;
      return last;
    } catch (error) {
      if (signal.aborted) throw error;
      counters.failures++;
      lastFault.note(error);
      throw error;
    }
  };

  return {
    async *read(ask, signal) {
      yield* (await latest(ask.order ?? "read", signal)).samples;
    },
    commands: meterCommands(line, who, async signal => (await latest("read", signal)).readout),
    sniff: signal => line.tap.listen(signal, who),
    describe: () => [
      textFact("state", "State", breaker.describe()),
      ...counterFacts({
        readouts: counters.readouts,
        failures: counters.failures,
        failuresInARow: breaker.failures,
        retries: counters.retries,
      }),
      ...lastFault.facts(),
    ],
    async [Symbol.asyncDispose]() {
      isOpen = false;
      line.tap.forget(who);
      line.health.forget(who);
    },
  };
}

const closedFault = (who: string) => new DeviceFault("unreachable", `${who}: the meter is closed`);
