// Simulated meters of the demonstration and the tests: a heat meter and a water meter with values that move with the clock.

import type { Clock } from "#base/clock.ts";
import { bcd, int } from "./mbus-octets.ts";
import { createMbusMeter, type MbusMeter } from "./mbus-slave.ts";

export interface SimulatedMeter {
  readonly id: string;
  readonly primary: number;
  readonly clock: Clock;
  /** Reading at the moment the simulation begins, in the meter's unit (kWh, m3). */
  readonly start?: number;
  /** Splits the readout into this many telegrams, 1 or 2. */
  readonly telegrams?: 1 | 2;
}

/** Heat: energy in kWh, volume, flow, power, both temperatures, operating time, and the values of the last set day. */
export function heatMeter({ id, primary, clock, start = 18_437, telegrams = 1 }: SimulatedMeter): MbusMeter {
  const began = clock.now();
  const powerKw = 12.4;
  const flowM3h = 0.532;
  const hours = () => (clock.now() - began) / 3_600_000;
  const momentary = () => [
    ...[0x04, 0x06, ...int(start + powerKw * hours(), 4)],
    ...[0x04, 0x13, ...int((start / 25 + flowM3h * hours()) * 1000, 4)],
    ...[0x04, 0x3b, ...int(flowM3h * 1000, 4)],
    ...[0x04, 0x2b, ...int(powerKw * 1000, 4)],
    ...[0x0a, 0x5a, ...bcd(712, 2)],
    ...[0x0a, 0x5e, ...bcd(418, 2)],
    ...[0x0b, 0x61, ...bcd(2940, 3)],
    ...[0x04, 0x26, ...int(21_900 + hours(), 4)],
  ];
  const setDay = [
    0x44,
    0x06,
    ...int(start - 4200, 4),
    0x44,
    0x13,
    ...int((start / 25 - 168) * 1000, 4),
    0x42,
    0x6c,
    ...lastSetDay(began),
  ];
  return createMbusMeter({
    identity: { id, manufacturer: "KAM", version: 8, medium: 4 },
    primary,
    telegrams: () =>
      telegrams === 1
        ? [Uint8Array.from([...momentary(), ...setDay])]
        : [Uint8Array.from([...momentary(), 0x1f]), Uint8Array.from(setDay)],
  });
}

/** Cold water: volume and flow, and the volume of the last set day. */
export function waterMeter({ id, primary, clock, start = 731.226 }: SimulatedMeter): MbusMeter {
  const began = clock.now();
  const flowM3h = 0.084;
  const volume = () => start + (flowM3h * (clock.now() - began)) / 3_600_000;
  return createMbusMeter({
    identity: { id, manufacturer: "ELS", version: 22, medium: 7 },
    primary,
    telegrams: () => [
      Uint8Array.from([
        ...[0x0c, 0x13, ...bcd(volume() * 1000, 4)],
        ...[0x0b, 0x3b, ...bcd(flowM3h * 1000, 3)],
        ...[0x4c, 0x13, ...bcd((start - 96.5) * 1000, 4)],
        ...[0x42, 0x6c, ...lastSetDay(began)],
      ]),
    ],
  });
}

/** Type G: the last 31 December before the simulation began. */
function lastSetDay(at: number): number[] {
  const year = new Date(at).getUTCFullYear() - 1 - 2000;
  return [31 | ((year & 7) << 5), 12 | ((year & 0x78) << 1)];
}
