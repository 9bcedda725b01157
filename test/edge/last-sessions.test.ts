// Sessions that ended without a word: known again at the next start, each once.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createLastSessions } from "../../src/edge/last-sessions.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-sessions-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const jid = (resource: string) => `gw@hub.example/${resource}`;

it("PRES-ID-03: what was bound before, in this run or an earlier one, is ours; each is seen once a session", () => {
  const first = createLastSessions(folder);
  first.began(jid("a"));
  expect([first.isFormer(jid("a")), first.isFormer(jid("thief"))]).toEqual([false, false]);
  const second = createLastSessions(folder);
  second.began(jid("b"));
  expect([second.isFormer(jid("a")), second.isFormer(jid("a"))]).toEqual([true, false]);
  second.began(jid("c"));
  expect(["a", "b", "c"].map(one => second.isFormer(jid(one)))).toEqual([true, true, false]);
});

it("no more than eight are remembered, in a file for nobody else", () => {
  const sessions = createLastSessions(folder);
  for (let n = 0; n < 20; n++) sessions.began(jid(`${n}`));
  expect([10, 11, 18].map(n => sessions.isFormer(jid(`${n}`)))).toEqual([false, true, true]);
  expect(JSON.parse(readFileSync(join(folder, "sessions.json"), "utf8"))).toHaveLength(8);
  expect(statSync(join(folder, "sessions.json")).mode & 0o777).toBe(0o600);
});

it("a damaged file, or one that cannot be written, costs a false alarm and nothing else", () => {
  for (const damage of ["{", '"a"', "[1, null]"]) {
    writeFileSync(join(folder, "sessions.json"), damage);
    const sessions = createLastSessions(folder);
    sessions.began(jid("a"));
    expect(sessions.isFormer(jid("a"))).toBe(false);
  }
  rmSync(join(folder, "sessions.json"));
  mkdirSync(join(folder, "sessions.json"));
  const sessions = createLastSessions(folder);
  sessions.began(jid("a"));
  sessions.began(jid("b"));
  expect(sessions.isFormer(jid("a"))).toBe(true);
});
