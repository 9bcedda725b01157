// A line of simulated meters behind a real socket, the driver on the other end, and a clock that stands still.

import { silentLog } from "#base/log.ts";
import type { Device, Env } from "#contract/driver.ts";
import { askAll, type Field, type Sample } from "#contract/field.ts";
import { type LineDevice, mbusNodeTypes } from "#drivers/mbus/driver.ts";
import { type MbusConverter, startMbusConverter } from "#lab/mbus-converter.ts";
import { heatMeter, waterMeter } from "#lab/mbus-meter.ts";
import type { MbusMeter } from "#lab/mbus-slave.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";

export const never = new AbortController().signal;

export interface Bench extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly converter: MbusConverter;
  readonly heat: MbusMeter;
  readonly water: MbusMeter;
  line: LineDevice;
  /** Opens the line anew, as the tree does after a loss. */
  reopen(): Promise<void>;
  meter(settings: Record<string, unknown>): Promise<Device>;
  /** The outcome, letting time pass until there is one. */
  settle<T>(work: Promise<T>, stepMs?: number): Promise<T>;
  read(device: Device): Promise<Sample[]>;
}

export async function openBench(meters?: (clock: ManualClock) => MbusMeter[], telegrams: 1 | 2 = 1): Promise<Bench> {
  const clock = manualClock();
  const heat = heatMeter({ id: "30100608", primary: 5, clock, telegrams });
  const water = waterMeter({ id: "41205512", primary: 6, clock });
  const converter = await startMbusConverter(clock, meters?.(clock) ?? [heat, water]);
  const env = <P>(parent: P): Env<P> => ({
    clock,
    log: silentLog,
    parent,
    own: () => ({ [Symbol.dispose]() {} }),
    timeZone: "Europe/Berlin",
  });
  const openLine = () =>
    mbusNodeTypes.tcp.open(
      mbusNodeTypes.tcp.settings.parse({ host: "127.0.0.1", port: converter.port }),
      env(undefined),
      never,
    );
  const bench: Bench = {
    clock,
    converter,
    heat,
    water,
    line: await openLine(),
    async reopen() {
      await bench.line[Symbol.asyncDispose]();
      bench.line = await openLine();
    },
    meter: settings => mbusNodeTypes.meter.open(mbusNodeTypes.meter.settings.parse(settings), env(bench.line), never),
    settle: (work, stepMs = 20) => settle(clock, work, stepMs),
    read: device => bench.settle(readAll(device)),
    async [Symbol.asyncDispose]() {
      await bench.line[Symbol.asyncDispose]();
      await converter[Symbol.asyncDispose]();
    },
  };
  return bench;
}

export async function readAll(device: Device, signal: AbortSignal = never): Promise<Sample[]> {
  const all: Sample[] = [];
  for await (const sample of device.read?.(askAll, signal) ?? []) all.push(sample);
  return all;
}

/** Two minutes of the clock are more than any exchange may take. */
async function settle<T>(clock: ManualClock, work: Promise<T>, stepMs: number): Promise<T> {
  let done = false;
  const end = () => {
    done = true;
  };
  work.then(end, end);
  for (let waited = 0; !done && waited < 120_000; waited += stepMs) await clock.advance(stepMs);
  if (!done) throw new Error("neither answered nor failed within two minutes of the clock");
  return work;
}

export const fieldOf = (samples: readonly Sample[], name: string): Field | undefined =>
  samples.flatMap(sample => sample.fields).find(field => field.name === name);
