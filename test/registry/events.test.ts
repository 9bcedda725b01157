// The receiver of events with its real file: of whom it takes them, how much of them it keeps, and what they look like when
// somebody prints them.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog, type LogEvent, silentLog } from "#base/log.ts";
import { eventLogTagsMax, receivedAtOnceMax, receivedEventsMax } from "#limits.ts";
import { parse } from "#xml/parser.ts";
import { createRouter } from "#xmpp/router.ts";
import { eventsCommand, eventsHelp } from "../../src/registry/events/command.ts";
import { receiverRoutes } from "../../src/registry/events/receiver.ts";
import { type EventStore, eventsFile, openEventStore } from "../../src/registry/events/store.ts";
import { type ManualClock, manualClock } from "../support/manual-clock.ts";

const gateway = "gw9@hub.example";
const at = Date.UTC(2026, 0, 5, 8);

let folder: string;
let clock: ManualClock;
let store: EventStore;
let said: LogEvent[];
let send: (from: string, inside: string) => Promise<void>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-events-"));
  clock = manualClock(at);
  said = [];
  open();
});
afterEach(() => {
  store[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});
function open(): void {
  store = openEventStore(eventsFile(join(folder, "registry.db")), silentLog);
  const log = createLog(line => void said.push(line));
  const router = createRouter({
    routes: [],
    messages: receiverRoutes({ store, senders: [gateway, "plant.example"], clock, log }),
    gate: () => false,
    reply: () => {},
    clock,
    log,
    signal: new AbortController().signal,
    concurrentMax: 1,
    replayMs: 1,
    replaysMax: 1,
  });
  send = (from, inside) =>
    router.message(parse(`<message xmlns='jabber:client' from='${from}' to='log.hub.example'>${inside}</message>`));
}
const log = (attributes = "", inside = "<message>a word</message>") =>
  `<log xmlns='urn:xmpp:eventlog' timestamp='2026-01-05T07:59:00.000Z' ${attributes}>${inside}</log>`;
const all = () => store.list({ last: 1_000 });
const printed = (...args: string[]) => {
  let out = "";
  let notes = "";
  eventsCommand([...args, "--database", join(folder, "registry.db")], {
    database: (_, database) => database as string,
    out: text => {
      out += text;
    },
    note: text => {
      notes += text;
    },
    log: silentLog,
  });
  return { out, notes, lines: out.trimEnd().split("\n") };
};

describe("LOG-RCV-01: of those on the list alone", () => {
  it("an address, or everybody of a domain; others get no answer and are noted", async () => {
    await send(`${gateway}/x`, log("id='one'"));
    await send("pump@plant.example/y", log("id='two'"));
    await send("plant.example", log("id='three'"));
    for (const stranger of ["other@hub.example/x", "x.plant.example", "gw9@hub.example.evil.example"])
      await send(stranger, log("id='none'"));
    expect(all().map(({ entry }) => entry.id)).toEqual(["one", "two", "three"]);
    expect(said.map(({ event, facts }) => `${event} ${facts.sender}`)).toEqual([
      "event-not-taken other@hub.example",
      "event-not-taken x.plant.example",
      "event-not-taken gw9@hub.example.evil.example",
    ]);
  });

  it("several in one message are several; one that cannot be read is left out", async () => {
    await send(gateway, `${log("id='a'")}${log("id='b'", "")}${log("id='c' type='Warning' level='Major'")}`);
    expect(all().map(({ entry }) => [entry.id, entry.type.is, entry.level.is])).toEqual([
      ["a", "Informational", "Minor"],
      ["c", "Warning", "Major"],
    ]);
    expect(said.map(({ event }) => event)).toEqual(["message-ignored"]);
  });

  it("words it does not know are the least there is, and kept as they were", async () => {
    await send(gateway, log("type='Catastrophe' level='extreme'"));
    expect(all()[0]?.entry).toMatchObject({
      type: { is: "Informational", said: "Catastrophe" },
      level: { is: "Minor", said: "extreme" },
    });
    expect(printed().out).toContain("Catastrophe/extreme");
  });

  it("bounded of each sender, in what each event has, and in all", async () => {
    for (let n = 0; n < receivedAtOnceMax + 50; n++) await send(gateway, log(`id='${n}'`));
    expect(store.size).toBe(receivedAtOnceMax);
    expect(said.at(-1)).toMatchObject({ event: "RateLimited", facts: { sender: gateway } });
    await send(
      "plant.example",
      log("", `<message>${"x".repeat(9_000)}</message>${"<tag name='n' value='v'/>".repeat(99)}`),
    );
    const entry = all().at(-1)?.entry;
    expect(entry?.message.text).toHaveLength(4_096);
    expect(entry?.tags).toHaveLength(eventLogTagsMax);
    const one = all()[0] as ReturnType<typeof all>[0];
    for (let n = store.size; n < receivedEventsMax + 150; n++) store.add(one);
    expect(store.size).toBeLessThanOrEqual(receivedEventsMax);
    expect(store.size).toBeGreaterThan(receivedEventsMax - 200);
    store[Symbol.dispose]();
    const before = store.size;
    open();
    expect(store.size).toBe(before);
  }, 60_000);
});

describe("LOG-RCV-02: all of it is hostile", () => {
  it("nothing moves the cursor, hides letters, or looks like another line", async () => {
    const evil = "\u009b31m\u202Egnp.exe\u200B\u3164";
    await send(
      gateway,
      log(
        `id='x${evil}' subject='ana@home.example${evil}' facility='root@hub.example'`,
        `<message>fine\n2026-01-05T08:00:00.000Z ${gateway} Emergency/Major forged${evil}</message><tag name='a b=' value='"&lt;b>'/>`,
      ),
    );
    const { out, lines } = printed();
    expect(lines).toHaveLength(1);
    expect(out.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/u);
    expect(out).toMatch(/^2026-01-05T08:00:00\.000Z gw9@hub\.example Informational\/Minor /);
    expect(out).toContain('facility=root@hub.example "a b="="\\"<b>"');
    const json = printed("--json").out;
    expect(json.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/u);
    expect(JSON.parse(json)).toMatchObject({ sender: gateway, facility: "root@hub.example" });
  });

  it("when it came, and who sent it, is our own word and his broker's; the time he says is beside it", async () => {
    await clock.advance(90_000);
    await send(`${gateway}/x`, log("facility='somebody@else.example'"));
    expect(all()[0]).toMatchObject({ received: at + 90_000, sender: gateway, entry: { timestamp: at - 60_000 } });
  });
});

it("LOG-RCV-03: a stack trace is taken as element and as attribute", async () => {
  await send(gateway, log("stackTrace='at one'"));
  await send(gateway, log("", "<message>m</message><stackTrace>at two</stackTrace>"));
  expect(all().map(({ entry }) => entry.stackTrace)).toEqual(["at one", "at two"]);
});

describe("isthmus-registry log", () => {
  it("shows the last, since, of whom, and from which type on", async () => {
    for (const [n, type] of ["Debug", "Warning", "Error", "Emergency"].entries()) {
      await send(n % 2 === 0 ? gateway : "plant.example", log(`id='e${n}' type='${type}'`));
      await clock.advance(60_000);
    }
    const ids = (...args: string[]) => printed(...args).lines.map(line => /\be\d\b/.exec(line)?.[0]);
    expect(ids()).toEqual(["e0", "e1", "e2", "e3"]);
    expect(ids("--last", "2")).toEqual(["e2", "e3"]);
    expect(ids("--since", "2026-01-05T08:01:30Z")).toEqual(["e2", "e3"]);
    expect(ids("--from", "PLANT.example")).toEqual(["e1", "e3"]);
    expect(ids("--type", "error")).toEqual(["e2", "e3"]);
  });

  it("says what is wrong with the words, and that there is nothing", () => {
    expect(printed("--help").out).toBe(eventsHelp);
    for (const [args, why] of [
      [["--last", "0"], /--last is a number/],
      [["--since", "yesterday"], /--since is a date/],
      [["--type", "bad"], /--type is one of Debug/],
      [["--nonsense"], /Unknown option/],
    ] as const)
      expect(() => printed(...args)).toThrow(why);
    expect(printed().notes).toContain("eventLogSenders");
  });
});
