// `isthmus labels` as a technician uses it at the machine: the program in a process of its own, the appliance's real socket.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { serveStatus } from "#link/status-socket.ts";
import type { StatusNode } from "../../src/cli/status-text.ts";
import { isthmus } from "../e2e/command-line.ts";
import { meter, registry, uriOf } from "../labels/faces.ts";
import { codeIn, pdfPages, pdfText, readPng, zplLabels } from "../labels/reading.ts";

let folder: string;
let stop: AbortController;
let serving: Promise<void>;
let nodes: StatusNode[];

const ref = (nodeId: string, partition = "") => ({ nodeId, sourceId: "MeteringTopology", partition });
const base = { state: "None", message: "", type: "mbus.meter" } as const;

function node(number: number, state: "registered" | "claimed" | "unregistered", line = "attic"): StatusNode {
  const { name, serial, model, room } = meter(number);
  const uri = state === "registered" ? uriOf(number) : undefined;
  const owner = state === "claimed" ? "ana@home.example" : undefined;
  return {
    ...base,
    ref: ref(`heat-${number}`, line),
    parent: line,
    name,
    thing: { state, owner, uri, serial, model, room },
  };
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-labels-cli-"));
  mkdirSync(join(folder, "data"), { mode: 0o700 });
  const claimed = {
    state: "claimed",
    owner: "o@home.example",
    uri: undefined,
    serial: "",
    model: "Isthmus",
    room: "Cellar",
  };
  nodes = [
    { ...base, ref: { nodeId: "", sourceId: "", partition: "" }, name: "House 12", thing: claimed },
    { ...base, ref: ref("attic"), name: "Attic" },
    node(1, "registered"),
    node(2, "claimed"),
    node(3, "unregistered"),
    { ...base, ref: ref("cellar"), name: "Cellar" },
    node(4, "registered", "cellar"),
  ];
  stop = new AbortController();
  const connection = { phase: "online", jid: "gw@home.example", since: 0, reason: "" };
  const status = () => ({
    name: "House 12",
    language: "de",
    version: "0",
    upSeconds: 1,
    connection,
    registry,
    provisioning: "",
    nodes,
  });
  serving = serveStatus(join(folder, "data", "status.sock"), status, stop.signal);
  while (!existsSync(join(folder, "data", "status.sock"))) await clock.sleep(5, stop.signal);
});
afterEach(async () => {
  stop.abort();
  await serving;
  rmSync(folder, { recursive: true, force: true });
});

const labels = (...args: readonly string[]) => isthmus(["labels", "--data", join(folder, "data"), ...args]).ended;
const out = (name: string) => join(folder, name);
const files = () => readdirSync(folder).filter(name => name !== "data");

describe("isthmus labels", { timeout: 60_000 }, () => {
  it("a label for each thing, in the appliance's language; what is said has no code in it", async () => {
    const { code, out: said, err } = await labels("--out", out("a.pdf"));
    expect([code, err]).toEqual([0, ""]);
    expect(said).toContain(`5 labels, 2 with a code: ${out("a.pdf")}\n`);
    expect(said).toContain("Without a code, not being registered yet: heat-3 (attic).");
    expect(said).not.toMatch(/iotdisco|KEY/);
    expect(pdfPages(out("a.pdf"), 300).map(page => codeIn(page))).toEqual([
      undefined,
      uriOf(1),
      undefined,
      undefined,
      uriOf(4),
    ]);
    const text = pdfText(out("a.pdf"));
    for (const words of ["Seriennummer", "Beansprucht", "66120002", "things.house.example"])
      expect(text).toContain(words);
    expect(text).not.toContain("ana@home.example");
  });

  it.each([
    [["--node", "heat-1"], [uriOf(1)]],
    [
      ["--node", "heat-1@attic", "--node", "appliance"],
      [undefined, uriOf(1)],
    ],
    [["--line", "cellar"], [uriOf(4)]],
    [["--unclaimed"], [uriOf(1), uriOf(4)]],
    [["--unclaimed", "--line", "attic"], [uriOf(1)]],
  ])("%j", async (chosen, codes) => {
    expect((await labels(...chosen, "--out", out("a.zpl"), "--size", "2x1in")).code).toBe(0);
    expect(zplLabels(readFileSync(out("a.zpl"), "latin1")).map(({ picture }) => codeIn(picture))).toEqual(codes);
  });

  it("--lang, --sheet, --skip, --format", async () => {
    expect(
      (await labels("--out", out("a"), "--format", "png", "--sheet", "l7160", "--skip", "20", "--lang", "sv")).code,
    ).toBe(0);
    expect(files().sort()).toEqual(["a-1", "a-2"]);
    expect(readPng(out("a-1")).width).toBe(4961);
  });

  it("for programs: one value a label and one for the files, never a code", async () => {
    const { out: said } = await labels("--json", "--out", out("a.svg"), "--line", "cellar");
    const values = said
      .trim()
      .split("\n")
      .map(line => JSON.parse(line));
    expect(values).toMatchObject([
      { ref: ref("heat-4", "cellar"), serial: "66120004", state: "registered", hasCode: true },
      { files: [out("a.svg")], pages: 1, missing: [] },
    ]);
    expect(said).not.toContain("iotdisco");
  });

  it("which labels are out of date, and only those", async () => {
    await labels("--out", out("a.pdf"));
    const before = await labels("--list", "--json");
    expect(labelStates(before.out)).toEqual(["current", "current", "current", "current", "current"]);
    expect((await labels("--out", out("b.pdf"), "--outdated")).err).toBe(
      "There is no such label to make: see `isthmus labels --list`.\n",
    );
    // Somebody claimed one, one was registered, one hangs in another room now, and one has a new code.
    nodes[2] = node(1, "claimed");
    nodes[4] = node(3, "registered");
    nodes[3] = { ...node(2, "claimed"), name: "Meter 2" };
    const { thing, ...rest } = node(4, "registered", "cellar");
    nodes[6] = { ...rest, thing: { ...thing, state: "registered", uri: uriOf(44) } };
    expect(labelStates((await labels("--list", "--json")).out)).toEqual([
      "current",
      "claimed",
      "words",
      "code",
      "code",
    ]);
    expect((await labels("--list")).out).toMatch(
      /heat-1 .*out of date: the thing is claimed, its code is worth nothing/,
    );
    expect((await labels("--out", out("b.zpl"), "--outdated")).out).toContain("4 labels, 2 with a code");
    expect(labelStates((await labels("--list", "--json")).out)).toEqual(Array(5).fill("current"));
    const kept = readFileSync(join(folder, "data", "labels.json"), "utf8");
    expect(kept).not.toMatch(/iotdisco|KEY|aaaa/);
    expect(labelStates((await labels("--list", "--json", "--outdated")).out)).toEqual([]);
  });

  it("a damaged list of labels that were made is no reason to make none", async () => {
    writeFileSync(join(folder, "data", "labels.json"), "{");
    expect(labelStates((await labels("--list", "--json")).out)).toEqual(Array(5).fill("never"));
    expect((await labels("--out", out("a.pdf"))).code).toBe(0);
  });

  it.each([
    [[], 2, /say with --out/],
    [["--out", "a.doc"], 2, /does not say what to write/],
    [["--out", "a.pdf", "--format", "doc"], 2, /--format is pdf, png, svg, zpl, not "doc"/],
    [["--out", "a.pdf", "--size", "62"], 2, /--size is one of 62x29/],
    [["--out", "a.pdf", "--size", "5000x20mm"], 2, /from 15 to 300 mm/],
    [["--out", "a.pdf", "--sheet", "L1"], 2, /there is no sheet "L1" here: .*L7160/],
    [["--out", "a.pdf", "--sheet", "L7160", "--size", "62x29"], 2, /not both/],
    [["--out", "a.pdf", "--skip", "3"], 2, /--skip goes with --sheet/],
    [["--out", "a.pdf", "--sheet", "L7160", "--skip", "21"], 2, /--skip is a number from 0 to 20/],
    [["--out", "a.zpl", "--sheet", "L7160"], 2, /not for zpl/],
    [["--out", "a.png", "--copies", "2"], 2, /--copies of a picture/],
    [["--out", "a.pdf", "--copies", "0"], 2, /--copies is a number from 1 to 100/],
    [["--out", "a.pdf", "--dpi", "72"], 2, /--dpi is a number from 150/],
    [["--out", "a.pdf", "--lang", "fr"], 2, /labels speak en, sv, de, es, not "fr"/],
    [["--out", "a.pdf", "--node", "heat-9"], 2, /there is no thing "heat-9" here/],
    [["--out", "a.pdf", "--line", "roof"], 2, /nothing hangs on a line "roof"; there are attic, cellar/],
    [["--out", "a.pdf", "--rotate"], 2, /say as whom with --as/],
    [["--list", "--rotate"], 2, /--rotate goes with --out/],
    [["--out", "a.pdf", "--as", "me"], 2, /--data is of this machine/],
    [["--out", "/proc/none/a.pdf"], 1, /cannot be written: there is no such folder/],
    [["--out", "a.pdf", "--font", "/etc/hostname"], 1, /is not a TrueType or OpenType font/],
    [["--out", "a.pdf", "--size", "40x16"], 1, /its code needs \d+ mm in height.*Nothing was written/],
  ])("%j is answered with a sentence", async (args, code, sentence) => {
    const words = args.map(word => (/^a\./.test(word) ? out(word) : word));
    const ended = await labels(...words);
    expect(ended.err).toMatch(sentence);
    expect(ended.err).not.toMatch(/\n\s+at |iotdisco/);
    expect(ended.code).toBe(code);
    expect(files()).toEqual([]);
  });

  it("without an appliance it says so, and what else can be done", async () => {
    const ended = await isthmus(["labels", "--data", folder, "--list"]).ended;
    expect(ended.err).toMatch(/^No appliance is running with .* say as whom with --as\.\n$/);
    expect(ended.code).toBe(1);
  });
});

const labelStates = (said: string): string[] =>
  said
    .split("\n")
    .filter(line => line !== "")
    .map(line => JSON.parse(line).label);
