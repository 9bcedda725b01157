// What the kernel counts of a serial port's octets with wrong parity or framing, where it tells: ports on the board do, in
// /proc/tty/driver, most USB adapters do not.

import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";

/** Octets with wrong parity or framing since the machine was started; undefined where the port does not tell. */
export async function portErrorsOf(path: string, proc = "/proc"): Promise<number | undefined> {
  const device = await realpath(path).catch(() => "");
  const [, prefix, number] = /^(\/.*?)(\d+)$/.exec(device) ?? [];
  if (prefix === undefined || number === undefined) return undefined;
  const drivers = await readFile(join(proc, "tty/drivers"), "utf8").catch(() => "");
  const driver = drivers
    .split("\n")
    .map(line => line.trim().split(/\s+/))
    .find(([, node]) => node === prefix)?.[0];
  if (driver === undefined || !/^[A-Za-z0-9_-]+$/.test(driver)) return undefined;
  const text = await readFile(join(proc, "tty/driver", driver), "utf8").catch(() => "");
  const line = text.split("\n").find(one => one.startsWith(`${Number(number)}:`));
  // A port without errors says nothing of them; one that counts octets would.
  if (line === undefined || !/\brx:\d/.test(line)) return undefined;
  return ["fe", "pe"].reduce((sum, name) => sum + Number(new RegExp(`\\b${name}:(\\d+)`).exec(line)?.[1] ?? 0), 0);
}
