// What every line does before and around its talking: it is owned before it is opened, given back when it closes, and a port
// or socket that takes nothing any more is given up. The keys are in serial-port.ts and tcp-channel.ts.

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import type { Device, Env } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import { lineLookupMs, lineWriteMs } from "#limits.ts";
import type { ByteChannel } from "./byte-channel.ts";

/**
 * Owns the line and then opens it: a second opener learns who has it instead of disturbing it, under whatever name he knows it.
 * The line is given back when opening fails and when the device is closed. The device is one of plain members: it is copied.
 */
export async function owning<D extends Device>(
  env: Pick<Env, "own" | "clock">,
  key: string,
  open: () => Promise<D>,
): Promise<D> {
  const owned = new DisposableStack();
  try {
    owned.use(env.own(key));
    const address = await addressKey(key, env.clock);
    if (address !== key) owned.use(env.own(address));
    const device = await open();
    return {
      ...device,
      async [Symbol.asyncDispose]() {
        try {
          await device[Symbol.asyncDispose]();
        } finally {
          owned[Symbol.dispose]();
        }
      },
    };
  } catch (error) {
    owned[Symbol.dispose]();
    throw error;
  }
}

/** "tcp:10.0.0.7:502" for "tcp:converter.local:502"; the key itself where there is nothing to look up, or it is not found. */
async function addressKey(key: string, clock: Clock): Promise<string> {
  const [, carrier, host = "", port] = /^(tcp|udp):(.*):(\d+)$/.exec(key) ?? [];
  if (carrier === undefined || isIP(host) !== 0) return key;
  try {
    const { address } = await within(clock, lineLookupMs, host, new AbortController().signal, () => lookup(host));
    return `${carrier}:${address}:${port}`;
  } catch {
    return key;
  }
}

/** Throws `DeviceFault` unreachable when the line is lost, or stuck: then it is closed, to be opened anew. Or the abort reason. */
export async function writeBounded(
  channel: ByteChannel,
  bytes: Uint8Array,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  try {
    await within(clock, lineWriteMs, channel.name, signal, () => channel.write(bytes));
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    void channel.close();
    throw new DeviceFault("unreachable", `${channel.name}: it takes no data any more`, { cause: error });
  }
}
