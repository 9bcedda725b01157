// Starts pymodbus-server.py, a Modbus server that we did not write, and runs mbpoll, a master that we did not write.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "#base/clock.ts";
import { type Child, startChild } from "#lab/child.ts";

export type PymodbusHow = "ascii" | "ascii-tcp" | "rtu" | "rtu-tcp" | "tcp" | "udp";

/** Not every release has them (scripts/debian.mjs). */
export const hasPymodbus = ["pymodbus", "serial"].every(one => existsSync(`/usr/lib/python3/dist-packages/${one}`));
export const hasMbpoll = existsSync("/usr/bin/mbpoll");

/** `where`: a TCP or UDP port, or the path of a serial port. Whoever speaks to it tries again until it listens. */
export const startPymodbus = (how: PymodbusHow, where: number | string, signal: AbortSignal): Promise<Child> =>
  startChild(
    {
      name: "pymodbus",
      command: "/usr/bin/python3",
      args: [join(import.meta.dirname, "pymodbus-server.py"), how, String(where)],
      readyMs: 60_000,
      async ready(inner, output) {
        while (!output().includes("ready")) await systemClock.sleep(20, inner);
      },
    },
    systemClock,
    signal,
  );

/** The values it read, by what it calls their references; what it said where it failed is thrown. */
export async function mbpoll(args: readonly string[]): Promise<Map<number, string>> {
  const child = spawn("/usr/bin/mbpoll", [...args, "-1", "-o", "5"], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const code = await new Promise(resolve => child.once("close", resolve));
  if (code !== 0 || /failed/i.test(output)) throw new Error(`mbpoll ${args.join(" ")}: ${output}`);
  return new Map([...output.matchAll(/^\[(\d+)\]:\s+(.+)$/gm)].map(([, at, value = ""]) => [Number(at), value.trim()]));
}
