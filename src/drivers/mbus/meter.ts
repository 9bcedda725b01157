// One meter on a line: answers a readout, or the last one where the meter may not be asked so often, and rests when silent.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { TurnOrder } from "#base/turns.ts";
import type { Device, Memory } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import type { Sample } from "#contract/field.ts";
import { mbusBusyMs, mbusBusyTriesMax, mbusFailedMax, mbusRestFirstMs, mbusRestMsMax } from "#limits.ts";
import { createBreaker } from "../breaker.ts";
import { counterFacts, createLastFault, textFact } from "../device-facts.ts";
import { type Address, formatAddress } from "./address.ts";
import { probeOf } from "./doctor-line.ts";
import type { Bus, Line, Resident } from "./line.ts";
import { meterCommands } from "./meter-commands.ts";
import type { Product } from "./product.ts";
import { productSamples } from "./product-samples.ts";
import { createRation, rationed } from "./ration.ts";
import { busyException, MeterBusy, type Readout, readMeter } from "./readout.ts";
import { type Contact, converse } from "./session.ts";
import { type Writing, writableParameters } from "./writable.ts";

export interface MeterPlan {
  readonly address: Address;
  readonly key?: Uint8Array;
  /** Battery meters ration their answers: within this time the last readout is the answer, with its own time. */
  readonly minIntervalMs: number;
  /** Sub-code of an application reset that goes before each readout. */
  readonly applicationSelect?: number;
  /** Where it is not the line's own. */
  readonly baudRate?: number;
  readonly writing: Writing;
  readonly timeZone: string;
  /** What is known of the product, before the first readout by choice only. */
  readonly product: (header?: Readout["header"]) => Product | undefined;
}

/** A conversation with the meter in a turn of its own; throws what `breaker` says while the meter rests. */
export type Attempt = <T>(
  order: TurnOrder,
  signal: AbortSignal,
  work: (bus: Bus, contact: Contact) => Promise<T>,
) => Promise<T>;

const rest = { failuresMax: mbusFailedMax, firstMs: mbusRestFirstMs, msMax: mbusRestMsMax };

export function createMeter(line: Line, plan: MeterPlan, clock: Clock, log: Log, memory?: Memory): Device {
  const who = formatAddress(plan.address);
  const turned = (resting: boolean) => {
    if (resting) log.warning("mbus.meter.silent", { meter: who });
    else log.notice("mbus.meter.answers", { meter: who });
  };
  const breaker = createBreaker(rest, clock, turned, until => line.health.resting(who, until));
  let product = plan.product();
  let intervalMs = intervalOf(plan, product);
  let ration = createRation(who, intervalMs, clock, memory);
  const counters = { readouts: 0, failures: 0, retries: 0 };
  let last: { readout: Readout; samples: readonly Sample[] } | undefined;
  const lastFault = createLastFault(clock.now);
  const resident: Resident = { address: plan.address };
  line.residents.add(resident);
  let isOpen = true;

  const retried = () => {
    counters.retries++;
    line.health.retried(who);
  };
  const attempt: Attempt = async (order, signal, work) => {
    signal.throwIfAborted();
    // A meter at rest is refused before it queues for the line.
    breaker.check(order);
    const turn = async (bus: Bus) => {
      if (!isOpen) throw closedFault(who);
      return breaker.attempt(order, probing => atPlannedRate(bus, () => work(bus, contactOf(probing))));
    };
    return line.take(order, signal, turn, who);
  };
  const contactOf = (probing: boolean): Contact => ({ address: plan.address, probing, retried });
  const atPlannedRate = <T>(bus: Bus, work: () => Promise<T>): Promise<T> => {
    if (plan.baudRate === undefined || plan.baudRate === bus.baudRate) return work();
    if (bus.atRate === undefined) throw new DeviceFault("unreachable", `${who}: ${words.rateOfLine}`);
    return bus.atRate(plan.baudRate, work);
  };

  /** A busy meter is asked again later, with the line free for others meanwhile. */
  const readOut = async (order: TurnOrder, signal: AbortSignal): Promise<Readout> => {
    for (let tries = 1; ; tries++) {
      try {
        const { key } = plan;
        const applicationSelect = plan.applicationSelect ?? subCodeOf(product);
        return await attempt(order, signal, (bus, contact) =>
          readMeter(
            bus,
            {
              ...contact,
              ...(key === undefined ? {} : { key }),
              ...(applicationSelect === undefined ? {} : { applicationSelect }),
            },
            signal,
          ),
        );
      } catch (error) {
        if (!(error instanceof MeterBusy)) throw error;
        line.health.exception(who, busyException);
        if (tries === mbusBusyTriesMax) throw error;
        await clock.sleep(mbusBusyMs * tries, signal);
      }
    }
  };

  /** A meter that was exchanged is another product, with another ration. */
  const recognise = (header: Readout["header"]) => {
    product = plan.product(header);
    const now = intervalOf(plan, product);
    if (now === intervalMs) return;
    intervalMs = now;
    ration = createRation(who, intervalMs, clock, memory);
  };

  /** What the meter says now, or what it said last where it may not be asked so often. */
  const latest = async (order: TurnOrder, signal: AbortSignal) => {
    signal.throwIfAborted();
    if (!isOpen) throw closedFault(who);
    const waitMs = ration.waitMs();
    if (waitMs !== undefined && last !== undefined) return last;
    if (waitMs !== undefined) throw rationed(who);
    try {
      const readout = await readOut(order, signal);
      recognise(readout.header);
      last = { readout, samples: productSamples(readout, plan.timeZone, product) };
      ration.used();
      counters.readouts++;
      if (readout.header !== undefined && "id" in readout.header) {
        resident.face = readout.header.secondaryAddress;
        line.health.identity(who, resident.face);
      }
      return last;
    } catch (error) {
      if (signal.aborted) throw error;
      counters.failures++;
      lastFault.note(error);
      throw error;
    }
  };

  const talk = (bus: Bus, signal: AbortSignal) =>
    atPlannedRate(bus, () =>
      converse(bus, contactOf(true), signal, async session => {
        if (intervalMs === 0) await session.ask(signal);
      }),
    );
  line.health.known(who, probeOf(line, who, clock, talk));

  const ask = async (signal: AbortSignal) => (await latest("read", signal)).readout;
  return {
    async *read(order, signal) {
      yield* (await latest(order.order ?? "read", signal)).samples;
    },
    parameters: writableParameters({ plan, attempt, clock }),
    commands: meterCommands({ line, who, plan, ask, attempt, insist: () => ration.override(), clock }),
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
      line.residents.delete(resident);
      line.tap.forget(who);
      line.health.forget(who);
    },
  };
}

const words = {
  rateOfLine: "it has a baud rate of its own, and this line cannot change its rate",
};

const closedFault = (who: string) => new DeviceFault("unreachable", `${who}: the meter is closed`);

/** The longer of what the settings and the profile want. */
const intervalOf = (plan: MeterPlan, product: Product | undefined): number =>
  Math.max(plan.minIntervalMs, (product?.limits.minIntervalSeconds ?? 0) * 1000);

const subCodeOf = (product: Product | undefined): number | undefined => {
  const subCode = product?.readout.applicationSelect;
  return subCode === undefined ? undefined : Number.parseInt(subCode, 16);
};
