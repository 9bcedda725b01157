// What the machine itself may ask of the running appliance: its state, as one JSON document over a socket in the data folder
// that only the appliance's user can open. Read only; whoever wants to act is a client like any other.

import { rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import { statusBytesMax, statusMs } from "#limits.ts";

/** Nobody listens there: the appliance does not run, or not with this data folder. */
export class NotRunningError extends Error {
  override name = "NotRunningError";
}

/** Serves `describe()` to each who connects, until aborted. A file left behind by a killed process is replaced. */
export async function serveStatus(path: string, describe: () => unknown, signal: AbortSignal): Promise<void> {
  rmSync(path, { force: true });
  const server = createServer(socket => {
    socket.on("error", () => socket.destroy());
    socket.end(JSON.stringify(describe(), (_, value) => (typeof value === "bigint" ? value.toString() : value)));
  });
  server.maxConnections = 8;
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
  } finally {
    process.umask(before);
  }
  await new Promise<void>(resolve => {
    const close = () => server.close(() => resolve());
    if (signal.aborted) close();
    else signal.addEventListener("abort", close, { once: true });
  });
  rmSync(path, { force: true });
}

/** The state of the appliance that serves at `path`. Throws `NotRunningError`, `TimeoutError`. */
export const askStatus = (path: string, clock: Clock, signal: AbortSignal): Promise<unknown> =>
  within(clock, statusMs, "the appliance", signal, async inner => {
    let text = "";
    const socket = connect(path);
    const leave = () => socket.destroy();
    inner.addEventListener("abort", leave, { once: true });
    try {
      for await (const chunk of socket.setEncoding("utf8")) {
        text += chunk;
        if (text.length > statusBytesMax) throw new Error("the answer is larger than a status can be");
      }
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "ENOENT" || code === "ECONNREFUSED")
        throw new NotRunningError(`No appliance is running with ${path}.`);
      if (code === "EACCES") throw new NotRunningError(`${path} may only be opened by the appliance's own user.`);
      throw error;
    } finally {
      inner.removeEventListener("abort", leave);
      socket.destroy();
    }
    return JSON.parse(text);
  });
