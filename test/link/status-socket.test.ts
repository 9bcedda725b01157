import { getEventListeners } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, connect as dial, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { TimeoutError } from "#base/deadline.ts";
import { statusBytesMax, statusMs, statusReadersMax } from "#limits.ts";
import { askStatus, NotRunningError, serveStatus } from "../../src/link/status-socket.ts";
import { manualClock } from "../support/manual-clock.ts";
import { failOnUnhandledRejections } from "../support/unhandled.ts";

failOnUnhandledRejections();

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-status-"));
  path = join(folder, "status.sock");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const never = new AbortController().signal;
const ask = () => askStatus(path, systemClock, never);

async function serve(describe: () => unknown) {
  const stop = new AbortController();
  const serving = serveStatus(path, describe, stop.signal);
  while (!existsSync(path)) await systemClock.sleep(1, never);
  return {
    stop,
    serving,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await serving;
    },
  };
}

/** Somebody else at the socket, who says what he is told to. */
async function impostor(answer: string | undefined): Promise<AsyncDisposable> {
  const server: Server = createServer(socket => {
    socket.on("error", () => {});
    if (answer !== undefined) socket.end(answer);
  });
  await new Promise<void>(resolve => server.listen(path, resolve));
  return { [Symbol.asyncDispose]: () => new Promise(resolve => void server.close(() => resolve())) };
}

describe("the status socket", () => {
  it("tells the state of now to each who asks, long integers as text", async () => {
    let asked = 0;
    await using _ = await serve(() => ({ asked: ++asked, big: 2n ** 63n, text: "Küche" }));
    expect(await ask()).toEqual({ asked: 1, big: "9223372036854775808", text: "Küche" });
    const answers = await Promise.all(Array.from({ length: statusReadersMax }, ask));
    expect(answers).toHaveLength(statusReadersMax);
    expect(asked).toBe(1 + statusReadersMax);
  });

  it("carries a state of several megabytes whole", async () => {
    const nodes = Array.from({ length: 10_000 }, (_, at) => ({ id: `node-${at}`, message: "ü".repeat(200) }));
    await using _ = await serve(() => ({ nodes }));
    expect(await ask()).toEqual({ nodes });
  });

  it("can only be opened by the appliance's own user, and the process's mask is as before", async () => {
    const before = process.umask();
    const stop = new AbortController();
    const serving = serveStatus(path, () => ({}), stop.signal);
    // At once, not only when it listens: other files are made meanwhile.
    expect(process.umask()).toBe(before);
    while (!existsSync(path)) await systemClock.sleep(1, never);
    expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
    stop.abort();
    await serving;
    expect(process.umask()).toBe(before);
  });

  it("replaces what a killed process left, and takes its own away", async () => {
    writeFileSync(path, "left behind");
    const served = await serve(() => ({ well: true }));
    while (!statSync(path).isSocket()) await systemClock.sleep(1, never);
    expect(await ask()).toEqual({ well: true });
    await served[Symbol.asyncDispose]();
    expect(existsSync(path)).toBe(false);
    expect(getEventListeners(served.stop.signal, "abort")).toEqual([]);
    await expect(ask()).rejects.toBeInstanceOf(NotRunningError);
  });

  it("a state that cannot be told breaks off that answer and nothing else", async () => {
    let broken = true;
    await using _ = await serve(() => {
      if (broken) throw new Error("a bug");
      return { well: true };
    });
    await expect(ask()).rejects.toBeInstanceOf(NotRunningError);
    broken = false;
    expect(await ask()).toEqual({ well: true });
  });

  it("who does not take the answer holds up neither the others for long nor the end", async () => {
    const served = await serve(() => ({ text: "x".repeat(4_000_000) }));
    const deaf = Array.from({ length: statusReadersMax }, () =>
      dial(path)
        .on("error", () => {})
        .pause(),
    );
    await systemClock.sleep(50, never);
    await expect(ask()).rejects.toThrow("ask again");
    // Node looks twice whether a socket's answer moves before it calls that a timeout.
    await systemClock.sleep(2 * statusMs + 500, never);
    expect(await ask()).toHaveProperty("text");
    const late = dial(path)
      .on("error", () => {})
      .pause();
    await systemClock.sleep(50, never);
    const began = systemClock.monotonic();
    await served[Symbol.asyncDispose]();
    expect(systemClock.monotonic() - began).toBeLessThan(1_000);
    for (const socket of [...deaf, late]) socket.destroy();
  });

  it("a folder that is not there is an error, at once", async () => {
    await expect(serveStatus(join(folder, "no", "status.sock"), () => ({}), never)).rejects.toThrow(/ENOENT|EACCES/);
  });
});

describe("asking for the status", () => {
  it("of an appliance that does not run says so, and where", async () => {
    await expect(ask()).rejects.toThrow(`No appliance is running with ${path}.`);
    writeFileSync(path, "no socket");
    await expect(ask()).rejects.toBeInstanceOf(NotRunningError);
  });

  it.each(["", "{", '{"a": 1'])("an answer that breaks off (%j) is no status", async answer => {
    await using _ = await impostor(answer);
    await expect(ask()).rejects.toThrow(`The appliance with ${path} broke off its answer: ask again.`);
  });

  it("an answer that never comes is a timeout, one that never ends is cut off", async () => {
    {
      await using _ = await impostor(undefined);
      const clock = manualClock();
      const asking = askStatus(path, clock, never);
      asking.catch(() => {});
      await clock.advance(statusMs);
      await expect(asking).rejects.toBeInstanceOf(TimeoutError);
    }
    await using _ = await impostor("1".repeat(statusBytesMax + 1));
    await expect(ask()).rejects.toThrow("larger than a status can be");
  });

  it("ends with its signal", async () => {
    await using _ = await impostor(undefined);
    const stop = new AbortController();
    const asking = askStatus(path, systemClock, stop.signal);
    asking.catch(() => {});
    await systemClock.sleep(10, never);
    stop.abort(new Error("interrupted"));
    await expect(asking).rejects.toThrow("interrupted");
  });
});
