// How much of a slow M-Bus line a readout leaves unused: meters behind a converter whose wire takes eleven bits an octet at 2400 Bd,
// read one after the other, by primary and by secondary address, in real time over a real socket.

import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { Device, Env } from "#contract/driver.ts";
import { askAll } from "#contract/field.ts";
import { mbusNodeTypes } from "#drivers/mbus/driver.ts";
import { startMbusConverter } from "#lab/mbus-converter.ts";
import { heatMeter, waterMeter } from "#lab/mbus-meter.ts";
import type { Figure } from "./figures.ts";

const baudRate = 2400;
/** Readouts of each meter, some ten seconds in all. */
const rounds = 5;

export async function mbusLineFigures(note: (text: string) => void, signal: AbortSignal): Promise<Figure[]> {
  const clock = systemClock;
  const meters = [
    heatMeter({ id: "66120034", primary: 3, clock, telegrams: 2 }),
    heatMeter({ id: "66120035", primary: 4, clock }),
    waterMeter({ id: "41907755", primary: 7, clock }),
  ];
  await using converter = await startMbusConverter(clock, meters);
  converter.baudRate = baudRate;
  const { tcp, meter } = mbusNodeTypes;
  const settings = tcp.settings.parse({ host: "127.0.0.1", port: converter.port, baudRate });
  await using line = await tcp.open(settings, env(undefined), signal);
  const open = (address: string) => meter.open(meter.settings.parse({ address }), env(line), signal);
  const devices = await Promise.all(["3", "4", "7", "66120034", "41907755"].map(open));
  note(`readouts of ${meters.length} meters on a line of ${baudRate} Bd, by both kinds of address`);
  // The first exchange on a line waits until it is quiet, and lets go of whoever may be selected.
  await readAll(devices, signal);

  const began = { at: clock.monotonic(), busyMs: converter.busyMs };
  for (let round = 0; round < rounds; round++) await readAll(devices, signal);
  const spentMs = clock.monotonic() - began.at;
  const neededMs = converter.busyMs - began.busyMs;
  const readouts = rounds * devices.length;
  return [
    {
      name: "mbus.line.ratio",
      text: `time the line needs at ${baudRate} Bd, of the time a readout takes`,
      value: neededMs / spentMs,
      unit: "",
      target: { atLeast: 0.95 },
    },
    { name: "mbus.line.readout", text: "one readout", value: spentMs / readouts, unit: "ms" },
  ];
}

const env = <P>(parent: P): Env<P> => ({
  clock: systemClock,
  log: silentLog,
  parent,
  own: () => ({ [Symbol.dispose]() {} }),
  timeZone: "Europe/Berlin",
});

async function readAll(devices: readonly Device[], signal: AbortSignal): Promise<void> {
  for (const device of devices) {
    let fields = 0;
    for await (const sample of device.read?.(askAll, signal) ?? []) fields += sample.fields.length;
    if (fields === 0) throw new Error("a meter gave no fields");
  }
}
