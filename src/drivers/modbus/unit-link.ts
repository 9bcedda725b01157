// One unit as its line knows it: each attempt takes a turn, a silent unit rests, a busy one is waited for, and what happened is
// counted.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { createTurns, TurnOrder } from "#base/turns.ts";
import { DeviceFault } from "#contract/faults.ts";
import type { DisplayParameter } from "#contract/node.ts";
import {
  modbusBusyMs,
  modbusBusyRetriesMax,
  modbusRestFirstMs,
  modbusRestMsMax,
  modbusRetriesMax,
  modbusSilentMax,
} from "#limits.ts";
import { createBreaker } from "../breaker.ts";
import { counterFacts, createLastFault, textFact } from "../device-facts.ts";
import type { LineHealth } from "../line-health.ts";
import { type Answer, describeException, type Request } from "./pdu.ts";
import { unitName } from "./session.ts";

export interface UnitCounters {
  requests: number;
  timeouts: number;
  garbled: number;
  exceptions: number;
  retries: number;
}

/** One unit of the line. Whoever asks for the same address gets the same breaker and counters. */
export interface UnitLink {
  readonly address: number;
  readonly counters: Readonly<UnitCounters>;
  /**
   * Returns the answer, an exception of the unit included (busy is waited for first). Throws `DeviceFault`, or `QueueFull`. An
   * abort ends the wait at once; a request that is on the line already is finished there before the next.
   */
  ask(request: Request, order: TurnOrder, signal: AbortSignal): Promise<Answer>;
  /** State ("answering", "resting, next try in 40 s"), counters, the last fault. */
  describe(): DisplayParameter[];
}

const rest = { failuresMax: modbusSilentMax, firstMs: modbusRestFirstMs, msMax: modbusRestMsMax };

interface Shared {
  readonly turns: ReturnType<typeof createTurns>;
  readonly clock: Clock;
  readonly log: Log;
  readonly health: LineHealth;
}

export function createUnitLink(
  address: number,
  line: Shared,
  exchange: (request: Request) => Promise<Answer>,
): UnitLink {
  const { turns, clock, log, health } = line;
  const who = unitName(address);
  const counters: UnitCounters = { requests: 0, timeouts: 0, garbled: 0, exceptions: 0, retries: 0 };
  const turned = (resting: boolean) => {
    if (resting) log.warning("modbus.unit.silent", { unit: address });
    else log.notice("modbus.unit.answers", { unit: address });
  };
  const breaker = createBreaker(rest, clock, turned, until => health.resting(who, until));

  const lastFault = createLastFault(clock.now);
  const attempt = async (request: Request, order: TurnOrder): Promise<Answer> => {
    const once = async () => {
      counters.requests++;
      try {
        return await exchange(request);
      } catch (error) {
        if (error instanceof DeviceFault && error.kind === "timeout") counters.timeouts++;
        if (error instanceof DeviceFault && error.kind === "garbled") counters.garbled++;
        lastFault.note(error);
        throw error;
      }
    };
    const answer = await breaker.attempt(order, once, answered => gatewaySilence(address, answered));
    if (answer.kind === "exception") {
      counters.exceptions++;
      health.exception(who, answer.code);
    }
    return answer;
  };

  /** Each attempt takes a turn of its own, so that others go in between. */
  const turn = async (request: Request, order: TurnOrder, signal: AbortSignal): Promise<Answer> => {
    breaker.check(order);
    return leavable(
      turns.take(order, signal, () => attempt(request, order)),
      signal,
    );
  };

  return {
    address,
    counters,
    describe: () => [
      textFact("state", "State", breaker.describe()),
      ...counterFacts({ ...counters, failuresInARow: breaker.failures }),
      ...lastFault.facts(),
    ],
    async ask(request, order, signal) {
      const retriesMax = isRead(request) ? modbusRetriesMax : 0;
      let busy = 0;
      for (let tries = 0; ; ) {
        try {
          const answer = await turn(request, order, signal);
          const wait = answer.kind === "exception" && (answer.code === 6 || (answer.code === 5 && isRead(request)));
          if (!wait || busy++ >= modbusBusyRetriesMax) return answer;
          await clock.sleep(modbusBusyMs, signal);
        } catch (error) {
          const again = error instanceof DeviceFault && (error.kind === "timeout" || error.kind === "garbled");
          if (!again || breaker.resting || tries++ >= retriesMax) throw error;
        }
        counters.retries++;
        health.retried(who);
      }
    },
  };
}

/** The gateway answers for a unit that did not. */
const gatewaySilence = (address: number, answer: Answer): string | undefined =>
  answer.kind === "exception" && (answer.code === 10 || answer.code === 11)
    ? `unit ${address}: the gateway has no answer from it: ${describeException(answer.code)}`
    : undefined;

const isRead = ({ function: code }: Request) => code <= 4 || code === 17 || code === 20 || code === 24 || code === 43;

/** Rejects at the abort without waiting for the work, which goes on to its own end. */
export function leavable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
