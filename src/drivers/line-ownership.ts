// What every line does before and around its talking: it is owned before it is opened, given back when it closes, and a port
// or socket that takes nothing any more is given up. The keys are in serial-port.ts and tcp-channel.ts.

import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import type { Device, Env } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import { lineWriteMs } from "#limits.ts";
import type { ByteChannel } from "./byte-channel.ts";

/**
 * Owns the line and then opens it: a second opener learns who has it instead of disturbing it. The line is given back when
 * opening fails and when the device is closed. The device is one of plain members: it is copied.
 */
export async function owning<D extends Device>(env: Pick<Env, "own">, key: string, open: () => Promise<D>): Promise<D> {
  const owned = env.own(key);
  try {
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
