// The owner of one physical line or connection: a queue, one request at a time, retries, a breaker for each unit and the
// counters that say how the line does. What an exchange is, serial or TCP, is its session's business.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createTurns } from "#base/turns.ts";
import type { Device } from "#contract/driver.ts";
import type { DeviceFault } from "#contract/faults.ts";
import { lineQueueMax } from "#limits.ts";
import { counterFacts } from "../device-facts.ts";
import { doctorCommand } from "../doctor-query.ts";
import type { LineHealth } from "../line-health.ts";
import { createTap, type Tap } from "../tap.ts";
import { lineCommands } from "./commands.ts";
import { firstQuestion, probeOf, requestAt } from "./doctor-line.ts";
import type { Learned } from "./learned.ts";
import { createPatience, type PatienceLimits } from "./patience.ts";
import { type Answer, describeRequest, type Request } from "./pdu.ts";
import { type Manner, type Session, unitName } from "./session.ts";
import { createUnitLink, leavable, type UnitCounters, type UnitLink } from "./unit-link.ts";

export interface ModbusLine extends Device {
  readonly clock: Clock;
  /** `gapMs`: the least pause this unit wants before a request. */
  unit(address: number, gapMs: number): UnitLink;
  /** One request behind everybody else, without breaker and retries: is there anybody? */
  probe(address: number, request: Request, signal: AbortSignal): Promise<Answer>;
  readonly tap: Tap;
  readonly health: LineHealth;
  readonly closed: Promise<DeviceFault>;
  /** As it is owned: the same after a restart. Missing where nobody owns it. */
  readonly key?: string;
  /** What is known of models, for all their units on this line. */
  readonly models?: Map<string, Learned>;
}

/** `tap`: the one over the channels of the session. Without `patience` every request gets the session's timeout. */
export function createLine(
  session: Session,
  clock: Clock,
  log: Log,
  tap: Tap = createTap(clock),
  patience?: PatienceLimits,
): ModbusLine {
  const turns = createTurns(lineQueueMax, session.atOnceMax);
  const units = new Map<number, { link: UnitLink; setGap(ms: number): void }>();
  const lastRead = new Map<number, Request>();
  const heard = (address: number, who: string, request: Request, manner: Manner): Promise<Answer> => {
    const exchange = () => {
      tap.note(() => `${unitName(address)}: ${describeRequest(request)}`);
      return session.exchange(address, request, manner);
    };
    // Where several are under way at once, no frame can be told to be one unit's by when it came.
    return session.atOnceMax > 1 ? exchange() : tap.during(who, exchange);
  };

  const line: ModbusLine = {
    clock,
    tap,
    health: session.health,
    sniff: signal => tap.listen(signal),
    probe: (address, request, signal) =>
      leavable(
        turns.take("scan", signal, () => heard(address, "", request, { gapMs: 0 })),
        signal,
      ),
    closed: session.closed,
    unit(address, gapMs) {
      const known = units.get(address);
      const again = () => heard(address, "", lastRead.get(address) ?? firstQuestion, { gapMs });
      session.health.known(unitName(address), probeOf(turns, clock, again));
      if (known) {
        known.setGap(gapMs);
        return known.link;
      }
      let gap = gapMs;
      const patient = createPatience(patience);
      const exchange = (request: Request) => {
        if (request.function <= 4) lastRead.set(address, request);
        return patient.during(request, manner => heard(address, unitName(address), request, { ...manner, gapMs: gap }));
      };
      const link = createUnitLink(address, { turns, clock, log, health: session.health }, exchange);
      units.set(address, {
        link,
        setGap(ms) {
          gap = ms;
        },
      });
      return link;
    },
    describe: () =>
      counterFacts({
        ...sum([...units.values()].map(({ link }) => link.counters)),
        ...session.counters,
        waiting: turns.waiting,
      }),
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
  const { way, health, portErrors } = session;
  const doctor = { bus: "modbus", way, tap, health, requestAt, ...(portErrors && { portErrors }) } as const;
  return { ...line, commands: [...lineCommands(line), doctorCommand(doctor, clock)] };
}

const sum = (all: readonly UnitCounters[]): UnitCounters => {
  const total: UnitCounters = { requests: 0, timeouts: 0, garbled: 0, exceptions: 0, retries: 0 };
  for (const one of all) for (const key of Object.keys(total) as (keyof UnitCounters)[]) total[key] += one[key];
  return total;
};
