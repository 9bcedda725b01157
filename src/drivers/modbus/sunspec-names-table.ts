// Names and categories of SunSpec points by the policy of docs/field-names.md: the main measurements by the harmonized names,
// the others by their own label. An inverter counts what it gives to the grid, hence "Export" there.

import { type Categories, categories } from "#contract/field.ts";
import type { ModelPoint } from "./sunspec-definition.ts";
import type { PlacedPoint } from "./sunspec-layout.ts";

type Names = Readonly<Record<string, string>>;

/** `name` with its three phases as the models write them: AphA, AphB, AphC. */
const phases = (name: string, field: string, marks: readonly string[] = ["phA", "phB", "phC"]): Names => ({
  [name]: field,
  ...Object.fromEntries(marks.map((mark, n) => [name + mark, `${field}, L${n + 1}`])),
});
const capitalPhases = ["PhA", "PhB", "PhC"];

const lineVoltages: Names = {
  PPVphAB: "Voltage, L1-L2",
  PPVphBC: "Voltage, L2-L3",
  PPVphCA: "Voltage, L3-L1",
  PhVphAB: "Voltage, L1-L2",
  PhVphBC: "Voltage, L2-L3",
  PhVphCA: "Voltage, L3-L1",
};

const temperatures: Names = {
  TmpAmb: "Temperature, Ambient",
  TmpCab: "Temperature, Cabinet",
  TmpSnk: "Temperature, Heat Sink",
  TmpTrns: "Temperature, Transformer",
  TmpSw: "Temperature, Switches",
  TmpOt: "Temperature, Other",
};

const events: Names = {
  Evt: "Events",
  Evt1: "Events",
  Evt2: "Events, 2",
  EvtVnd1: "Vendor Events",
  EvtVnd2: "Vendor Events, 2",
  EvtVnd3: "Vendor Events, 3",
  EvtVnd4: "Vendor Events, 4",
  St: "Operating State",
  StVnd: "Vendor Operating State",
};

const common: Names = {
  Mn: "Manufacturer",
  Md: "Model",
  Opt: "Options",
  Vr: "Version",
  SN: "Serial Number",
  DA: "Device Address",
};

const inverter: Names = {
  ...phases("A", "Current"),
  ...phases("PhV", "Voltage"),
  ...lineVoltages,
  ...temperatures,
  ...events,
  W: "Power, Export",
  Hz: "Frequency",
  VA: "Apparent Power",
  VAr: "Reactive Power",
  PF: "Power Factor",
  WH: "Energy, Export",
  DCA: "Current, DC",
  DCV: "Voltage, DC",
  DCW: "Power, DC",
};

/** The models write the phases of their counters in both ways. */
const counter = (name: string, field: string): Names => ({
  ...phases(name, field, capitalPhases),
  ...phases(name, field),
});

const meter: Names = {
  ...phases("A", "Current"),
  ...phases("PhV", "Voltage"),
  ...lineVoltages,
  ...events,
  PPV: "Voltage, L-L",
  Hz: "Frequency",
  ...phases("W", "Power"),
  ...phases("VA", "Apparent Power"),
  ...phases("VAR", "Reactive Power"),
  ...phases("PF", "Power Factor"),
  ...counter("TotWhImp", "Energy"),
  ...counter("TotWhExp", "Energy, Export"),
  ...counter("TotVAhImp", "Apparent Energy"),
  ...counter("TotVAhExp", "Apparent Energy, Export"),
  ...counter("TotVArhImpQ1", "Reactive Energy, Quadrant 1"),
  ...counter("TotVArhImpQ2", "Reactive Energy, Quadrant 2"),
  ...counter("TotVArhExpQ3", "Reactive Energy, Quadrant 3"),
  ...counter("TotVArhExpQ4", "Reactive Energy, Quadrant 4"),
};

const lines = ["L1", "L2", "L3"];
const der: Names = {
  ...temperatures,
  ...phases("W", "Power, Export", lines),
  ...phases("VA", "Apparent Power", lines),
  ...phases("Var", "Reactive Power", lines),
  ...phases("PF", "Power Factor", lines),
  ...phases("A", "Current", lines),
  ...phases("TotWhInj", "Energy, Export", lines),
  ...phases("TotWhAbs", "Energy", lines),
  ...phases("TotVarhInj", "Reactive Energy, Export", lines),
  ...phases("TotVarhAbs", "Reactive Energy", lines),
  LLV: "Voltage, L-L",
  LNV: "Voltage",
  VL1: "Voltage, L1",
  VL2: "Voltage, L2",
  VL3: "Voltage, L3",
  VL1L2: "Voltage, L1-L2",
  VL2L3: "Voltage, L2-L3",
  VL3L1: "Voltage, L3-L1",
  Hz: "Frequency",
};

const directCurrent: Names = {
  DCA: "Current, DC",
  DCV: "Voltage, DC",
  DCW: "Power, DC",
  DCWH: "Energy, DC",
  DCWhInj: "Energy, DC, Export",
  DCWhAbs: "Energy, DC",
  Tmp: "Temperature",
  DCSt: "Operating State",
  DCSta: "Operating State",
  DCEvt: "Events",
  DCAlrm: "Alarms",
  Evt: "Events",
  ID: "Input",
  IDStr: "Input Name",
  Tms: "Timestamp",
};

const battery: Names = {
  SoC: "State of Charge",
  SoH: "State of Health",
  DoD: "Depth of Discharge",
  V: "Voltage, DC",
  A: "Current, DC",
  W: "Power, DC",
  WHRtg: "Energy Capacity",
  WHAvail: "Energy Available",
};

const nameplate: Names = {
  DERTyp: "Kind of Source",
  WRtg: "Power Rating",
  VARtg: "Apparent Power Rating",
  VArRtgQ1: "Reactive Power Rating, Quadrant 1",
  VArRtgQ2: "Reactive Power Rating, Quadrant 2",
  VArRtgQ3: "Reactive Power Rating, Quadrant 3",
  VArRtgQ4: "Reactive Power Rating, Quadrant 4",
  ARtg: "Current Rating",
  PFRtgQ1: "Power Factor Rating, Quadrant 1",
  PFRtgQ2: "Power Factor Rating, Quadrant 2",
  PFRtgQ3: "Power Factor Rating, Quadrant 3",
  PFRtgQ4: "Power Factor Rating, Quadrant 4",
  WHRtg: "Energy Rating",
  AhrRtg: "Charge Rating",
  MaxChaRte: "Charging Power Rating",
  MaxDisChaRte: "Discharging Power Rating",
};

const controls: Names = {
  Conn: "Connection",
  WMaxLimPct: "Power Limit",
  WMaxLim_Ena: "Power Limit, Enabled",
  OutPFSet: "Power Factor Set Point",
  OutPFSet_Ena: "Power Factor Set Point, Enabled",
  VArPct_Ena: "Reactive Power Set Point, Enabled",
  VArWMaxPct: "Reactive Power Set Point, Of Power",
  VArMaxPct: "Reactive Power Set Point",
};

const settings: Names = { WMax: "Power, Max", VAMax: "Apparent Power, Max", VRef: "Voltage Reference" };

const storage: Names = {
  WChaMax: "Charging Power, Max",
  StorCtl_Mod: "Storage Control",
  MinRsvPct: "Reserve, Min",
  ChaState: "State of Charge",
  StorAval: "Charge Available",
  InBatV: "Voltage, Battery",
  ChaSt: "Charging State",
  OutWRte: "Discharging Limit",
  InWRte: "Charging Limit",
  ChaGriSet: "Charging From Grid",
};

const families: readonly [models: readonly number[], names: Names][] = [
  [[1], common],
  [[101, 102, 103, 111, 112, 113], inverter],
  [[201, 202, 203, 204, 211, 212, 213, 214], meter],
  [[120], nameplate],
  [[121], settings],
  [[123], controls],
  [[124], storage],
  [[160, 714], directCurrent],
  [[701], der],
  [[713, 801, 802, 803], battery],
];
const byModel = new Map(families.flatMap(([models, names]) => models.map(model => [model, names] as const)));

/** "Voltage, L1", "Current, DC, Module 2": unique within the model, unless the device repeats itself. */
export function sunspecName(model: number, { point, path }: PlacedPoint): string {
  const base = byModel.get(model)?.[point.name] ?? titled(labelOf(point));
  return [base, ...path.flatMap(({ group, number }) => groupName(group.label ?? group.name, number))].join(", ");
}

const groupName = (label: string, number: number | undefined): string =>
  number === undefined ? titled(label) : `${titled(label)} ${number}`;

/** A label that says less than the name, "VAr" for all of four, does not tell points apart. */
const labelOf = ({ name, label }: ModelPoint): string => label?.trim() || name;

const titled = (text: string): string =>
  text
    .trim()
    .replace(/[_\s]+/g, " ")
    .replace(/(^| )([a-z])/g, (_, blank: string, letter: string) => blank + letter.toUpperCase());

/** Ratings, settings and curves: what was set, not what was measured. */
const isSetting = (model: number): boolean =>
  (model >= 120 && model <= 145 && model !== 122 && model !== 124) || (model >= 702 && model <= 712) || model === 715;

export function sunspecCategories(model: number, { type, access }: ModelPoint): Categories {
  if (model === 1) return categories("identity");
  const isState = /^(enum|bitfield|string|ip|eui)/.test(type);
  return categories(isState || access === "RW" || isSetting(model) ? "status" : "momentary");
}
