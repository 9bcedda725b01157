// Modbus node types: lines (TCP, serial port, serial line behind a TCP converter), units on them, and single registers and
// bits of a unit that has no profile for them.

import type * as z from "zod";
import type { Device, Driver, Env, NodeType } from "#contract/driver.ts";
import { categories } from "#contract/field.ts";
import type { ByteChannel } from "../byte-channel.ts";
import { identityTags } from "../identity.ts";
import { owning } from "../line-ownership.ts";
import type { Shelf } from "../profile-shelf.ts";
import { openSerialChannel, serialLineKey } from "../serial-port.ts";
import { createTap } from "../tap.ts";
import { openTcpChannel, tcpLineKey } from "../tcp-channel.ts";
import { openUdpChannel, udpLineKey } from "../udp-channel.ts";
import { ascii } from "./ascii.ts";
import { createLearned } from "./learned.ts";
import { createLine, type ModbusLine } from "./line.ts";
import type { PatienceLimits } from "./patience.ts";
import type { Point } from "./point.ts";
import { type Profile, pointsOf } from "./profile.ts";
import { modbusShelf } from "./profiles/all.ts";
import { wordsOf } from "./registers.ts";
import { rtu } from "./rtu.ts";
import { createSerialSession, type SerialTiming } from "./serial-session.ts";
import {
  coilSettings,
  inputSettings,
  registerSettings,
  rtuLineSettings,
  rtuTcpLineSettings,
  tcpLineSettings,
  type UnitSettings,
  udpLineSettings,
  unitSettings,
} from "./settings.ts";
import { sunspecType } from "./sunspec-type.ts";
import { openTcpSession } from "./tcp-session.ts";
import { createUnit, type ModbusUnit } from "./unit.ts";

const framings = { rtu, ascii };

const tcp: NodeType<typeof tcpLineSettings, unknown, ModbusLine> = {
  name: "modbus.tcp",
  title: "Modbus TCP",
  parents: [""],
  settings: tcpLineSettings,
  line: true,
  inherits: ["Line"],
  open: (settings, env, signal) =>
    owned(env, tcpLineKey(settings), async () => {
      const tap = createTap(env.clock);
      const connect = async (inner: AbortSignal) => tap.over(await openTcpChannel(settings, env.clock, inner));
      const session = await openTcpSession(connect, settings, env.clock, signal);
      return createLine(session, env.clock, env.log, tap, patienceOf(settings));
    }),
};

const rtuLine: NodeType<typeof rtuLineSettings, unknown, ModbusLine> = {
  name: "modbus.rtu",
  title: "Modbus serial line",
  parents: [""],
  settings: rtuLineSettings,
  line: true,
  inherits: ["Line"],
  open: async (settings, env, signal) =>
    owned(env, await serialLineKey(settings.serialDevice), async () => {
      const dataBits = settings.framing === "ascii" ? 7 : 8;
      const port = { ...settings, path: settings.serialDevice, dataBits } as const;
      return serialLine(await openSerialChannel(port, env.clock, signal), settings, env);
    }),
};

const rtuTcpLine: NodeType<typeof rtuTcpLineSettings, unknown, ModbusLine> = {
  name: "modbus.rtu-tcp",
  title: "Modbus serial line behind a TCP converter",
  parents: [""],
  settings: rtuTcpLineSettings,
  line: true,
  inherits: ["Line"],
  open: (settings, env, signal) =>
    owned(env, tcpLineKey(settings), async () =>
      serialLine(await openTcpChannel(settings, env.clock, signal), settings, env),
    ),
};

const udpLine: NodeType<typeof udpLineSettings, unknown, ModbusLine> = {
  name: "modbus.udp",
  title: "Modbus line behind a UDP converter",
  parents: [""],
  settings: udpLineSettings,
  line: true,
  inherits: ["Line"],
  open: (settings, env, signal) =>
    owned(env, udpLineKey(settings), async () => {
      const { framing } = settings;
      if (framing !== "tcp") {
        return serialLine(await openUdpChannel(settings, env.clock, signal), { ...settings, framing }, env);
      }
      const tap = createTap(env.clock);
      const connect = async (inner: AbortSignal) => tap.over(await openUdpChannel(settings, env.clock, inner));
      const timing = { ...settings, anyTransaction: false, anyUnit: false };
      const session = await openTcpSession(connect, timing, env.clock, signal);
      return createLine(session, env.clock, env.log, tap, patienceOf(settings));
    }),
};

/** One request at a time over whatever carries the octets of a serial line. */
function serialLine(
  carrier: ByteChannel,
  settings: SerialTiming & { readonly framing: "rtu" | "ascii"; readonly timeoutMinMs: number },
  env: Env,
): ModbusLine {
  const tap = createTap(env.clock);
  const session = createSerialSession(tap.over(carrier), framings[settings.framing], settings, env.clock);
  return createLine(session, env.clock, env.log, tap, patienceOf(settings));
}

const patienceOf = (settings: { readonly timeoutMinMs: number; readonly timeoutMs: number }): PatienceLimits => ({
  floorMs: settings.timeoutMinMs,
  ceilingMs: settings.timeoutMs,
});

const owned = (env: Env, key: string, open: () => Promise<ModbusLine>): Promise<ModbusLine> =>
  owning(env, key, async () => ({ ...(await open()), key, models: new Map() }));

const lineTypes = ["modbus.tcp", "modbus.rtu", "modbus.rtu-tcp", "modbus.udp"];

const unitType = (shelf: Shelf<Profile>): NodeType<UnitSettings, ModbusLine, ModbusUnit> => ({
  name: "modbus.unit",
  title: "Modbus unit",
  parents: lineTypes,
  settings: unitSettings(shelf.entries.map(({ name }) => name)),
  thing: true,
  inherits: ["Device"],
  tags(settings) {
    return identityTags(settings, shelf.entry(settings.profile) ?? { class: "Device" });
  },
  async open(settings, { parent: line, memory, clock }) {
    const profile = shelf.find(settings.profile);
    const link = line.unit(settings.address, Math.max(settings.gapMs, profile?.limits.gapMs ?? 0));
    const limits = {
      wordsMax: Math.min(settings.wordsMax, profile?.limits.wordsMax ?? settings.wordsMax),
      gapMax: settings.strict ? 0 : Math.max(settings.gapMax, profile?.limits.gapMax ?? 0),
      align: settings.align,
    };
    const model = modelKey(settings, line);
    const learned = line.models?.get(model) ?? createLearned(model, memory, clock);
    line.models?.set(model, learned);
    return createUnit(line, link, profile ? pointsOf(profile) : [], limits, learned);
  },
});

/** What is learnt holds for all of a product; of one that nobody knows, for this unit. */
function modelKey(settings: z.output<UnitSettings>, { key = "" }: ModbusLine): string {
  const { profile, manufacturer, model, address } = settings;
  if (profile !== "none") return `profile ${profile}`;
  return manufacturer !== "" && model !== "" ? `model ${manufacturer} ${model}` : `unit ${address} of ${key}`;
}

const register: NodeType<typeof registerSettings, ModbusUnit> = {
  name: "modbus.register",
  title: "Modbus register",
  parents: ["modbus.unit"],
  settings: registerSettings,
  inherits: ["Value"],
  open: async (settings, { parent }) => openPoint(parent, registerPoint(settings)),
};

const coil: NodeType<typeof coilSettings, ModbusUnit> = {
  name: "modbus.coil",
  title: "Modbus coil",
  parents: ["modbus.unit"],
  settings: coilSettings,
  inherits: ["Value"],
  open: async (settings, { parent }) => openPoint(parent, bitPoint("coil", settings, settings.writable)),
};

const input: NodeType<typeof inputSettings, ModbusUnit> = {
  name: "modbus.input",
  title: "Modbus discrete input",
  parents: ["modbus.unit"],
  settings: inputSettings,
  inherits: ["Value"],
  open: async (settings, { parent }) => openPoint(parent, bitPoint("discrete", settings, false)),
};

/** `shelf`: the profiles to choose from. */
export const createModbusDriver = (shelf: Shelf<Profile> = modbusShelf()): Driver => ({
  name: "modbus",
  nodeTypes: [tcp, rtuLine, rtuTcpLine, udpLine, unitType(shelf), sunspecType(lineTypes), register, coil, input],
});

export const modbusDriver: Driver = createModbusDriver();

/** A node of one point: read by itself, and with the unit in the unit's blocks. */
function openPoint(unit: ModbusUnit, point: Point): Device {
  const added = unit.add([point]);
  return {
    read: (ask, signal) => unit.readPoints([point], ask, signal),
    ...(point.writable && { parameters: [unit.parameter(point)] }),
    async [Symbol.asyncDispose]() {
      added[Symbol.dispose]();
    },
  };
}

function registerPoint(settings: z.output<typeof registerSettings>): Point {
  const { fieldName, table, address, type, wordOrder, scale, offset, unit: unitName, mask, shift, min, max } = settings;
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
    address,
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
    ...(settings.writable &&
      table === "holding" && {
        writable: { ...(min !== undefined && { min }), ...(max !== undefined && { max }) },
      }),
  };
}

const bitPoint = (
  table: "coil" | "discrete",
  { fieldName, address, category }: z.output<typeof inputSettings>,
  writable: boolean,
): Point => ({
  field: fieldName,
  table,
  address,
  words: 1,
  type: "uint16",
  unit: "",
  categories: categories(category),
  ...(writable && { writable: {} }),
});
