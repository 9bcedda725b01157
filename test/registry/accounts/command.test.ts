// The operator's command: what it prints, what it refuses, and that a secret is shown once.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import { keysCommand } from "../../../src/registry/accounts/command.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";

let folder: string;
let clock: ManualClock;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-keys-"));
  clock = manualClock();
});
afterEach(() => rmSync(folder, { recursive: true }));

function keys(...args: string[]): { out: string; note: string } {
  const said = { out: "", note: "" };
  keysCommand(args, {
    database: () => join(folder, "registry.db"),
    out: text => {
      said.out += text;
    },
    note: text => {
      said.note += text;
    },
    clock,
    log: silentLog,
  });
  return said;
}
const bytes = () => Buffer.concat(readdirSync(folder).map(name => readFileSync(join(folder, name)))).toString("latin1");

it("the secret is shown once, ready for the settings of an appliance, and lies nowhere in the clear", () => {
  const { out, note } = keys("add", "Batch-07", "--owner", "Mill Lane 4", "--accounts", "2", "--days", "30");
  expect(out).toMatch(/^apiKey: Batch-07\napiSecretFile: api-secret .*\n# [\w-]{43}\naccountPrefix: batch-07$/m);
  expect(note).toContain("not shown again");
  const secret = /# ([\w-]{43})/.exec(out)?.[1] ?? "?";
  expect(keys("list").out + keys("show", "Batch-07").note + keys("list", "--json").out).not.toContain(secret);
  expect(bytes()).not.toContain(secret);
});

it("ACC-SRV-04: the list says the state of each, and who answers for it", async () => {
  expect(keys("list").note).toMatch(/No keys yet/);
  keys("add", "a1", "--owner", "ana@x.example", "--accounts", "5", "--network", "192.0.2.0/24", "--days", "1");
  keys("add", "b2", "--owner", "bob\u001b[2J", "--accounts", "5", "--prefix", "edge");
  keys("add", "c3", "--owner", "c", "--accounts", "1");
  keys("suspend", "b2");
  keys("revoke", "c3");
  await clock.advance(86_400_000);
  const lines = keys("list").out.split("\n");
  expect(lines[0]).toMatch(/^Key +State +Accounts +Prefix +Ends +From +Owner$/);
  expect(lines[1]).toMatch(/^a1 +ended +0 of 5 +a1 +\d{4}-\d\d-\d\d +192\.0\.2\.0\/24 +ana@x\.example$/);
  expect(lines[2]).toMatch(/^b2 +suspended +0 of 5 +edge +- +anywhere +bob\?\[2J$/);
  expect(lines[3]).toMatch(/^c3 +revoked /);
  keys("resume", "b2");
  expect(keys("list").out).toMatch(/^b2 +active/m);
});

it.for<[string[], RegExp]>([
  [["add", "there", "--owner", "x", "--accounts", "2"], /^there is a key there already$/],
  [["add", "b a d", "--owner", "x", "--accounts", "2"], /^a key is called by letters/],
  [["add", "n", "--accounts", "2"], /^say whose the key is/],
  [["add", "n", "--owner", "x"], /^--accounts is a number from 1/],
  [["add", "n", "--owner", "x", "--accounts", "1.5"], /^--accounts is a number from 1/],
  [["add", "n", "--owner", "x", "--accounts", "2", "--network", "10.0.0.1"], /^--network is an address range/],
  [["add", "n", "--owner", "x", "--accounts", "2", "--days", "soon"], /^--days is a number/],
  [["add", "n", "--owner", "x", "--accounts", "2", "--prefix", "Größe"], /^--prefix is made of/],
  [["add", "n", "--owner", "x", "--accounts", "2", "--rate", "0"], /^--rate is a number/],
  [["suspend", "nobody"], /^there is no key nobody: see/],
  [["resume", "gone"], /^gone was revoked, which is for good/],
  [["who", "nobody@hub.example"], /^no key made nobody@hub\.example/],
  [["frobnicate"], /^there is no "keys frobnicate"\nTry/],
  [["list", "all"], /^keys list is said otherwise/],
  [["show"], /^keys show is said otherwise/],
  [["add", "n", "--frob"], /Unknown option '--frob'/],
])("%j is refused with a sentence", ([args, sentence]) => {
  keys("add", "there", "--owner", "x", "--accounts", "2");
  keys("add", "gone", "--owner", "x", "--accounts", "2");
  keys("revoke", "gone");
  expect(() => keys(...args)).toThrow(sentence);
  expect(keys("list").out.split("\n")).toHaveLength(4);
});
