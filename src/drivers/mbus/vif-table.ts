// The value information tables of EN 13757-3 (primary, FB, FD) as data: what is measured, in which base unit, times which
// power of ten. What may stand behind them is in vife-table.ts.

/** How the octets are to be read where the quantity decides it and not the data field. */
export type DataType = "unsigned" | "date" | "date-time";

export interface Vif {
  readonly quantity: string;
  /** Base unit; "" for none. */
  readonly unit: string;
  /** Power of ten that leads to the base unit. */
  readonly exponent: number;
  /** Seconds in the meter's own unit of time; the base unit is then s. */
  readonly seconds?: 60 | 3600 | 86_400;
  readonly category?: "status" | "identity";
  readonly data?: DataType;
  /** Never to be published: passwords and keys. */
  readonly secret?: true;
}

type Rest = Omit<Vif, "quantity" | "unit" | "exponent">;
type Row = readonly [code: number, vif: Vif];

/** Codes first … last, the exponent rising by one from `exponent`. */
const rise = (first: number, last: number, quantity: string, unit: string, exponent: number, rest: Rest = {}): Row[] =>
  Array.from({ length: last - first + 1 }, (_, n) => [first + n, { quantity, unit, exponent: exponent + n, ...rest }]);

const one = (code: number, quantity: string, rest: Rest & { unit?: string; exponent?: number } = {}): Row[] => [
  [code, { quantity, unit: "", exponent: 0, ...rest }],
];

export const spans = [{}, { seconds: 60 }, { seconds: 3600 }, { seconds: 86_400 }] as const;

/** Four codes: seconds, minutes, hours, days. `from` leaves out the first ones. */
const times = (first: number, quantity: string, rest: Rest = {}, from = 0): Row[] =>
  spans.slice(from).map((span, n) => [first + n, { quantity, unit: "s", exponent: 0, ...span, ...rest }]);

const status = { category: "status" } as const;
const identity = { category: "identity" } as const;

function table(name: string, ...rows: Row[][]): readonly Vif[] {
  const full: Vif[] = Array.from({ length: 128 }, (_, code) => ({
    quantity: `reserved-${name}-${code.toString(16).padStart(2, "0")}`,
    unit: "",
    exponent: 0,
  }));
  for (const [code, vif] of rows.flat()) full[code] = vif;
  return full;
}

/** EN 13757-3, table "primary VIF codes". 7B, 7C, 7D and 7F are handled before this table is asked. */
export const primaryVifs = table(
  "vif",
  rise(0x00, 0x07, "energy", "Wh", -3),
  rise(0x08, 0x0f, "energy", "J", 0),
  rise(0x10, 0x17, "volume", "m3", -6),
  rise(0x18, 0x1f, "mass", "kg", -3),
  times(0x20, "on-time", status),
  times(0x24, "operating-time", status),
  rise(0x28, 0x2f, "power", "W", -3),
  rise(0x30, 0x37, "power", "J/h", 0),
  rise(0x38, 0x3f, "volume-flow", "m3/h", -6),
  rise(0x40, 0x47, "volume-flow", "m3/min", -7),
  rise(0x48, 0x4f, "volume-flow", "m3/s", -9),
  rise(0x50, 0x57, "mass-flow", "kg/h", -3),
  rise(0x58, 0x5b, "flow-temperature", "Cel", -3),
  rise(0x5c, 0x5f, "return-temperature", "Cel", -3),
  rise(0x60, 0x63, "temperature-difference", "K", -3),
  rise(0x64, 0x67, "external-temperature", "Cel", -3),
  rise(0x68, 0x6b, "pressure", "bar", -3),
  one(0x6c, "date", { ...status, data: "date" }),
  one(0x6d, "date-time", { ...status, data: "date-time" }),
  one(0x6e, "hca-units", { unit: "HCA" }),
  times(0x70, "averaging-duration", status),
  times(0x74, "actuality-duration", status),
  one(0x78, "fabrication-number", identity),
  one(0x79, "enhanced-identification", identity),
  one(0x7a, "bus-address", identity),
  one(0x7e, "any"),
);

/** First extension, after FD. */
export const fdVifs = table(
  "fd",
  rise(0x00, 0x03, "credit", "currency", -3),
  rise(0x04, 0x07, "debit", "currency", -3),
  one(0x08, "access-number", { ...status, data: "unsigned" }),
  one(0x09, "device-type", { ...identity, data: "unsigned" }),
  one(0x0a, "manufacturer", identity),
  one(0x0b, "parameter-set-id", identity),
  one(0x0c, "model-version", identity),
  one(0x0d, "hardware-version", identity),
  one(0x0e, "firmware-version", identity),
  one(0x0f, "software-version", identity),
  one(0x10, "customer-location", identity),
  one(0x11, "customer", identity),
  one(0x12, "access-code-user", { secret: true }),
  one(0x13, "access-code-operator", { secret: true }),
  one(0x14, "access-code-system-operator", { secret: true }),
  one(0x15, "access-code-developer", { secret: true }),
  one(0x16, "password", { secret: true }),
  one(0x17, "error-flags", { ...status, data: "unsigned" }),
  one(0x18, "error-mask", { ...status, data: "unsigned" }),
  one(0x19, "security-key", { secret: true }),
  one(0x1a, "digital-output", { ...status, data: "unsigned" }),
  one(0x1b, "digital-input", { ...status, data: "unsigned" }),
  one(0x1c, "baud-rate", { ...status, unit: "Bd" }),
  one(0x1d, "response-delay", { ...status, unit: "bit-times" }),
  one(0x1e, "retry", status),
  one(0x1f, "remote-control", { data: "unsigned" }),
  one(0x20, "first-cyclic-storage"),
  one(0x21, "last-cyclic-storage"),
  one(0x22, "storage-block-size"),
  one(0x23, "tariff-subunit-descriptor"),
  times(0x24, "storage-interval", status),
  one(0x28, "storage-interval", { ...status, unit: "month" }),
  one(0x29, "storage-interval", { ...status, unit: "year" }),
  one(0x2a, "operator-specific-data"),
  one(0x2b, "time-point-second", { unit: "s" }),
  times(0x2c, "since-last-readout"),
  one(0x30, "tariff-start", { data: "date-time" }),
  times(0x31, "tariff-duration", {}, 1),
  times(0x34, "tariff-period"),
  one(0x38, "tariff-period", { unit: "month" }),
  one(0x39, "tariff-period", { unit: "year" }),
  one(0x3a, "dimensionless"),
  one(0x3b, "wmbus-container"),
  times(0x3c, "nominal-transmission-period"),
  rise(0x40, 0x4f, "voltage", "V", -9),
  rise(0x50, 0x5f, "current", "A", -12),
  one(0x60, "reset-counter", status),
  one(0x61, "cumulation-counter", status),
  one(0x62, "control-signal", status),
  one(0x63, "day-of-week"),
  one(0x64, "week-number"),
  one(0x65, "day-change-time"),
  one(0x66, "parameter-activation"),
  one(0x67, "supplier-information", status),
  one(0x68, "since-last-cumulation", { unit: "s", seconds: 3600 }),
  one(0x69, "since-last-cumulation", { unit: "s", seconds: 86_400 }),
  one(0x6a, "since-last-cumulation", { unit: "month" }),
  one(0x6b, "since-last-cumulation", { unit: "year" }),
  one(0x6c, "battery-operating-time", { ...status, unit: "s", seconds: 3600 }),
  one(0x6d, "battery-operating-time", { ...status, unit: "s", seconds: 86_400 }),
  one(0x6e, "battery-operating-time", { ...status, unit: "month" }),
  one(0x6f, "battery-operating-time", { ...status, unit: "year" }),
  one(0x70, "battery-change", { data: "date-time" }),
  // Sources disagree whether FD 71 is signed dBm or 2n - 130: the number stands as sent, without a unit.
  one(0x71, "rf-level", status),
  one(0x72, "daylight-saving"),
  one(0x73, "listening-window"),
  one(0x74, "battery-remaining", { ...status, unit: "s", seconds: 86_400 }),
  one(0x75, "stop-count", status),
  one(0x76, "manufacturer-container"),
);

/** Second level, after FD FD. */
export const fdFdVifs = table(
  "fdfd",
  one(0x00, "selected-application"),
  one(0x02, "battery-remaining", { ...status, unit: "month" }),
  one(0x03, "battery-remaining", { ...status, unit: "year" }),
);

/** Second extension, after FB: base units here, so MWh is Wh × 10^6. */
export const fbVifs = table(
  "fb",
  rise(0x00, 0x01, "energy", "Wh", 5),
  rise(0x02, 0x03, "reactive-energy", "varh", 3),
  rise(0x04, 0x05, "apparent-energy", "VAh", 3),
  rise(0x08, 0x09, "energy", "J", 8),
  rise(0x0c, 0x0f, "energy", "cal", 5),
  rise(0x10, 0x11, "volume", "m3", 2),
  rise(0x14, 0x17, "reactive-power", "var", 0),
  rise(0x18, 0x19, "mass", "kg", 5),
  rise(0x1a, 0x1b, "relative-humidity", "%RH", -1),
  one(0x21, "volume", { unit: "ft3", exponent: -1 }),
  one(0x22, "volume", { unit: "gal", exponent: -1 }),
  one(0x23, "volume", { unit: "gal" }),
  one(0x24, "volume-flow", { unit: "gal/min", exponent: -3 }),
  one(0x25, "volume-flow", { unit: "gal/min" }),
  one(0x26, "volume-flow", { unit: "gal/h" }),
  rise(0x28, 0x29, "power", "W", 5),
  one(0x2a, "phase-u-u", { unit: "deg", exponent: -1 }),
  one(0x2b, "phase-u-i", { unit: "deg", exponent: -1 }),
  rise(0x2c, 0x2f, "frequency", "Hz", -3),
  rise(0x30, 0x31, "power", "J/h", 8),
  rise(0x34, 0x37, "apparent-power", "VA", 0),
  rise(0x58, 0x5b, "flow-temperature", "degF", -3),
  rise(0x5c, 0x5f, "return-temperature", "degF", -3),
  rise(0x60, 0x63, "temperature-difference", "degF-diff", -3),
  rise(0x64, 0x67, "external-temperature", "degF", -3),
  rise(0x70, 0x73, "temperature-limit", "degF", -3),
  rise(0x74, 0x77, "temperature-limit", "Cel", -3),
  rise(0x78, 0x7f, "cumulated-max-power", "W", -3),
);
