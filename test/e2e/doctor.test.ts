// `isthmus doctor` as a technician uses it, each command in a process of its own, on the demonstration's lines with their dead
// devices and the noisy meter; the trace it writes, decoded; and a register whose byte order is picked and becomes a field.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startWorld, type World } from "#cli/demo/world.ts";
import { forever, temporaryFolder } from "../lab/scene.ts";
import { isthmus } from "./command-line.ts";
import { found, ownerIn, uriOf } from "./house.ts";

const home = await temporaryFolder();
const before = { ...process.env };
let world: World;

beforeAll(async () => {
  process.env.TMPDIR = home.path;
  process.env.ISTHMUS_IDENTITIES = join(home.path, "own identities");
  world = await startWorld(() => {}, forever);
  const status = await found("registered", () =>
    world.statusWhere(({ nodes }) => nodes.some(({ ref, thing }) => ref.nodeId === "" && thing?.uri !== undefined)),
  );
  const owner = await world.client("owner");
  await owner.owner.claim(uriOf(status, ""), true, forever);
  await found("claimed", () => world.statusWhere(one => ownerIn(one, "") !== undefined));
  await owner.appliance(forever, world.applianceJid());
}, 120_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  for (const name of ["TMPDIR", "ISTHMUS_IDENTITIES"]) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  await home[Symbol.asyncDispose]();
});

const run = (...words: string[]) => isthmus([...words, "--as", "owner"]).ended;

describe("isthmus doctor", () => {
  it("examines all lines at once and says of each what is wrong; the exit code too", async () => {
    const { code, out, err } = await run("doctor", "--seconds", "5");
    expect([code, err]).toEqual([1, ""]);
    const [attic = "", cellar = "", shaft = "", boiler = ""] = out.split(/^(?=\S+ {2}M(?:-B|odb)us in )/m);
    expect(attic).toMatch(/^attic-mbus {2}M-Bus in the attic\n[\s\S]*^Result\nNo fault was seen: /m);
    expect(cellar).toMatch(/^cellar-modbus {2}Modbus in the cellar\n[\s\S]*No fault was seen: /);
    expect(shaft).toMatch(/^What is certain\nWarning: Unit 13 is not there\.\n.*\n.*power.*\n/m);
    expect(shaft).toMatch(/Disturbances on the cable: [\s\S]*Most of all from: 12\./);
    expect(boiler).toMatch(/^Warning: Unit 9 is not there\.$/m);
    expect(boiler).toMatch(/^Unit +Answers +Shortest +Median +95 % within +Next try in$/m);
  }, 60_000);

  it("writes a trace of one line meanwhile, which decode reads", async () => {
    const file = join(home.path, "shaft.trace");
    const { code, out } = await run("doctor", "--line", "shaft-mbus", "--seconds", "4", "--trace", file);
    expect(code).toBe(1);
    expect(out).toMatch(/^\d+ frames and remarks are written to /m);
    const trace = readFileSync(file, "utf8");
    expect(trace).toMatch(/^# \S+Z isthmus trace of shaft-mbus/);
    expect(trace).toMatch(/^\S+Z tx 10 40 0B 4B 16$/m);
    expect(trace).toMatch(/^\S+Z rx E5$/m);
    const decoded = await isthmus(["decode", "mbus", "--json"], { stdin: trace }).ended;
    const telegrams = decoded.out
      .trim()
      .split("\n")
      .map(line => JSON.parse(line));
    expect(telegrams.some(({ header }) => header?.id === "41907711")).toBe(true);
  }, 60_000);

  it("speaks the asker's language, and JSON to programs", async () => {
    const { out } = await run("doctor", "--line", "boiler-room", "--seconds", "3", "--lang", "de");
    expect(out).toMatch(/^Was sicher ist\nWarning: Die Einheit 9 ist nicht da\.$/m);
    const asJson = await run("doctor", "--line", "boiler-room", "--seconds", "2", "--watch-only", "--json");
    const items = asJson.out
      .trim()
      .split("\n")
      .map(line => JSON.parse(line));
    expect(items[0]).toMatchObject({ line: { nodeId: "boiler-room" } });
    expect(items.at(-1)).toEqual({ kind: "done" });
  }, 60_000);

  it("says what is wrong with what it was told", async () => {
    expect(await run("doctor", "--seconds", "0")).toMatchObject({ code: 2, out: "" });
    const two = await run("doctor", "--trace", join(home.path, "x"));
    expect([two.code, two.err]).toEqual([2, expect.stringContaining("say --line, one of attic-mbus")]);
    expect((await run("doctor", "--line", "heat-3")).err).toMatch(/heat-3 is no line that could be examined/);
    expect((await run("doctor", "--line", "boiler-room", "--trace", home.path)).err).toMatch(/cannot be written/);
    expect((await isthmus(["doctor", "--as", "stranger"]).ended).code).toBe(1);
  }, 60_000);
});

it("a value is found by what the display shows, and becomes a field that is read", async () => {
  const looked = await run(
    ...["query", "pumps-2", "FindValue", "--set", "table=input", "--set", "address=3x0073", "--set", "count=2"],
    ...["--set", "shown=1843.7 kWh"],
  );
  expect(looked.out).toMatch(/^ +1 +1843\.7\S* +\d+ % +72 +float32 +ABCD +1$/m);
  const field = ["--set", "choice=1", "--set", "fieldName=Energy Found", "--set", "unit=kWh"];
  expect((await run("run-command", "pumps-2", "AddFoundValue", ...field)).out).toMatch(/The field was added/);
  const read = await run("read", "energy-found-2-72", "--category", "all");
  expect(read.out).toMatch(/Energy Found +1843\.7\d* kWh/);
}, 60_000);
