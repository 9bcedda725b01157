// One meter on a line: answers a readout, or the last one where the meter may not be asked so often, and rests when silent.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { QueueFull } from "#base/turns.ts";
import type { Device } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import type { Sample } from "#contract/field.ts";
import type { DisplayParameter } from "#contract/node.ts";
import { type Address, formatAddress } from "./address.ts";
import { createBreaker } from "./breaker.ts";
import { samplesOf } from "./fields.ts";
import type { Line } from "./line.ts";
import { type Readout, readMeter } from "./readout.ts";

export interface MeterPlan {
  readonly address: Address;
  readonly key?: Uint8Array;
  /** Battery meters ration their answers: within this time the last readout is the answer, with its own time. */
  readonly minIntervalMs: number;
  readonly timeZone: string;
}

export function createMeter(line: Line, plan: MeterPlan, clock: Clock, log: Log): Device {
  const who = formatAddress(plan.address);
  const breaker = createBreaker(who, clock, resting => {
    if (resting) log.warning("meter does not answer", { meter: who });
    else log.notice("meter answers again", { meter: who });
  });
  const counters = { readouts: 0, failures: 0, retries: 0 };
  let last: { samples: readonly Sample[]; at: number } | undefined;
  let lastError: { text: string; at: number } | undefined;
  let isOpen = true;

  const readOut = (signal: AbortSignal): Promise<Readout> =>
    line.take("read", signal, async bus => {
      if (!isOpen) throw closedFault(who);
      return breaker.attempt(probing =>
        readMeter(
          bus,
          {
            address: plan.address,
            ...(plan.key === undefined ? {} : { key: plan.key }),
            probing,
            retried: () => counters.retries++,
          },
          signal,
        ),
      );
    });

  return {
    async *read(_ask, signal) {
      signal.throwIfAborted();
      if (!isOpen) throw closedFault(who);
      if (last === undefined || clock.monotonic() - last.at >= plan.minIntervalMs) {
        try {
          const samples = samplesOf(await readOut(signal), plan.timeZone);
          last = { samples, at: clock.monotonic() };
          counters.readouts++;
        } catch (error) {
          if (signal.aborted) throw error;
          const fault =
            error instanceof QueueFull ? new DeviceFault("refused", error.message, { cause: error }) : error;
          counters.failures++;
          lastError = { text: fault instanceof Error ? fault.message : String(fault), at: clock.now() };
          throw fault;
        }
      }
      yield* last.samples;
    },
    describe: () => [
      text("state", "State", breaker.describe()),
      number("readouts", "Readouts", counters.readouts),
      number("failures", "Failed Readouts", counters.failures),
      number("failuresInARow", "Failures in a Row", breaker.failed),
      number("retries", "Repeated Requests", counters.retries),
      ...(lastError === undefined
        ? []
        : [
            text("lastError", "Last Error", lastError.text),
            {
              id: "lastErrorAt",
              name: "Time of Last Error",
              value: { kind: "dateTime", value: lastError.at },
            } as const,
          ]),
    ],
    async [Symbol.asyncDispose]() {
      isOpen = false;
    },
  };
}

const closedFault = (who: string) => new DeviceFault("unreachable", `${who}: the meter is closed`);

const text = (id: string, name: string, value: string): DisplayParameter => ({
  id,
  name,
  value: { kind: "string", value },
});
const number = (id: string, name: string, value: number): DisplayParameter => ({
  id,
  name,
  value: { kind: "int", value },
});
