// The outbox on real SQLite: order, bounds, what reaches the disk and when, and what a full disk costs.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog, type LogEvent, silentLog } from "#base/log.ts";
import { Refusal } from "#contract/faults.ts";
import { createOutboxStore, openOutboxDatabase } from "#store/outbox.ts";
import { createOutbox, delayed, noOutboxStore, type Outbox, type OutboxStore } from "#xmpp/outbox.ts";
import { manualClock } from "../support/manual-clock.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-outbox-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = () => openOutboxDatabase(join(folder, "outbox.db"), silentLog);
const make = (store: OutboxStore = noOutboxStore, clock = manualClock(), logged: LogEvent[] = []) =>
  createOutbox(
    store,
    clock,
    createLog(event => void logged.push(event)),
    new AbortController().signal,
    {
      stanzasMax: 5,
      bytesMax: 100,
    },
  );
const takeAll = (outbox: Outbox): string[] => {
  const texts: string[] = [];
  for (let one = outbox.take(); one !== undefined; one = outbox.take()) texts.push(one.text);
  return texts;
};
const turn = () => new Promise(resolve => setImmediate(resolve));

describe("the outbox", () => {
  it("gives messages in order, once, and again after a rewind until they are done", () => {
    const outbox = make();
    const seqs = ["a", "b", "c"].map(text => outbox.add(text).seq);
    expect(takeAll(outbox)).toEqual(["a", "b", "c"]);
    expect(outbox.take()).toBeUndefined();
    outbox.add("d");
    expect(takeAll(outbox)).toEqual(["d"]);
    outbox.done(seqs[1] as number);
    outbox.done(seqs[1] as number);
    outbox.rewind();
    expect(takeAll(outbox)).toEqual(["a", "c", "d"]);
    expect(outbox.waiting).toBe(3);
  });

  it("refuses when full, by number and by bytes, and takes again when there is room", () => {
    const outbox = make();
    const first = outbox.add("1");
    for (const text of ["2", "3", "4", "5"]) outbox.add(text);
    expect(() => outbox.add("6")).toThrow(Refusal);
    expect(() => outbox.add("6")).toThrow(/5 messages are waiting/);
    outbox.done(first.seq);
    expect(() => outbox.add("é".repeat(49))).toThrow(Refusal);
    expect(outbox.add("é".repeat(48)).text).toHaveLength(48);
    expect(outbox.bytes).toBe(100);
  });

  it("offline, a message is on disk at the end of the turn, and there for the next process", async () => {
    const database = open();
    const outbox = make(createOutboxStore(database));
    for (const text of ["a", "b", "c"]) outbox.add(text);
    await turn();
    // Another process: no farewell from the first.
    const other = open();
    const next = make(createOutboxStore(other));
    expect(takeAll(next)).toEqual(["a", "b", "c"]);
    expect(next.add("d").seq).toBeGreaterThan(3);
    database.close();
    other.close();
  });

  it("on a healthy link nothing is written at all; what is not acknowledged in a second is", async () => {
    const clock = manualClock();
    const calls: string[] = [];
    const database = open();
    const store = createOutboxStore(database);
    const outbox = make(
      {
        ...store,
        add: list => {
          calls.push(`add ${list.length}`);
          store.add(list);
        },
        remove: list => {
          calls.push(`remove ${list.length}`);
          store.remove(list);
        },
      },
      clock,
    );
    outbox.setOnline(true);
    outbox.done(outbox.add("quick").seq);
    await clock.advance(5_000);
    expect(calls).toEqual([]);
    const slow = outbox.add("slow");
    await clock.advance(1_500);
    expect(calls).toEqual(["add 1"]);
    outbox.done(slow.seq);
    await turn();
    expect(calls).toEqual(["add 1", "remove 1"]);
    outbox.add("caught by the loss");
    outbox.setOnline(false);
    await turn();
    expect(store.load().map(one => one.text)).toEqual(["caught by the loss"]);
    database.close();
  });

  it("a full disk costs a line in the log, not the messages", async () => {
    const logged: LogEvent[] = [];
    const outbox = make(
      {
        load: () => {
          throw new Error("disk I/O error");
        },
        add: () => {
          throw new Error("database or disk is full");
        },
        remove: () => {},
      },
      manualClock(),
      logged,
    );
    outbox.add("kept in memory");
    await turn();
    expect(logged.map(one => one.event)).toEqual(["outbox-not-read", "outbox-not-stored"]);
    expect(takeAll(outbox)).toEqual(["kept in memory"]);
  });

  it("a message that waited says since when (XEP-0203)", () => {
    const message = { seq: 1, at: Date.UTC(2026, 10, 20), text: "<message to='a@b'><body>x</body></message>" };
    expect(delayed(message, "edge@b")).toBe(
      "<message to='a@b'><body>x</body><delay xmlns='urn:xmpp:delay' from='edge@b' stamp='2026-11-20T00:00:00.000Z'/></message>",
    );
    expect(delayed({ ...message, text: "<message to='a@b'/>" }, "edge@b")).toBe("<message to='a@b'/>");
  });
});
