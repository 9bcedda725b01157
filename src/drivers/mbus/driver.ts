// The M-Bus driver: lines over a serial level converter or over one behind TCP, and the meters on them.

import * as z from "zod";
import { parseHex } from "#base/bytes.ts";
import type { Device, Driver, Env, NodeType } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import type { Tag } from "#contract/node.ts";
import { baudRate, host, parity, pollSeconds, secret, serialDevice, tcpPort } from "#contract/settings.ts";
import type { ByteChannel } from "../byte-channel.ts";
import { openSerialChannel } from "../serial-port.ts";
import { openTcpChannel } from "../tcp-channel.ts";
import { addressPattern, parseAddress } from "./address.ts";
import { createLine, type Line } from "./line.ts";
import { createMeter } from "./meter.ts";
import { keyOctets } from "./mode5.ts";
import { createTiming } from "./timing.ts";

/** A line node: its children talk through `line`. */
export interface LineDevice extends Device {
  readonly line: Line;
}

const marginMs = (standard: number, why: string) =>
  z.int().min(0).max(30_000).default(standard).meta({ title: "Answer margin (ms)", description: why, page: "Timing" });

const serialSettings = z.object({
  device: serialDevice,
  baudRate: baudRate(2400),
  parity: parity("even"),
  answerMarginMs: marginMs(500, "Added to the standard's longest answer time, for slow adapters and meters."),
});

const tcpSettings = z.object({
  host,
  port: tcpPort(10_001),
  baudRate: baudRate(2400),
  answerMarginMs: marginMs(1500, "Added to the standard's longest answer time, for the network and the converter."),
});

const label = (title: string, description: string) =>
  z.string().max(64).default("").meta({ title, description, page: "Identity" });

const meterSettings = z.object({
  address: z
    .string()
    .regex(addressPattern, "0 to 250, or 8 to 16 digits of the secondary address")
    .refine(text => parseAddress(text) !== undefined, "0 to 250, or 8 to 16 digits of the secondary address")
    .meta({
      title: "Address",
      description: "Primary address 0 to 250, or the number on the meter's face (8 digits; F for any digit).",
      page: "Connection",
    }),
  pollSeconds: pollSeconds(900),
  minIntervalSeconds: z
    .int()
    .min(0)
    .max(86_400 * 31)
    .default(0)
    .meta({
      title: "Shortest interval (s)",
      description:
        "A battery meter may answer only so often; asked sooner, its last readout is given with its own time.",
      page: "Timing",
    }),
  key: secret("Decryption key").refine(
    text => text === "" || parseHex(text)?.length === keyOctets,
    "32 hexadecimal digits, or empty",
  ),
  class: label("Class", "What it meters: Heat, Water, Gas."),
  manufacturer: label("Manufacturer", "As on the meter's face."),
  model: label("Model", "As on the meter's face."),
  serialNumber: label("Serial number", "As on the meter's face."),
});

const openLine = (channel: ByteChannel, owned: Disposable, baud: number, margin: number, env: Env): LineDevice => {
  const line = createLine(channel, createTiming(baud, margin), env.clock);
  // The line is given back whichever way it ends, so that it can be opened anew.
  const given = line.closed.then(() => owned[Symbol.dispose]());
  return {
    line,
    closed: line.closed,
    describe: () => line.describe(),
    async [Symbol.asyncDispose]() {
      await line.close();
      await given;
    },
  };
};

/** Owns the line first: a second opener learns who has it instead of disturbing it. */
async function owning(env: Env, key: string, open: (owned: Disposable) => Promise<LineDevice>): Promise<LineDevice> {
  const owned = env.own(key);
  try {
    return await open(owned);
  } catch (error) {
    owned[Symbol.dispose]();
    throw error;
  }
}

const serial: NodeType<typeof serialSettings, unknown, LineDevice> = {
  name: "mbus.serial",
  title: "M-Bus line on a serial port",
  parents: [""],
  settings: serialSettings,
  line: true,
  inherits: ["mbus.line", "line"],
  open: (settings, env, signal) =>
    owning(env, `serial:${settings.device}`, async owned => {
      const { device: path, baudRate: baud, parity: bit } = settings;
      const channel = await openSerialChannel({ path, baudRate: baud, parity: bit, stopBits: 1 }, env.clock, signal);
      return openLine(channel, owned, baud, settings.answerMarginMs, env);
    }),
};

const tcp: NodeType<typeof tcpSettings, unknown, LineDevice> = {
  name: "mbus.tcp",
  title: "M-Bus line behind a network converter",
  parents: [""],
  settings: tcpSettings,
  line: true,
  inherits: ["mbus.line", "line"],
  open: (settings, env, signal) =>
    owning(env, `tcp:${settings.host}:${settings.port}`, async owned => {
      const channel = await openTcpChannel({ host: settings.host, port: settings.port }, env.clock, signal);
      return openLine(channel, owned, settings.baudRate, settings.answerMarginMs, env);
    }),
};

const meter: NodeType<typeof meterSettings, LineDevice, Device> = {
  name: "mbus.meter",
  title: "M-Bus meter",
  parents: ["mbus.serial", "mbus.tcp"],
  settings: meterSettings,
  thing: true,
  inherits: ["meter", "thing"],
  tags: ({ class: kind, manufacturer, model, serialNumber }): readonly Tag[] =>
    [
      { name: "CLASS", value: kind },
      { name: "MAN", value: manufacturer },
      { name: "MODEL", value: model },
      { name: "SN", value: serialNumber },
    ].filter(tag => tag.value !== ""),
  async open(settings, env) {
    const address = parseAddress(settings.address);
    if (address === undefined) throw new DeviceFault("unreachable", `${settings.address} is no M-Bus address`);
    const key = settings.key === "" ? undefined : parseHex(settings.key);
    const plan = {
      address,
      minIntervalMs: settings.minIntervalSeconds * 1000,
      timeZone: env.timeZone,
      ...(key === undefined ? {} : { key }),
    };
    return createMeter(env.parent.line, plan, env.clock, env.log);
  },
};

export const mbusDriver: Driver = { name: "mbus", nodeTypes: [serial, tcp, meter] };
export const mbusNodeTypes = { serial, tcp, meter };
