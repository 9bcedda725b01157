// `isthmus profile …` as a technician types it.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CommandBody } from "#cli/command.ts";
import { profileList, profileShow, profileTest } from "#cli/commands/profile.ts";
import { createOutput } from "#cli/output.ts";

let folder: string;
const put = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const good = `protocol: modbus
name: acme-hp7
manufacturer: Acme
model: HP 7
fields:
  - { field: Supply Temperature, address: 10, type: int16, scale: 0.1, unit: Cel, noValue: "8000" }
examples:
  - { field: Supply Temperature, registers: "00d7", value: 21.5 }
  - { field: Supply Temperature, registers: "8000", value: null }
`;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-profile-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run(command: CommandBody, words: string[], flags: string[] = []) {
  let text = "";
  const code = await command.run({
    words,
    text: () => undefined,
    texts: () => [],
    flag: name => flags.includes(name),
    out: createOutput(flags.includes("json"), more => {
      text += more;
    }),
    signal: new AbortController().signal,
  });
  return { code, lines: text.trimEnd().split("\n") };
}

describe("profile list", () => {
  it("all of them, or those about a word; --json one a line", async () => {
    const { code, lines } = await run(profileList, ["eastron", "sdm72"]);
    expect(code).toBe(0);
    expect(lines.slice(2)).toEqual([
      "eastron-sdm72     Modbus  Eastron  SDM72     ElectricityMeter",
      "eastron-sdm72-v2  Modbus  Eastron  SDM72 v2  ElectricityMeter",
    ]);
    const all = await run(profileList, [], ["json"]);
    expect(all.lines.length).toBeGreaterThan(50);
    expect(all.lines.map(line => JSON.parse(line))).toContainEqual({
      name: "kamstrup-multical-601",
      protocol: "mbus",
      manufacturer: "Kamstrup",
      model: "MULTICAL 601",
      class: "HeatMeter",
    });
    await expect(run(profileList, ["nobody"])).rejects.toThrow("No built-in profile is about nobody.");
  });
});

describe("profile show and test", () => {
  it("what is shown is a profile, which is right under another name too", async () => {
    const { lines } = await run(profileShow, ["orno-we-504"]);
    const copy = put("copy.yaml", lines.join("\n").replace("name: orno-we-504", "name: my-orno"));
    const { code, lines: told } = await run(profileTest, [copy]);
    expect(code).toBe(0);
    expect(told[0]).toBe(`${copy}: Orno WE-504 (my-orno)`);
    expect(told.at(-1)).toBe(`${copy} is right: 9 values as expected.`);
    await expect(run(profileShow, ["nobody"])).rejects.toThrow("There is no built-in profile nobody");
  });

  it("every built-in profile passes", async () => {
    const { lines } = await run(profileList, [], ["json"]);
    const names = lines.map(line => JSON.parse(line).name as string);
    const { code, lines: told } = await run(profileTest, names, ["quiet"]);
    expect([code, told.filter(line => /WRONG|:\d+:\d+:/.test(line))]).toEqual([0, []]);
  });

  it("each example with what it should be and what it is", async () => {
    const file = put("good.yaml", good);
    const { code, lines } = await run(profileTest, [file]);
    expect(code).toBe(0);
    expect(lines.slice(1)).toEqual([
      "Line  Field               Raw   Expected  Got",
      "────  ──────────────────  ────  ────────  ────────────────────────────────────────  ──",
      "8     Supply Temperature  00d7  21.5 Cel  21.5 Cel                                  ok",
      "9     Supply Temperature  8000  no value  no value (the unit says no value (8000))  ok",
      `${file} is right: 2 values as expected.`,
    ]);
  });

  it("a wrong example, a wrong file, one that is not there, two of one name: exit code 1, the others are tested all the same", async () => {
    const wrong = put("wrong.yaml", good.replace("acme-hp7", "acme-hp8").replace("21.5", "215"));
    const faulty = put("faulty.yaml", good.replace("int16", "itn16"));
    const file = put("good.yaml", good);
    const twin = put("twin.yaml", good);
    const none = join(folder, "none.yaml");
    const { code, lines } = await run(profileTest, [wrong, faulty, none, file, twin], ["quiet"]);
    expect(code).toBe(1);
    expect(lines.filter(line => !/^(Line|─)/.test(line))).toEqual([
      "8     Supply Temperature  00d7  215 Cel   21.5 Cel  WRONG",
      `${wrong}: 1 of 2 values wrong.`,
      expect.stringContaining(`${faulty}:6:53: fields[1].type: "itn16" is not known here; expected: int16,`),
      "    did you mean int16?",
      `${none}:1:1: the file cannot be read: ENOENT`,
      `${twin}:1:1: name: acme-hp7 is the name of the profile in ${file} too`,
    ]);
    const { lines: values } = await run(profileTest, [wrong, faulty], ["json"]);
    expect(values.map(line => JSON.parse(line))).toMatchObject([
      {
        file: wrong,
        good: false,
        name: "acme-hp8",
        examples: [{ line: 8, got: "21.5 Cel", good: false }, { good: true }],
      },
      { file: faulty, good: false, faults: [{ line: 6, column: 53, advice: "did you mean int16?" }] },
    ]);
  });

  it("a folder stands for what is in it, and one without profiles says so", async () => {
    const { code } = await run(profileTest, [folder], ["quiet"]);
    expect(code).toBe(1);
    const empty = mkdtempSync(join(tmpdir(), "isthmus-empty-"));
    await expect(run(profileTest, [empty])).rejects.toThrow("holds no profiles");
    rmSync(empty, { recursive: true });
  });

  it("without examples it is right, but nothing shows it", async () => {
    const file = put("bare.yaml", good.replace(/examples:[\s\S]*/, ""));
    const { code, lines } = await run(profileTest, [file]);
    expect([code, lines.at(-1)]).toEqual([
      0,
      `${file} is right, but has no examples: nothing shows that its values are.`,
    ]);
  });
});
