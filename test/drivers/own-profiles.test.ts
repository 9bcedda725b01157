// Profiles as text: what is wrong with one stands at its line and column, with what is expected; and the owner's folder of them.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readOwnProfiles } from "#drivers/own-profiles.ts";
import { readProfile } from "#drivers/profile-file.ts";
import { profileKinds } from "#drivers/profile-kinds.ts";
import { nearest } from "#drivers/profile-words.ts";

const good = `protocol: modbus
name: acme-hp7
manufacturer: Acme
model: HP 7
fields:
  - field: Supply Temperature
    address: 10
    type: int16
    scale: 0.1
    unit: Cel
examples:
  - { field: Supply Temperature, registers: "00d7", value: 21.5 }
`;

/** "line:column place: what" and the advice. */
function faultsOf(text: string): string[] {
  const read = readProfile(text, profileKinds);
  if (!("faults" in read)) return [];
  return read.faults.map(
    ({ line, column, place, what, advice }) =>
      `${line}:${column} ${place}: ${what}${advice === undefined ? "" : ` (${advice})`}`,
  );
}

describe("faults", () => {
  it("none, and the examples run", () => {
    expect(readProfile(good, profileKinds)).toMatchObject({
      profile: { name: "acme-hp7", class: "Meter" },
      examples: [{ line: 12, column: 5, good: true, got: "21.5 Cel" }],
    });
  });

  it.each([
    [
      "a tab",
      good.replace("  - field", "\t- field"),
      "6:1 : this is no YAML: Tabs are not allowed as indentation (indent with blanks, not with tabs)",
    ],
    ["a word twice", `${good}model: X\n`, "13:1 : this is no YAML: Map keys must be unique (each name stands once)"],
    ["a list", "- a\n", "1:1 : a profile is expected: lines of the form name: value (isthmus profile show prints one)"],
    ["nothing", "", "1:1 : a profile is expected: lines of the form name: value (isthmus profile show prints one)"],
    [
      "another protocol",
      good.replace("modbus", "modbsu"),
      '1:11 protocol: "modbsu" is no protocol; expected: modbus or mbus (did you mean modbus?)',
    ],
    [
      "no protocol",
      good.replace("protocol: modbus\n", ""),
      "1:1 protocol: protocol is missing; expected: modbus or mbus",
    ],
    [
      "a misspelt word",
      good.replace("scale", "scael"),
      "9:5 fields[1].scael: there is nothing called scael here (did you mean scale?)",
    ],
    [
      "a word of others",
      good.replace("    address", "    register"),
      "7:5 fields[1].register: there is nothing called register here (did you mean address?)",
    ],
    [
      "a missing value",
      good.replace("    address: 10\n", ""),
      "6:5 fields[1].address: it is missing; expected: a number",
    ],
    [
      "a comma in a number",
      good.replace("0.1", "0,1"),
      '9:12 fields[1].scale: "0,1" is no number (decimals stand behind a point: 0.1)',
    ],
    [
      "a unit at a number",
      good.replace("address: 10", "address: 10h"),
      "7:14 fields[1].address: 10h is no address; expected: 17, 0x0011 or 4x0018",
    ],
    [
      "registers without quotes",
      good.replace('"00d7"', "0010"),
      '12:45 examples[1].registers: 10 is no text (put it in quotes, so that zeros in front are kept: "0010")',
    ],
    ["an unknown type", good.replace("int16", "itn16"), "did you mean int16?"],
    [
      "a name for people",
      good.replace("acme-hp7", "Acme HP"),
      '2:7 name: "Acme HP" does not look right; expected: small letters, digits and hyphens: acme-heat-pump-7',
    ],
    [
      "a number that is a word",
      good.replace("model: HP 7", "model: 630"),
      '4:8 model: 630 is no text (put it in quotes, so that zeros in front are kept: "630")',
    ],
    ["a scale of 0", good.replace("0.1", "0"), "9:12 fields[1].scale: a scale of 0 makes everything 0"],
    [
      "a register beyond",
      good.replace("10", "70000"),
      '7:14 fields[1].address: there is no register 70000 when the numbering is "wire"; 40001 and the like need numbering: modicon',
    ],
    [
      "the end of the registers",
      good.replace("10\n    type: int16", "65535\n    type: int32"),
      "7:14 fields[1].address: its 2 registers end behind the last one, 65535",
    ],
    [
      "a text without length",
      good.replace("int16", "string"),
      "8:11 fields[1].type: a text needs words: how many registers it has",
    ],
    ["an enum without names", good.replace("int16", "enum"), "8:11 fields[1].type: an enum needs names: 0: Off, 1: On"],
    [
      "a pattern too short",
      good.replace("int16", 'int32\n    noValue: "8000"'),
      "9:14 fields[1].noValue: it is compared with all 2 registers: 8 hexadecimal digits",
    ],
    [
      "writing what can only be read",
      good.replace("int16", "int16\n    table: input\n    writable: true"),
      "10:15 fields[1].writable: the input table can only be read",
    ],
    [
      "bounds the wrong way round",
      good.replace("int16", "int16\n    writable: { min: 5, max: 1 }"),
      "9:30 fields[1].writable.max: it is less than min",
    ],
    [
      "an example of no field",
      good.replace("{ field: Supply", "{ field: Nowhere"),
      "12:14 examples[1].field: there is no field Nowhere Temperature in this profile",
    ],
    [
      "an example too long",
      good.replace("00d7", "00d7 0000"),
      "12:45 examples[1].registers: Supply Temperature has 1 register, and these are 2",
    ],
  ])("%s", (_, text, wanted) => {
    expect(faultsOf(text).join("\n")).toContain(wanted);
  });

  it("a field that is there twice, and one that no single read can hold", () => {
    const twice = good.replace("examples:", "  - { field: Supply Temperature, address: 11 }\nexamples:");
    expect(faultsOf(twice)).toEqual(["11:14 fields[2].field: Supply Temperature is there already, as number 1"]);
    const wide = good.replace("fields:", "limits: { wordsMax: 1 }\nfields:").replace("int16", "int32");
    expect(faultsOf(wide).join()).toContain("its 2 registers do not fit into one read of 1");
  });

  it("several at once, in the order of the file", () => {
    const text = good.replace("model:", "modell:").replace("int16", "real").replace("unit:", "units:");
    expect(faultsOf(text).map(one => one.split(" ")[0])).toEqual(["1:1", "4:1", "8:11", "10:5"]);
  });

  it("M-Bus: a rule that says nothing, a record that cannot be told, a telegram of another meter", () => {
    const head = "protocol: mbus\nname: own\nmanufacturer: Own\nmodel: One\n";
    expect(faultsOf(`${head}records:\n  - when: { quantity: energy }\n`)).toEqual([
      "6:5 records[1]: it says which record, but not what to make of it",
    ]);
    expect(faultsOf(`${head}records:\n  - { when: {}, hide: true }\n`)).toEqual([
      "6:13 records[1].when: say at least one thing that the record has",
    ]);
    expect(faultsOf(`${head}match: { manufacturer: abc }\n`)[0]).toContain("three capital letters");
    const read = readProfile(
      `${head}match: { manufacturer: ABC }\nexamples:\n  - telegram: 6813136808B773628037440302C26962095530810356068F16\n    fields: {}\n  - telegram: FFFF\n    fields: {}\n`,
      profileKinds,
    );
    expect("examples" in read && read.examples.map(({ line, good, got }) => [line, good, got])).toEqual([
      [9, false, expect.stringContaining("cannot be read")],
    ]);
  });

  it("aliases that unfold to more than a file, and a file longer than any profile, are refused", () => {
    const bomb = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
    for (let n = 0; n < 8; n++) {
      const before = String.fromCharCode(97 + n);
      bomb.push(
        `${String.fromCharCode(98 + n)}: &${String.fromCharCode(98 + n)} [${Array(10).fill(`*${before}`).join(", ")}]`,
      );
    }
    expect(faultsOf(bomb.join("\n")).join()).toContain("aliases");
    expect(faultsOf("#".repeat(300_000)).join()).toContain("longer than 262144");
  });

  it("any text ends in a profile or in faults, each with a place in the file", () => {
    const word = fc.constantFrom(
      "protocol: modbus",
      "name: a",
      "fields:",
      "  - field: A",
      "    address: 1",
      "examples:",
      "? x",
      "{",
      "&a",
      "*a",
      "- ",
      "!!binary x",
      "<<: *a",
      "protocol: mbus",
      "records:",
      "\t",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.string()), { maxLength: 30 }), lines => {
        const read = readProfile(lines.join("\n"), profileKinds);
        if ("faults" in read) {
          expect(read.faults.length).toBeGreaterThan(0);
          for (const { line, column } of read.faults)
            expect(line >= 1 && column >= 1 && line <= lines.length + 2).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

it("a word is taken for the one that is at most two letters away", () => {
  expect(nearest("adress", ["address", "type"])).toBe("address");
  expect(nearest("TYPE", ["address", "type"])).toBe("type");
  expect(nearest("xy", ["address", "type"])).toBeUndefined();
  expect(nearest("", ["a"])).toBeUndefined();
});

describe("the folder of own profiles", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "isthmus-profiles-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const put = (name: string, text: string) => writeFileSync(join(folder, name), text);

  it("one that is wrong is left out, and the others are there", () => {
    put("a.yaml", good);
    put("b.yml", good.replace("acme-hp7", "acme-hp8"));
    put("c.yaml", good.replace("acme-hp7", "acme-hp9").replace("21.5", "21.6"));
    put("d.yaml", "protocol: nothing\n");
    put("e.yaml", good);
    put("f.txt", "no profile");
    put(".g.yaml.swp", "left behind");
    mkdirSync(join(folder, "h.yaml"));
    const { profiles, faults } = readOwnProfiles(folder, profileKinds);
    expect(profiles.map(({ name }) => name)).toEqual(["acme-hp7", "acme-hp8"]);
    expect(faults.map(({ file, line, what }) => `${file}:${line}: ${what}`)).toEqual([
      "c.yaml:12: Supply Temperature: 21.6 Cel is expected, and it is: 21.5 Cel",
      'd.yaml:1: "nothing" is no protocol; expected: modbus or mbus',
      "e.yaml:1: acme-hp7 is the name of the profile in a.yaml too",
      "h.yaml:1: the file cannot be read: EISDIR",
    ]);
  });

  it("a folder that is not there holds nothing", () => {
    expect(readOwnProfiles(join(folder, "none"), profileKinds)).toEqual({ profiles: [], faults: [] });
  });
});

it("the profiles of docs/profiles.md are right, and their examples too", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/profiles.md"), "utf8");
  const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = ""]) => text);
  expect(blocks.length).toBe(2);
  for (const text of blocks) {
    const read = readProfile(text, profileKinds);
    if ("faults" in read) throw new Error(JSON.stringify(read.faults));
    expect(read.examples.length).toBeGreaterThan(3);
    expect(read.examples.filter(one => !one.good)).toEqual([]);
  }
});
