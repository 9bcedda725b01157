// The M-Bus driver: lines over a serial level converter or over one behind TCP, and the meters on them.

import { parseHex } from "#base/bytes.ts";
import type { Device, Driver, Env, NodeType } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import type { Tag } from "#contract/node.ts";
import type { ByteChannel } from "../byte-channel.ts";
import { openSerialChannel, serialLineKey } from "../serial-port.ts";
import { openTcpChannel, tcpLineKey } from "../tcp-channel.ts";
import { parseAddress } from "./address.ts";
import { createLine, type Line } from "./line.ts";
import { createMeter } from "./meter.ts";
import { meterSettings, serialSettings, tcpSettings } from "./settings.ts";
import { createTiming } from "./timing.ts";

/** A line node: its children talk through `line`. */
export interface LineDevice extends Device {
  readonly line: Line;
}

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
  inherits: ["Line"],
  open: async (settings, env, signal) =>
    owning(env, await serialLineKey(settings.serialDevice), async owned => {
      const { serialDevice: path, baudRate: baud, parity: bit } = settings;
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
  inherits: ["Line"],
  open: (settings, env, signal) =>
    owning(env, tcpLineKey(settings), async owned => {
      const channel = await openTcpChannel(settings, env.clock, signal);
      return openLine(channel, owned, settings.baudRate, settings.answerMarginMs, env);
    }),
};

const meter: NodeType<typeof meterSettings, LineDevice, Device> = {
  name: "mbus.meter",
  title: "M-Bus meter",
  parents: ["mbus.serial", "mbus.tcp"],
  settings: meterSettings,
  thing: true,
  inherits: ["Meter"],
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
