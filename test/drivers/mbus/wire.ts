// A line over a simulated wire in memory, under a clock that stands still: for searches of minutes and for bit rates. Rates that do
// not match are not heard, as on a real wire.

import { silentLog } from "#base/log.ts";
import type { Added, ChildNode, Device, Env, Memory } from "#contract/driver.ts";
import { lineCommands } from "#drivers/mbus/commands.ts";
import { type LineDevice, mbusNodeTypes } from "#drivers/mbus/driver.ts";
import { createLine } from "#drivers/mbus/line.ts";
import { createMbusBus, type MbusBus } from "#lab/mbus-bus.ts";
import { createMbusMeter, type MbusMeter, type MeterPlan } from "#lab/mbus-slave.ts";
import { bytePipe } from "../../support/byte-pipe.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";

export const never = new AbortController().signal;

export interface Wire extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly bus: MbusBus;
  readonly line: LineDevice;
  readonly memory: Memory & { readonly texts: Map<string, string> };
  readonly added: ChildNode[];
  /** The requests that went out, as hex. */
  readonly sent: string[];
  /** Octets nobody asked for. */
  inject(bytes: Uint8Array): void;
  cut(): void;
  meter(settings: Record<string, unknown>): Promise<Device>;
  settle<T>(work: Promise<T>, stepMs?: number): Promise<T>;
}

export interface WireOptions {
  readonly baudRate?: number;
  readonly marginMs?: number;
  /** Octets take their time, and meters of other rates are deaf. */
  readonly paced?: boolean;
  /** The converter's own rate: the line cannot change it. */
  readonly fixedRate?: boolean;
  readonly memory?: Wire["memory"];
  readonly clock?: ManualClock;
}

export const createMemory = (): Wire["memory"] => {
  const texts = new Map<string, string>();
  return { texts, recall: key => texts.get(key), keep: (key, text) => void texts.set(key, text) };
};

export function openWire(
  meters: (clock: ManualClock) => readonly MbusMeter[],
  { baudRate = 2400, marginMs = 500, paced = false, fixedRate = false, ...given }: WireOptions = {},
): Wire {
  const clock = given.clock ?? manualClock();
  const memory = given.memory ?? createMemory();
  const stop = new AbortController();
  const pipe = bytePipe("test wire");
  const bus = createMbusBus(clock, meters(clock), stop.signal);
  if (paced) bus.baudRate = baudRate;
  const sent: string[] = [];
  pipe.far.onData(chunk => {
    sent.push(Buffer.from(chunk).toString("hex").toUpperCase());
    bus.hear(chunk, bytes => void pipe.far.write(bytes).catch(() => {}));
  });
  const setBaudRate = async (rate: number) => {
    bus.baudRate = rate;
  };
  const line = createLine(pipe.near, { baudRate, marginMs, ...(fixedRate ? {} : { setBaudRate }) }, clock);
  const added: ChildNode[] = [];
  const addBelow = (children: readonly ChildNode[]): Added => {
    added.push(...children);
    return { created: children.map(({ id }) => id), present: [] };
  };
  const device: LineDevice = {
    line,
    closed: line.closed,
    commands: lineCommands(line, clock, { memory, addBelow }),
    [Symbol.asyncDispose]: () => line.close(),
  };
  const env: Env<LineDevice> = {
    clock,
    log: silentLog,
    parent: device,
    own: () => ({ [Symbol.dispose]() {} }),
    timeZone: "Europe/Berlin",
    memory,
  };
  return {
    clock,
    bus,
    line: device,
    memory,
    added,
    sent,
    inject: bytes => void pipe.far.write(bytes).catch(() => {}),
    cut: pipe.cut,
    meter: settings => mbusNodeTypes.meter.open(mbusNodeTypes.meter.settings.parse(settings), env, never),
    settle: (work, stepMs = 50) => settle(clock, work, stepMs),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await line.close();
    },
  };
}

/** An hour of the clock is more than any search of a test may take. */
async function settle<T>(clock: ManualClock, work: Promise<T>, stepMs: number): Promise<T> {
  let done = false;
  const end = () => {
    done = true;
  };
  work.then(end, end);
  for (let waited = 0; !done && waited < 3_600_000; waited += stepMs) await clock.advance(stepMs);
  if (!done) throw new Error("neither done nor failed within an hour of the clock");
  return work;
}

/** One record: volume. */
export const simpleMeter = (id: string, more: Partial<MeterPlan> & Partial<MeterPlan["identity"]> = {}): MbusMeter => {
  const { manufacturer = "KAM", version = 1, medium = 7, fabrication, ...plan } = more;
  return createMbusMeter({
    identity: { id, manufacturer, version, medium, ...(fabrication === undefined ? {} : { fabrication }) },
    primary: 0,
    telegrams: () => [Uint8Array.of(0x0c, 0x13, 0x27, 0x04, 0x85, 0x02)],
    ...plan,
  });
};
