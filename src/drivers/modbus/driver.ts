// Modbus node types: lines (TCP, serial port, serial line behind a converter over TCP or UDP) and the units on them; the single
// values below a unit are in value-nodes.ts.

import type * as z from "zod";
import type { Driver, Env, NodeType } from "#contract/driver.ts";
import type { ByteChannel } from "../byte-channel.ts";
import { identityTags } from "../identity.ts";
import { owning } from "../line-ownership.ts";
import type { Shelf } from "../profile-shelf.ts";
import { suggestSerialPorts } from "../serial-list.ts";
import { openSerialChannel, serialLineKey } from "../serial-port.ts";
import { createTap } from "../tap.ts";
import { openTcpChannel, tcpLineKey } from "../tcp-channel.ts";
import { openUdpChannel, udpLineKey } from "../udp-channel.ts";
import { ascii } from "./ascii.ts";
import { createLearned } from "./learned.ts";
import { createLine, type ModbusLine } from "./line.ts";
import type { PatienceLimits } from "./patience.ts";
import { type Profile, pointsOf } from "./profile.ts";
import { modbusShelf } from "./profiles/all.ts";
import { rtu } from "./rtu.ts";
import { createSerialSession, type SerialTiming } from "./serial-session.ts";
import {
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
import { coilType, inputType, registerType } from "./value-nodes.ts";

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
  suggestions: { serialDevice: suggestSerialPorts },
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
  async open(settings, { parent: line, memory, clock, addBelow }) {
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
    return createUnit(line, link, profile ? pointsOf(profile) : [], limits, learned, addBelow);
  },
});

/** What is learnt holds for all of a product; of one that nobody knows, for this unit. */
function modelKey(settings: z.output<UnitSettings>, { key = "" }: ModbusLine): string {
  const { profile, manufacturer, model, address } = settings;
  if (profile !== "none") return `profile ${profile}`;
  return manufacturer !== "" && model !== "" ? `model ${manufacturer} ${model}` : `unit ${address} of ${key}`;
}

/** `shelf`: the profiles to choose from. */
export const createModbusDriver = (shelf: Shelf<Profile> = modbusShelf()): Driver => ({
  name: "modbus",
  nodeTypes: [
    tcp,
    rtuLine,
    rtuTcpLine,
    udpLine,
    unitType(shelf),
    sunspecType(lineTypes),
    registerType,
    coilType,
    inputType,
  ],
});

export const modbusDriver: Driver = createModbusDriver();
