// The M-Bus driver: lines over a serial level converter or over one behind TCP, and the meters on them.

import type * as z from "zod";
import { parseHex } from "#base/bytes.ts";
import type { Device, Driver, Env, NodeType } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import type { ByteChannel } from "../byte-channel.ts";
import { identityTags } from "../identity.ts";
import { owning } from "../line-ownership.ts";
import { suggestSerialPorts } from "../serial-list.ts";
import { openSerialChannel, serialLineKey } from "../serial-port.ts";
import { openTcpChannel, tcpLineKey } from "../tcp-channel.ts";
import { openUdpChannel, udpLineKey } from "../udp-channel.ts";
import { type Address, parseAddress } from "./address.ts";
import { lineCommands } from "./commands.ts";
import { createLine, type Line, type LineSetup } from "./line.ts";
import { createMeter, type MeterPlan } from "./meter.ts";
import { automatic, type ProductShelf, productOf } from "./product-samples.ts";
import { mbusShelf } from "./profiles/all.ts";
import { type MeterSettings, meterSettings, serialSettings, tcpSettings, udpSettings } from "./settings.ts";

/** A line node: its children talk through `line`. */
export interface LineDevice extends Device {
  readonly line: Line;
}

const lineDevice = (channel: ByteChannel, setup: LineSetup, env: Env): LineDevice => {
  const { clock } = env;
  const line = createLine(channel, setup, clock);
  return {
    line,
    closed: line.closed,
    describe: () => line.describe(),
    commands: lineCommands(line, clock, env),
    sniff: signal => line.tap.listen(signal),
    [Symbol.asyncDispose]: () => line.close(),
  };
};

const serial: NodeType<typeof serialSettings, unknown, LineDevice> = {
  name: "mbus.serial",
  suggestions: { serialDevice: suggestSerialPorts },
  title: "M-Bus line on a serial port",
  parents: [""],
  settings: serialSettings,
  line: true,
  inherits: ["Line"],
  open: async (settings, env, signal) =>
    owning(env, await serialLineKey(settings.serialDevice), async () => {
      const { serialDevice: path, baudRate, parity, stopBits, answerMarginMs: marginMs } = settings;
      const channel = await openSerialChannel({ path, baudRate, parity, stopBits }, env.clock, signal);
      return lineDevice(channel, { baudRate, marginMs, setBaudRate: rate => channel.setBaudRate(rate) }, env);
    }),
};

const tcp: NodeType<typeof tcpSettings, unknown, LineDevice> = {
  name: "mbus.tcp",
  title: "M-Bus line behind a network converter",
  parents: [""],
  settings: tcpSettings,
  line: true,
  inherits: ["Line"],
  open: (settings, env, signal) =>
    owning(env, tcpLineKey(settings), async () => {
      const channel = await openTcpChannel(settings, env.clock, signal);
      return lineDevice(channel, { baudRate: settings.baudRate, marginMs: settings.answerMarginMs }, env);
    }),
};

const udp: NodeType<typeof udpSettings, unknown, LineDevice> = {
  name: "mbus.udp",
  title: "M-Bus line behind a network converter (UDP)",
  parents: [""],
  settings: udpSettings,
  line: true,
  inherits: ["Line"],
  open: (settings, env, signal) =>
    owning(env, udpLineKey(settings), async () => {
      const channel = await openUdpChannel(settings, env.clock, signal);
      return lineDevice(channel, { baudRate: settings.baudRate, marginMs: settings.answerMarginMs }, env);
    }),
};

const meterType = (shelf: ProductShelf): NodeType<MeterSettings, LineDevice, Device> => ({
  name: "mbus.meter",
  title: "M-Bus meter",
  parents: ["mbus.serial", "mbus.tcp", "mbus.udp"],
  settings: meterSettings(shelf.entries.map(({ name }) => name)),
  thing: true,
  inherits: ["Meter", "Device"],
  tags: settings => identityTags(settings, shelf.entry(settings.profile) ?? { class: "Meter" }),
  async open(settings, env) {
    const address = parseAddress(settings.address);
    if (address === undefined) throw new DeviceFault("unreachable", `${settings.address} is no M-Bus address`);
    return createMeter(env.parent.line, planOf(settings, address, env.timeZone, shelf), env.clock, env.log, env.memory);
  },
});

function planOf(settings: z.output<MeterSettings>, address: Address, timeZone: string, shelf: ProductShelf): MeterPlan {
  const chosen = settings.profile === automatic ? undefined : shelf.find(settings.profile);
  const key = settings.key === "" ? undefined : parseHex(settings.key);
  const [subCode] = parseHex(settings.applicationSelect) ?? [];
  return {
    address,
    product: header => productOf(shelf, settings.profile, header),
    // Of a profile that was chosen; one that is recognised asks for its own once the meter has answered.
    minIntervalMs: 1000 * Math.max(settings.minIntervalSeconds, chosen?.limits.minIntervalSeconds ?? 0),
    writing: settings.writing,
    timeZone,
    ...(key === undefined ? {} : { key }),
    ...(subCode === undefined ? {} : { applicationSelect: subCode }),
    ...(settings.baudRate === "line" ? {} : { baudRate: Number(settings.baudRate) }),
  };
}

/** `shelf`: the profiles to choose from. */
export const createMbusDriver = (shelf: ProductShelf = mbusShelf()): Driver => ({
  name: "mbus",
  nodeTypes: [serial, tcp, udp, meterType(shelf)],
});

export const mbusDriver: Driver = createMbusDriver();
export const mbusNodeTypes = { serial, tcp, udp, meter: meterType(mbusShelf()) };
