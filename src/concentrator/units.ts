// Units that measure the same, so that a value told in another unit than before is compared and not taken for another thing.

/** Per dimension: how many of its first unit one of the unit is, and for temperatures what is added after that. */
const dimensions: readonly Readonly<Record<string, number | readonly [factor: number, offset: number]>>[] = [
  { Wh: 1, kWh: 1e3, MWh: 1e6, GWh: 1e9, J: 1 / 3600, kJ: 1 / 3.6, MJ: 1e3 / 3.6, GJ: 1e6 / 3.6, kcal: 1.163 },
  { W: 1, kW: 1e3, MW: 1e6, "J/h": 1 / 3600, "kJ/h": 1 / 3.6, "MJ/h": 1e3 / 3.6, "GJ/h": 1e6 / 3.6 },
  { var: 1, kvar: 1e3, Mvar: 1e6 },
  { VA: 1, kVA: 1e3, MVA: 1e6 },
  { varh: 1, kvarh: 1e3, Mvarh: 1e6 },
  { VAh: 1, kVAh: 1e3, MVAh: 1e6 },
  { V: 1, mV: 1e-3, kV: 1e3 },
  { A: 1, mA: 1e-3, kA: 1e3 },
  { Hz: 1, kHz: 1e3, MHz: 1e6 },
  { m3: 1, "m³": 1, l: 1e-3, L: 1e-3, ml: 1e-6, ft3: 0.028_316_846_592, gal: 0.003_785_411_784 },
  { "m3/h": 1, "m³/h": 1, "l/h": 1e-3, "l/min": 0.06, "m3/s": 3600, "m3/min": 60 },
  { kg: 1, g: 1e-3, t: 1e3 },
  { m: 1, mm: 1e-3, cm: 1e-2, km: 1e3 },
  { Pa: 1, hPa: 100, mbar: 100, kPa: 1e3, bar: 1e5, MPa: 1e6 },
  { s: 1, ms: 1e-3, min: 60, h: 3_600, d: 86_400 },
  {
    K: 1,
    Cel: [1, 273.15],
    "°C": [1, 273.15],
    degF: [5 / 9, 273.15 - 160 / 9],
    "°F": [5 / 9, 273.15 - 160 / 9],
  },
];

/** `value` in another unit; undefined when the two do not measure the same, as far as is known here. */
export function convert(value: number, from: string, to: string): number | undefined {
  if (from === to) return value;
  const units = dimensions.find(one => Object.hasOwn(one, from) && Object.hasOwn(one, to));
  const [factor, offset] = scaleOf(units?.[from]);
  const [toFactor, toOffset] = scaleOf(units?.[to]);
  return units === undefined ? undefined : (value * factor + offset - toOffset) / toFactor;
}

const scaleOf = (scale: number | readonly [number, number] | undefined): readonly [number, number] =>
  typeof scale === "object" ? scale : [scale ?? 1, 0];
