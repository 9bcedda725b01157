// What the machine itself may ask of the running appliance: its state, as one JSON document over a socket in the data folder
// that only the appliance's user can open. Read only; whoever wants to act is a client like any other.

import { rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import { statusBytesMax, statusMs, statusReadersMax } from "#limits.ts";

/** Nobody listens there: the appliance does not run, or not with this data folder. */
export class NotRunningError extends Error {
  override name = "NotRunningError";
}

/** Serves `describe()` to each who connects, until aborted. A file left behind by a killed process is replaced. */
export async function serveStatus(path: string, describe: () => unknown, signal: AbortSignal): Promise<void> {
  rmSync(path, { force: true });
  const open = new Set<Socket>();
  const server = createServer(socket => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => socket.destroy());
    // Who does not take the answer shall not keep one of the few places.
    socket.setTimeout(statusMs, () => socket.destroy());
    try {
      socket.end(JSON.stringify(describe(), (_, value) => (typeof value === "bigint" ? value.toString() : value)));
    } catch {
      socket.destroy();
    }
  });
  server.maxConnections = statusReadersMax;
  await listenPrivately(server, path);
  server.on("error", () => {});
  await new Promise<void>(resolve => {
    const close = () => {
      server.close(() => resolve());
      for (const socket of open) socket.destroy();
    };
    if (signal.aborted) close();
    else signal.addEventListener("abort", close, { once: true });
  });
  rmSync(path, { force: true });
}

/** The mask is the whole process's: it is changed only for the moment in which the socket is made, which is within `listen`. */
function listenPrivately(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177);
  try {
    return new Promise((resolve, reject) => server.once("error", reject).listen(path, resolve));
  } finally {
    process.umask(before);
  }
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
    try {
      return JSON.parse(text);
    } catch {
      throw new NotRunningError(`The appliance with ${path} broke off its answer: ask again.`);
    }
  });
