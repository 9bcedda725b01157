// Publishing of values: when something is told, to whom, and when it is over. The place is a record of what was asked of it;
// the real one is in test/xmpp/iot/pubsub.test.ts.

import { describe, expect, it } from "vitest";
import { createLog, type LogEvent, silentLog } from "#base/log.ts";
import type { TreeNode } from "#concentrator/forest.ts";
import { createPublishing } from "#concentrator/publishing.ts";
import { publishingCommands } from "#concentrator/publishing-commands.ts";
import { Refusal } from "#contract/faults.ts";
import { categories, type Field, type Reading } from "#contract/field.ts";
import { openDatabase } from "#store/database.ts";
import { edgeMigrations } from "#store/migrations.ts";
import { createPublicationStore } from "#store/publications.ts";
import { bareJid } from "#xmpp/jid.ts";
import { manualClock } from "../support/manual-clock.ts";
import { callerOf, never, owner, quantity, refOf } from "./scene.ts";

const tenant = "tenant@example.org";
const bob = "bob@city.example";
const eve = "eve@city.example";
const meter = refOf("water-1", "attic");
const node = { ref: meter, readable: true } as TreeNode;

function bench(clock = manualClock(), database = openDatabase(":memory:", edgeMigrations, silentLog)) {
  const events: LogEvent[] = [];
  const owners = new Map([["water-1", tenant]]);
  const readers = new Set([bob, eve]);
  const asked: string[] = [];
  const told: (readonly Reading[])[] = [];
  const state = { fail: undefined as Error | undefined };
  const stop = new AbortController();
  const publishing = createPublishing({
    store: createPublicationStore(database),
    ownerOf: ref => owners.get(ref.nodeId),
    rootOwner: () => owner,
    place: {
      async open(ref, jids) {
        if (state.fail) throw state.fail;
        asked.push(`open ${ref.nodeId} ${[...jids].sort().join(" ")}`.trim());
      },
      async publish(ref, readings) {
        if (state.fail) throw state.fail;
        asked.push(`publish ${ref.nodeId}`);
        told.push(readings);
      },
      async close(ref) {
        asked.push(`close ${ref.nodeId}`);
      },
    },
    mayRead: async jid => readers.has(jid),
    clock,
    log: createLog(event => events.push(event)),
  });
  const running = publishing.run(stop.signal);
  const wish = { node: meter, readers: [bob, eve], minSeconds: 10, maxSeconds: 900, deadbandPercent: 5 };
  return {
    clock,
    database,
    publishing,
    owners,
    readers,
    asked,
    told,
    events,
    state,
    wish,
    async say(...fields: Field[]) {
      publishing.heard(node, { at: clock.now(), fields });
      await clock.advance(0);
    },
    async end() {
      stop.abort();
      await clock.advance(0);
      await running;
    },
  };
}

const volume = (value: number) => quantity("Volume", value);
const kind = (work: () => unknown): string => {
  try {
    work();
    return "done";
  } catch (error) {
    if (error instanceof Refusal) return error.kind;
    throw error;
  }
};

describe("publishing", () => {
  it("PUB-GEN-01: nothing is published before its owner says so, nor by anybody else, the owner of the appliance included", async () => {
    const { publishing, wish, asked, say, end } = bench();
    await say(volume(1));
    expect(asked).toEqual([]);
    for (const jid of [owner, bob]) expect(kind(() => publishing.enable(callerOf(jid), wish))).toBe("denied");
    expect(kind(() => publishing.disable(callerOf(tenant), meter))).toBe("not-found");
    expect(publishingCommands(publishing, bareJid, node, callerOf(owner))).toEqual([]);
    const [begin] = publishingCommands(publishing, bareJid, node, callerOf(tenant));
    if (begin?.kind !== "parameterized") throw new Error("no command");
    await begin.execute(begin.settings.parse({ readers: `${bob} ${eve}` }), never);
    await say(volume(1));
    expect(asked).toEqual([`open water-1 ${bob} ${eve}`, "publish water-1"]);
    expect(kind(() => publishing.disable(callerOf(owner), meter))).toBe("denied");
    expect(publishingCommands(publishing, bareJid, node, callerOf(tenant)).map(one => one.id)).toEqual([
      "PublishValues",
      "StopPublishing",
    ]);
    await end();
  });

  it("PUB-GEN-03: neither who it is nor what went wrong", async () => {
    const { publishing, wish, told, say, end } = bench();
    publishing.enable(callerOf(tenant), wish);
    const missing: Field = {
      name: "Flow",
      value: { kind: "missing", reason: "the sensor at 10.0.0.7 is broken" },
      categories: categories("momentary"),
      quality: { missing: true },
    };
    const serial: Field = {
      name: "Serial Number",
      value: { kind: "string", value: "41907755" },
      categories: categories("identity"),
      quality: {},
    };
    await say(volume(1), missing, serial, quantity("Volume, Max", 3, "peak"), quantity("State", 3, "status"));
    expect(told.flat().flatMap(one => (one.kind === "reading" ? one.fields.map(field => field.name) : []))).toEqual([
      "Volume",
      "Volume, Max",
    ]);
    await end();
  });

  it("PUB-RATE-01: on change beyond the deadband, not too often, and now and then all the same", async () => {
    const { publishing, wish, clock, told, say, end } = bench();
    publishing.enable(callerOf(tenant), wish);
    await say(volume(100));
    expect(told).toHaveLength(1);
    await say(volume(200));
    expect(told).toHaveLength(1);
    await clock.advance(10_000);
    expect(told).toHaveLength(2);
    await clock.advance(60_000);
    await say(volume(209));
    await clock.advance(60_000);
    expect(told).toHaveLength(2);
    await say(volume(211));
    expect(told).toHaveLength(3);
    await clock.advance(899_000);
    expect(told).toHaveLength(3);
    await clock.advance(1_000);
    expect(told).toHaveLength(4);
    await end();
  });

  it("PUB-RATE-01: what fails is tried again, later each time, with the last value only", async () => {
    const { publishing, wish, clock, told, state, events, say, end } = bench();
    state.fail = new Error("the service is away");
    publishing.enable(callerOf(tenant), wish);
    await say(volume(1));
    for (let value = 2; value <= 5; value++) {
      await clock.advance(60_000);
      await say(volume(value));
    }
    const failures = events.filter(one => one.event === "not-published").length;
    expect(failures).toBeGreaterThan(1);
    expect(failures).toBeLessThan(8);
    state.fail = undefined;
    publishing.online();
    await clock.advance(0);
    expect(told).toHaveLength(1);
    expect(told[0]?.flatMap(one => (one.kind === "reading" ? one.fields : []))).toMatchObject([
      { value: { value: 5 } },
    ]);
    await end();
  });

  it("PUB-NODE-02: a place that belongs to somebody else is not used, and not asked for all the time", async () => {
    const { publishing, wish, clock, told, state, events, say, end } = bench();
    state.fail = new Refusal("denied", "the place belongs to somebody else");
    publishing.enable(callerOf(tenant), wish);
    await say(volume(1));
    await clock.advance(800_000);
    expect(told).toEqual([]);
    expect(events.filter(one => one.event === "not-published")).toHaveLength(1);
    await end();
  });

  it("PUB-NODE-03: who may not read the whole node does not read it here; rights that change take effect at once", async () => {
    const { publishing, wish, clock, readers, asked, end } = bench();
    readers.delete(eve);
    publishing.enable(callerOf(tenant), wish);
    await clock.advance(0);
    expect(asked).toEqual([`open water-1 ${bob}`]);
    readers.add(eve);
    readers.delete(bob);
    publishing.reconsider();
    await clock.advance(0);
    expect(asked.at(-1)).toBe(`open water-1 ${eve}`);
    await end();
  });

  it("PUB-NODE-03: the place goes with the node, with its owner, and when he says so", async () => {
    const { publishing, wish, clock, owners, asked, say, end } = bench();
    publishing.enable(callerOf(tenant), wish);
    await say(volume(1));
    publishing.disable(callerOf(tenant), meter);
    await clock.advance(0);
    expect(asked.at(-1)).toBe("close water-1");
    publishing.enable(callerOf(tenant), wish);
    await clock.advance(0);
    publishing.removed(meter);
    await clock.advance(0);
    expect(asked.at(-1)).toBe("close water-1");
    publishing.enable(callerOf(tenant), wish);
    await clock.advance(0);
    owners.set("water-1", "next@example.org");
    publishing.reconsider();
    await clock.advance(0);
    expect(asked.at(-1)).toBe("close water-1");
    await say(volume(9));
    expect(asked.at(-1)).toBe("close water-1");
    await end();
  });

  it("PUB-GEN-01: what was enabled is so after a restart", async () => {
    const first = bench();
    first.publishing.enable(callerOf(tenant), first.wish);
    await first.end();
    const second = bench(first.clock, first.database);
    expect(second.publishing.of(meter)).toMatchObject({ by: tenant, readers: [bob, eve], deadbandPercent: 5 });
    await second.say(volume(1));
    expect(second.asked).toContain("publish water-1");
    await second.end();
  });
});
