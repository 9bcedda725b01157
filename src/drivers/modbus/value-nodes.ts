// Single registers, coils and inputs of a unit as nodes of their own, where it has no profile or its profile lacks them.

import type * as z from "zod";
import type { Device, NodeType } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import { categories } from "#contract/field.ts";
import { textFact } from "../device-facts.ts";
import { addressOf, describeAddress } from "./address.ts";
import type { Point, Table, Writable } from "./point.ts";
import type { Numbering } from "./profile-numbering.ts";
import { wordsOf } from "./registers.ts";
import type { ModbusUnit } from "./unit.ts";
import { coilSettings, inputSettings, registerSettings } from "./value-settings.ts";

export const registerType: NodeType<typeof registerSettings, ModbusUnit> = {
  name: "modbus.register",
  title: "Modbus register",
  parents: ["modbus.unit"],
  settings: registerSettings,
  inherits: ["Value"],
  open: async (settings, { parent }) => openPoint(parent, registerPoint(settings), settings.address),
};

export const coilType: NodeType<typeof coilSettings, ModbusUnit> = {
  name: "modbus.coil",
  title: "Modbus coil",
  parents: ["modbus.unit"],
  settings: coilSettings,
  inherits: ["Value"],
  open: async (settings, { parent }) =>
    openPoint(parent, bitPoint("coil", settings, coilWritable(settings)), settings.address),
};

export const inputType: NodeType<typeof inputSettings, ModbusUnit> = {
  name: "modbus.input",
  title: "Modbus discrete input",
  parents: ["modbus.unit"],
  settings: inputSettings,
  inherits: ["Value"],
  open: async (settings, { parent }) => openPoint(parent, bitPoint("discrete", settings), settings.address),
};

/** A node of one point: read by itself, and with the unit in the unit's blocks. */
function openPoint(unit: ModbusUnit, point: Point, written: string): Device {
  const added = unit.add([point]);
  return {
    read: (ask, signal) => unit.readPoints([point], ask, signal),
    ...(point.writable && { parameters: [unit.parameter(point)] }),
    describe: () => [textFact("wireAddress", "Address on the Wire", describeAddress(point.table, point, written))],
    async [Symbol.asyncDispose]() {
      added[Symbol.dispose]();
    },
  };
}

/** The settings have been checked: the address is one. */
function wireOf(text: string, numbering: Numbering, table: Table): number {
  const found = addressOf(text, numbering, table);
  if (typeof found === "string") throw new DeviceFault("refused", `address ${text}: ${found}`);
  return found.address;
}

function registerPoint(settings: z.output<typeof registerSettings>): Point {
  const { fieldName, table, type, wordOrder, scale, offset, unit: unitName, mask, shift } = settings;
  const noValue = settings.noValue.split(/[ ,]+/).filter(pattern => pattern !== "");
  const names = new Map(
    settings.names
      .split(";")
      .map(pair => pair.split("="))
      .filter(pair => pair.length === 2)
      .map(([code = "", name = ""]) => [Number(code), name.trim()]),
  );
  return {
    field: fieldName,
    table,
    address: wireOf(settings.address, settings.numbering, table),
    words: wordsOf(settings),
    type,
    order: wordOrder,
    scale,
    offset,
    noValue,
    mask,
    shift,
    unit: unitName,
    categories: categories(settings.category),
    ...(names.size > 0 && { names }),
    ...(settings.writable && table === "holding" && { writable: writableOf(settings) }),
  };
}

const writableOf = ({ min, max, step, writeBy }: z.output<typeof registerSettings>): Writable => ({
  ...(min !== undefined && { min }),
  ...(max !== undefined && { max }),
  ...(step !== undefined && { step }),
  ...(writeBy !== "any" && { by: Number(writeBy) as 6 | 16 | 23 }),
});

const bitPoint = (
  table: "coil" | "discrete",
  { fieldName, address, numbering, category }: z.output<typeof inputSettings>,
  writable?: Writable,
): Point => ({
  field: fieldName,
  table,
  address: wireOf(address, numbering, table),
  words: 1,
  type: "uint16",
  unit: "",
  categories: categories(category),
  ...(writable && { writable }),
});

const coilWritable = ({ writable, writeBy }: z.output<typeof coilSettings>): Writable | undefined =>
  writable ? { ...(writeBy !== "any" && { by: Number(writeBy) as 5 | 15 }) } : undefined;
