// How it ends: Ctrl-C, a second one, SIGTERM, a closed terminal, a parent that was killed. Nothing is left behind: no process,
// no folder, no pointer; and the exit code says that it was wanted.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { namespace } from "#iot/generations.ts";
import { parse } from "#xml/parser.ts";
import { forever, isAlive, temporaryFolder } from "../lab/scene.ts";
import { isthmusWrapped, pause, type Running, startCommand } from "./command-line.ts";
import { found, type House, ownerIn, startHouse, statusIn, uriOf, writeBoot } from "./house.ts";

/** All processes below this one, and it. */
function familyOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc").filter(one => /^\d+$/.test(one))) {
    try {
      const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, "utf8"))?.[1];
      parents.set(Number(name), Number(parent));
    } catch {
      // It ended while we looked.
    }
  }
  const family = [pid];
  for (const member of family) for (const [one, parent] of parents) if (parent === member) family.push(one);
  return family;
}
const commandOf = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
const allGone = (pids: readonly number[], ms = 15_000) =>
  found(`the end of ${pids}`, async () => (pids.some(isAlive) ? undefined : true), ms);

describe("the demonstration", () => {
  let home: Awaited<ReturnType<typeof temporaryFolder>>;
  let demo: Running;
  let family: number[];
  beforeEach(async () => {
    home = await temporaryFolder();
  });
  afterEach(async () => {
    for (const pid of family.filter(isAlive)) process.kill(pid, "SIGKILL");
    await home[Symbol.asyncDispose]();
  });

  const leader = () => demo.child.pid as number;
  /** Resolves when it shows itself; then its family is known. */
  async function start(how: "npm" | "isthmus", until = /Ctrl-C ends the demonstration/): Promise<void> {
    const env = { TMPDIR: home.path };
    demo =
      how === "npm"
        ? startCommand("npm", ["run", "demo"], { env, group: true })
        : isthmusWrapped(["demo"], { env, group: true });
    family = [leader()];
    await demo.says(until);
    family = familyOf(leader());
  }
  const left = () => readdirSync(home.path).filter(name => name.startsWith("isthmus-"));

  it("has its parts, its folder and its pointer while it runs; Ctrl-C in its terminal ends all of it", async () => {
    await start("npm");
    const commands = family.map(commandOf).join("\n");
    for (const part of [/prosody/, /mosquitto/, /registry\/main\.ts/, /cli\/main\.ts run/])
      expect(commands).toMatch(part);
    expect(left()).toHaveLength(2);
    process.kill(-leader(), "SIGINT");
    const { code, err } = await demo.ended;
    await allGone(family);
    expect(left()).toEqual([]);
    expect(err).not.toMatch(/Error|\n\s+at /);
    expect([0, 130]).toContain(code);
  }, 60_000);

  it.for(["SIGINT", "SIGTERM", "SIGHUP"] as const)("%s to it alone ends all of it, with exit code 0", async signal => {
    await start("isthmus");
    process.kill(leader(), signal);
    expect(await demo.ended).toMatchObject({ code: 0, err: "" });
    await allGone(family);
    expect(left()).toEqual([]);
  });

  it("Ctrl-C while it starts ends what has begun", async () => {
    await start("isthmus", /Starting broker/);
    await pause(400);
    family = familyOf(leader());
    expect(family.length).toBeGreaterThan(2);
    process.kill(-leader(), "SIGINT");
    const { code, err } = await demo.ended;
    expect([code, err]).toEqual([130, ""]);
    await allGone(family);
    expect(left()).toEqual([]);
  }, 60_000);

  it("a second Ctrl-C does not wait for a part that hangs, and leaves nothing behind either", async () => {
    await start("isthmus");
    const hanging = family.find(pid => /mosquitto/.test(commandOf(pid))) as number;
    process.kill(hanging, "SIGSTOP");
    process.kill(leader(), "SIGINT");
    await pause(1_200);
    expect(isAlive(leader())).toBe(true);
    process.kill(leader(), "SIGINT");
    expect((await demo.ended).code).toBe(130);
    await allGone(family, 2_000);
    expect(left()).toEqual([]);
  }, 60_000);

  it("npm is killed (-9): the rest notices, and tidies up", async () => {
    await start("npm");
    process.kill(leader(), "SIGKILL");
    await allGone(family);
    expect(left()).toEqual([]);
  }, 60_000);

  it("the demonstration itself is killed (-9): none of its parts outlives it", async () => {
    await start("isthmus");
    const itself = family.find(pid => /cli\/main\.ts demo/.test(commandOf(pid))) as number;
    process.kill(itself, "SIGKILL");
    expect((await demo.ended).code).toBe(137);
    await allGone(family);
  }, 60_000);
});

describe("the appliance", () => {
  let house: House;
  beforeAll(async () => {
    const meter = (id: string, settings = {}) => ({ type: "sim.meter", id, settings });
    const site = JSON.stringify({ nodes: [meter("quick"), meter("slow", { latencyMs: 3_000, timeoutMs: 5_000 })] });
    house = await startHouse({ site, people: ["owner"] });
    await house.registry.start();
  }, 60_000);
  afterAll(() => house?.[Symbol.asyncDispose]());

  it.for(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "without a broker: %s ends it at once, with exit code 0",
    async signal => {
      const folder = join(house.folder, `alone-${signal}`);
      const file = writeBoot(house.folder, `alone-${signal}`, { host: "127.0.0.1", port: 1, dataFolder: folder });
      const running = isthmusWrapped(["run", "--config", file]);
      await found("the status", () => statusIn(folder));
      running.child.kill(signal);
      expect((await running.ended).code).toBe(0);
      expect(readdirSync(folder)).not.toContain("status.sock");
      expect((await running.ended).err).not.toMatch(/^error/m);
    },
  );

  it("in the middle of readouts and with people connected: SIGTERM ends it in time, without an error in its log", async () => {
    await house.edge.start();
    const owner = await house.client("owner");
    const hand = await house.peer("owner");
    const status = await house.statusWhere("registered", one => one.nodes[0]?.thing?.uri !== undefined);
    await owner.owner.claim(uriOf(status, ""), true, forever);
    await house.statusWhere("claimed", one => ownerIn(one, "") !== undefined);
    const to = await owner.appliance(forever, status.connection.jid.split("/")[0]);
    const ns = namespace("sensorData", "nf");
    const ask = (id: string) =>
      hand.session.request(
        "get",
        to,
        parse(`<req xmlns='${ns}' id='${id}' m='true'><nd id='slow' src='MeteringTopology'/></req>`),
      );
    expect((await ask("started"))?.name).toBe("started");
    // Not answered yet when the end comes, and then nothing is said any more.
    ask("unanswered").catch(() => {});
    await pause(50);
    const began = performance.now();
    await house.edge.stop();
    expect(performance.now() - began).toBeLessThan(5_000);
    const log = house.edge.output();
    expect(log.split("\n").filter(line => /^(error|warning)/.test(line))).toEqual([]);
    expect(readdirSync(house.dataFolder)).not.toContain("status.sock");
    // The farewell reached the broker: others see it go.
    await found("unavailable", async () =>
      hand.presences.some(({ attrs }) => attrs.from === to && attrs.type === "unavailable") ? true : undefined,
    );
  }, 60_000);
});
