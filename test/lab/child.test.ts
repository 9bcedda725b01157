// Children that start, fail, hang and refuse to end: none may outlive its owner, and each failure must explain itself.

import { execFile } from "node:child_process";
import { createServer } from "node:net";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { systemClock } from "#base/clock.ts";
import { type ChildPlan, findProgram, startChild } from "#lab/child.ts";
import { freePorts, requireFreePorts, untilPortAnswers } from "#lab/ports.ts";
import { forever, isAlive } from "./scene.ts";

function script(source: string, more: Partial<ChildPlan> = {}): ChildPlan {
  const ready: ChildPlan["ready"] = async (signal, output) => {
    while (!output().includes("ready")) await systemClock.sleep(10, signal);
  };
  return { name: "the part", command: process.execPath, args: ["-e", source], ready, ...more };
}

describe("a child process", () => {
  test("is there when ready and gone when disposed", async () => {
    let pid = 0;
    {
      await using child = await startChild(
        script("console.log('ready'); setInterval(() => {}, 1e6)"),
        systemClock,
        forever,
      );
      pid = child.pid;
      expect(isAlive(pid)).toBe(true);
    }
    expect(isAlive(pid)).toBe(false);
  });

  test("that deafens itself to SIGTERM is killed after its bound", async () => {
    const deaf = "process.on('SIGTERM', () => {}); console.log('ready'); setInterval(() => {}, 1e6)";
    const child = await startChild(script(deaf, { stopMs: 50 }), systemClock, forever);
    await child.stop();
    expect(await child.ended).toBe("signal SIGKILL");
    await child.stop();
  });

  test("that ends before it is ready is reported with its last words", async () => {
    const starting = startChild(script("console.error('no such folder'); process.exit(3)"), systemClock, forever);
    await expect(starting).rejects.toThrow(/^the part did not start: exit code 3\nno such folder$/);
  });

  test("that never becomes ready is ended and reported", async () => {
    let written = "";
    const hanging = script("console.log('pid', process.pid); setInterval(() => {}, 1e6)", {
      readyMs: 500,
      ready: async (signal, output) => {
        while (!signal.aborted) {
          await systemClock.sleep(10, signal);
          written = output();
        }
      },
    });
    await expect(startChild(hanging, systemClock, forever)).rejects.toThrow(
      "the part did not become ready: no answer within",
    );
    expect(isAlive(Number(/pid (\d+)/.exec(written)?.[1]))).toBe(false);
  });

  test("is ended when the caller gives up waiting", async () => {
    const leaving = new AbortController();
    const starting = startChild(script("setInterval(() => {}, 1e6)"), systemClock, leaving.signal);
    leaving.abort(new Error("the caller left"));
    await expect(starting).rejects.toThrow("the caller left");
  });

  test.each(["process.kill(process.pid, 'SIGKILL')", "throw new Error('crash')"])(
    "does not survive its owner: %s",
    async death => {
      const owner = `
        const { startChild } = await import("#lab/child.ts");
        const { systemClock } = await import("#base/clock.ts");
        const child = await startChild({ name: "x", command: process.execPath, args: ["-e", "setInterval(() => {}, 1e6)"],
          ready: async () => {} }, systemClock, new AbortController().signal);
        console.log(child.pid);
        setImmediate(() => { ${death} });`;
      const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", owner]).catch(
        error => error,
      );
      const pid = Number(stdout);
      expect(pid).toBeGreaterThan(1);
      // The kernel ends it a moment after its owner.
      for (let tries = 0; isAlive(pid) && tries < 100; tries += 1) await systemClock.sleep(20, forever);
      expect(isAlive(pid)).toBe(false);
    },
  );

  test("a program that is missing is a sentence that says what to do", () => {
    expect(() => findProgram("prosody-of-mars")).toThrow(
      'prosody-of-mars is not installed: run "npm run setup", then try again.',
    );
  });
});

describe("ports", () => {
  test("free ports are distinct and free; a taken one is named with its use", async () => {
    const ports = await freePorts(5);
    expect(new Set(ports).size).toBe(5);
    const [port = 0, other = 0] = ports;
    await requireFreePorts({ MQTT: port });
    const server = createServer();
    await new Promise<void>(resolve => server.listen(port, "127.0.0.1", resolve));
    await untilPortAnswers(port, systemClock, forever);
    await expect(requireFreePorts({ XMPP: other, MQTT: port })).rejects.toThrow(
      `Port ${port} (MQTT) is taken by another program: stop that program or choose another port.`,
    );
    await new Promise(resolve => server.close(resolve));
  });
});
