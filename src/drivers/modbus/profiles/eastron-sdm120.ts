// Register map of the Eastron SDM120 energy meters. Register facts of volkszaehler/mbmd (BSD-3-Clause), addresses from 0 as on the
// wire; the examples were made for this project.

import type { Profile } from "../profile.ts";

export const eastronSdm120: Profile = {
  name: "eastron-sdm120",
  manufacturer: "Eastron",
  model: "SDM120",
  // Read faster, these meters drop requests when others are on the line.
  gapMs: 100,
  points: [
    { field: "Voltage", table: "input", address: 0, type: "float32", unit: "V" },
    { field: "Current", table: "input", address: 6, type: "float32", unit: "A" },
    { field: "Power", table: "input", address: 12, type: "float32", unit: "W" },
    { field: "Apparent Power", table: "input", address: 18, type: "float32", unit: "VA" },
    { field: "Reactive Power", table: "input", address: 24, type: "float32", unit: "var" },
    { field: "Power Factor", table: "input", address: 30, type: "float32" },
    { field: "Frequency", table: "input", address: 70, type: "float32", unit: "Hz" },
    { field: "Energy", table: "input", address: 72, type: "float32", unit: "kWh" },
    { field: "Energy, Export", table: "input", address: 74, type: "float32", unit: "kWh" },
    { field: "Reactive Energy", table: "input", address: 76, type: "float32", unit: "kvarh" },
    { field: "Reactive Energy, Export", table: "input", address: 78, type: "float32", unit: "kvarh" },
    { field: "Energy, Sum", table: "input", address: 342, type: "float32", unit: "kWh" },
    { field: "Reactive Energy, Sum", table: "input", address: 344, type: "float32", unit: "kvarh" },
  ],
  examples: [
    { field: "Voltage", registers: "4362 0250", value: 226.009033203125 },
    { field: "Current", registers: "4274 7adb", value: 61.11997604370117 },
    { field: "Power", registers: "4598 d27d", value: 4890.31103515625 },
    { field: "Apparent Power", registers: "4501 3f80", value: 2067.96875 },
    { field: "Reactive Power", registers: "44b6 c37c", value: 1462.10888671875 },
    { field: "Power Factor", registers: "3f11 5a31", value: 0.567782461643219 },
    { field: "Frequency", registers: "4247 cd23", value: 49.9503288269043 },
    { field: "Energy", registers: "46f9 aa01", value: 31957.001953125 },
    { field: "Energy, Export", registers: "4790 ce05", value: 74140.0390625 },
    { field: "Reactive Energy", registers: "4594 9f9a", value: 4755.9501953125 },
    { field: "Reactive Energy, Export", registers: "4595 c03d", value: 4792.02978515625 },
    { field: "Energy, Sum", registers: "4714 d413", value: 38100.07421875 },
    { field: "Reactive Energy, Sum", registers: "460c 1582", value: 8965.376953125 },
  ],
};
