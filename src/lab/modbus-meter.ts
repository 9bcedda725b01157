// A simulated three-phase energy meter with the register map of the Eastron SDM630 (input registers, float32) and a few
// writable holding registers. Its energy counts up by the clock it is given.

import type { Clock } from "#base/clock.ts";
import { createLabUnit, type LabUnit } from "./modbus-unit.ts";

export interface LabMeter extends LabUnit {
  /** Watts drawn, all phases together, from now on. */
  power: number;
  /** kWh, exact; the registers hold it as float32. */
  readonly energy: number;
}

/** `energyKwh` and `powerWatts` are those at the start. */
export function createLabMeter(clock: Clock, energyKwh = 1843.7, powerWatts = 2300): LabMeter {
  let counted = energyKwh;
  let power = powerWatts;
  let since = clock.monotonic();
  const energy = () => counted + (power * (clock.monotonic() - since)) / 3.6e9;

  const unit = createLabUnit();
  // Single precision cannot hold watt hours above 131 MWh; a real meter of this kind cannot either.
  const floats: Readonly<Record<number, () => number>> = {
    0: () => 230.1,
    2: () => 231.4,
    4: () => 229.8,
    6: () => power / 3 / 230.1,
    8: () => power / 3 / 231.4,
    10: () => power / 3 / 229.8,
    12: () => power / 3,
    14: () => power / 3,
    16: () => power / 3,
    52: () => power,
    56: () => power / 0.98,
    60: () => power * 0.2,
    62: () => 0.98,
    66: () => 11.5,
    70: () => 50.02,
    72: energy,
    74: () => 0,
    342: energy,
  };
  // The real one answers zero wherever its map has a number for other wirings.
  for (let address = 0; address < 382; address += 2) unit.setFloat("input", address, floats[address] ?? (() => 0));
  // Demand period, 60 minutes as a float, as on the real one; and a relay.
  unit.setWords("holding", 2, [0x4270, 0]);
  unit.set("coil", 0, 0);

  return Object.defineProperties(unit as LabMeter, {
    energy: { get: energy },
    power: {
      get: () => power,
      set(watts: number) {
        counted = energy();
        since = clock.monotonic();
        power = watts;
      },
    },
  });
}
