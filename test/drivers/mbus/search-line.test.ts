// The search on a line with meters that collide: what is selected, what is found, how it gives the line away, is given up and goes
// on, and what is done with what was found.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ask, commandOf, reportLog } from "../report-log.ts";
import { fieldOf, readAll } from "./bench.ts";
import { createMemory, never, openWire, simpleMeter, type Wire } from "./wire.ts";

interface Meter {
  id: string;
  manufacturer: string;
  version: number;
  medium: number;
  primary: number;
}
const { search: vectors } = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../vectors/mbus/session.json"), "utf8"),
) as { search: { mode: string; meters: Meter[]; referenceProbes: number }[] };

/** Those of the walk: that a meter answers to its own sixteen digits is asked once of each that is found. */
const selectsOf = (wire: Wire) =>
  wire.sent.filter(one => /^68(0B0B|1111)6873FD52/.test(one) && isMask(one.slice(14, 30)));
const isMask = (octets: string) => octets.includes("F");
const idsOf = (rows: unknown[][]) => rows.map(([id]) => String(id)).sort();

describe("M-Bus 1.4: the search on a line", () => {
  it.each(vectors.map((one, n) => ({ ...one, n })))(
    "$n ($mode): all are found, in the selects of a plain walk",
    async vector => {
      const meters = () => vector.meters.map(({ id, ...rest }) => simpleMeter(id, rest));
      await using wire = openWire(meters, { marginMs: 0 });
      const report = await wire.settle(ask(wire.line, "SearchMeters"), 500);
      expect(idsOf(report.rows)).toEqual(vector.meters.map(({ id }) => id).sort());
      const inDigits = selectsOf(wire).filter(one => one.slice(22, 30) === "FFFFFFFF");
      expect(inDigits).toHaveLength(vector.referenceProbes);
      expect(report.rows.map(row => [row[0], row[4]]).sort()).toEqual(
        vector.meters.map(one => [one.id, one.primary]).sort(),
      );
      expect(wire.bus.overlap).toBe(1);
    },
  );

  it("on a paced wire, where answers meet askew and a slow one comes behind a fast one, the same are found", async () => {
    const meters = (vectors[0]?.meters ?? []).map(({ id, ...rest }, n) =>
      Object.assign(simpleMeter(id, rest), { slowMs: 37 * n }),
    );
    await using wire = openWire(() => meters, { paced: true });
    const report = await wire.settle(ask(wire.line, "SearchMeters"), 200);
    expect(idsOf(report.rows)).toEqual(meters.map(({ identity }) => identity.id).sort());
  });

  it("two answers that make a sound third one are two meters, and the third is none", async () => {
    const meter = (id: string, octet: number) =>
      simpleMeter(id, {
        manufacturer: "ELS",
        version: 22,
        telegrams: () => [Uint8Array.of(0x0c, 0x13, octet, 4, 0x85, 2)],
      });
    await using wire = openWire(() => [meter("31204411", 0x11), meter("31204412", 0x12)], { marginMs: 0 });
    const report = await wire.settle(ask(wire.line, "SearchMeters"), 500);
    expect(idsOf(report.rows)).toEqual(["31204411", "31204412"]);
  });

  it("a second telegram behind the first is a second meter, not noise", async () => {
    const slow = Object.assign(simpleMeter("22222222", { baudRate: 9600 }), { slowMs: 60 });
    const fast = simpleMeter("11111111", { baudRate: 9600 });
    // The fast one is done before the slow one begins; both acknowledge.
    await using wire = openWire(() => [fast, slow], { paced: true, baudRate: 9600 });
    const report = await wire.settle(ask(wire.line, "SearchMeters"), 100);
    expect(idsOf(report.rows)).toEqual(["11111111", "22222222"]);
  });

  it("twins alike in sixteen digits are told apart by their fabrication numbers, and read apart", async () => {
    const twin = (fabrication: string, ...volume: number[]) =>
      simpleMeter("33333333", { fabrication, telegrams: () => [Uint8Array.of(0x0c, 0x13, ...volume)] });
    await using wire = openWire(
      () => [
        twin("00012345", 0x27, 0x04, 0x85, 0x02, 0x0c, 0x78, 0x45, 0x23, 0x01, 0x00),
        twin("00099999", 0x91, 0x73, 0x16, 0x05),
      ],
      { marginMs: 0 },
    );
    const report = await wire.settle(ask(wire.line, "SearchMeters"), 500);
    // One says its whole number when it is read, the other is selected by as much of it as tells them apart.
    const addresses = report.rows.map(row => String(row[5]));
    expect(addresses).toEqual(["333333332D2C0107/00012345", "333333332D2C0107/0009FFFF"]);
    const volumes: unknown[] = [];
    for (const address of addresses) {
      const samples = await wire.settle(readAll(await wire.meter({ address })));
      volumes.push(fieldOf(samples, "Volume")?.value);
    }
    expect(volumes).toMatchObject([{ value: 2850.427 }, { value: 5167.391 }]);
  });

  it("an echoing converter changes nothing", async () => {
    await using wire = openWire(() => [simpleMeter("11111111"), simpleMeter("22222222")], { marginMs: 0 });
    wire.bus.echo = true;
    const report = await wire.settle(ask(wire.line, "SearchMeters"), 500);
    expect(idsOf(report.rows)).toEqual(["11111111", "22222222"]);
    expect(wire.line.line.counters.echoes).toBeGreaterThan(10);
  });

  it("a collision without children is told with its likely causes; odd octets alone as noise", async () => {
    await using wire = openWire(() => [simpleMeter("11111111")], { marginMs: 0 });
    wire.bus.disturb = () => [{ afterMs: 0, bytes: Uint8Array.of(0xfc) }];
    const noisy = await wire.settle(ask(wire.line, "SearchMeters"), 500);
    expect(noisy.rows).toEqual([]);
    expect(noisy.messages).toHaveLength(1);
    expect(noisy.messages[0]).toContain("noise on the line, a bad contact, or a faulty level converter");
    const twins = () => [
      simpleMeter("11111111"),
      simpleMeter("11111111", { telegrams: () => [Uint8Array.of(1, 0x13, 5)] }),
    ];
    await using alike = openWire(twins, { marginMs: 0 });
    const report = await alike.settle(ask(alike.line, "SearchMeters"), 500);
    expect(report.rows).toEqual([]);
    expect(report.messages[0]).toContain("meters that are alike in everything");
  });

  it("nobody there is a warning with advice, after asking twice", async () => {
    await using wire = openWire(() => []);
    const report = await wire.settle(ask(wire.line, "SearchMeters"));
    expect(selectsOf(wire)).toHaveLength(2);
    expect(report.messages[0]).toContain("Check the wiring");
  });

  it("a number from a meter's face is one select; what is no number is refused", async () => {
    const { meters } = vectors[1] as { meters: Meter[] };
    await using wire = openWire(() => meters.map(({ id, ...rest }) => simpleMeter(id, rest)), { marginMs: 0 });
    const report = await wire.settle(ask(wire.line, "SearchMeters", { numbers: "84426008, 2" }), 500);
    expect(idsOf(report.rows)).toEqual(["25033124", "28833779", "84426008"]);
    expect(selectsOf(wire)).toHaveLength(1 + 1 + 10);
    for (const numbers of ["heat", "123456789", "1".repeat(300)])
      await expect(ask(wire.line, "SearchMeters", { numbers })).rejects.toThrow();
  });
});

describe("M-Bus 1.4: a search among others, given up and gone on with", () => {
  const many = () => (vectors[1]?.meters ?? []).map(({ id, ...rest }) => simpleMeter(id, rest));

  it("a person's readout goes between two selects", async () => {
    await using wire = openWire(many);
    const report = reportLog();
    const searching = ask(wire.line, "SearchMeters", {}, never, report);
    await wire.clock.advance(5_000);
    const meter = await wire.meter({ address: "84426008" });
    const before = report.statuses.length;
    const samples = await wire.settle(readAll(meter));
    expect(samples.length).toBeGreaterThan(0);
    expect(report.statuses.length).toBeLessThan(before + 4);
    await wire.settle(searching, 500);
    expect(report.rows).toHaveLength(12);
  });

  it("says how far it is and how long it may still take", async () => {
    await using wire = openWire(many, { marginMs: 0 });
    const report = await wire.settle(ask(wire.line, "SearchMeters"), 500);
    expect(report.statuses[0]).toBe("all numbers: 0 found in 0 selects; at least 1 more, about 1 s.");
    expect(report.statuses[5]).toMatch(/^\d+…: \d found in 5 selects; at least \d+ more, about \d+ s\.$/);
    expect(report.statuses.at(-1)).toBe("12 meters found in 41 selects.");
  });

  it("given up, it goes on where it was, in another program too, and needs no select twice", async () => {
    const memory = createMemory();
    const stop = new AbortController();
    const first = openWire(many, { memory, marginMs: 0 });
    const report = reportLog();
    const searching = ask(first.line, "SearchMeters", {}, stop.signal, report).catch(error => error);
    while (report.statuses.length < 16) await first.clock.advance(100);
    stop.abort(new Error("the technician left"));
    await first.clock.advance(5_000);
    expect(await searching).toMatchObject({ message: "the technician left" });
    const made = selectsOf(first).length;
    await first[Symbol.asyncDispose]();

    await using second = openWire(many, { memory, marginMs: 0 });
    const rest = await second.settle(ask(second.line, "SearchMeters"), 500);
    expect(idsOf(rest.rows)).toEqual(
      many()
        .map(({ identity }) => identity.id)
        .sort(),
    );
    // The select that was under way is made again, and no other.
    expect(made + selectsOf(second).length).toBeLessThanOrEqual(42);
    expect(rest.messages[0]).toMatch(/^The search goes on: \d+ selects were made/);
    const anew = await second.settle(ask(second.line, "SearchMeters"), 500);
    expect(anew.statuses.at(-1)).toBe("12 meters found in 41 selects.");
  });
});

describe("M-Bus 1.14: what was found becomes nodes and gets addresses", () => {
  it("nodes are called by the number on the face, and by more of it where two have the same", async () => {
    const meters = () => [
      simpleMeter("11111111", { primary: 4, medium: 4 }),
      simpleMeter("22222222", { manufacturer: "ABB", primary: 5 }),
      simpleMeter("22222222", { manufacturer: "KAM", primary: 5 }),
    ];
    await using wire = openWire(meters, { marginMs: 0 });
    const report = await wire.settle(ask(wire.line, "SearchMeters", { manufacturers: "abb kam" }), 500);
    expect(report.messages.join()).toContain("AddMeters");
    expect(report.messages.join()).toContain("AssignAddresses");
    const add = commandOf(wire.line, "AddMeters");
    if (add.kind !== "parameterized") throw new Error("it has a form");
    await add.execute(add.settings.parse({}), never);
    expect(wire.added).toEqual([
      {
        type: "mbus.meter",
        id: "mbus-11111111",
        name: "11111111",
        settings: { address: "111111112D2C0104", serialNumber: "11111111", class: "HeatMeter", manufacturer: "KAM" },
      },
      expect.objectContaining({ id: "mbus-2222222242040107" }),
      expect.objectContaining({ id: "mbus-222222222D2C0107" }),
    ]);
    for (const { settings } of wire.added) await wire.meter({ ...settings });
    wire.added.length = 0;
    await add.execute(add.settings.parse({ meters: "111111112D2C0104" }), never);
    expect(wire.added.map(({ id }) => id)).toEqual(["mbus-11111111"]);
    expect(add.settings.safeParse({ meters: "1111111G" }).success).toBe(false);
  });

  it("who has a node already gets no second one, by whatever address that node calls him", async () => {
    const meters = () => ["11111111", "22222222", "33333333"].map((id, n) => simpleMeter(id, { primary: n + 1 }));
    await using wire = openWire(meters, { marginMs: 0 });
    await wire.meter({ address: "1" });
    await wire.meter({ address: "22222222" });
    const gone = await wire.meter({ address: "3" });
    const before = await wire.settle(ask(wire.line, "SearchMeters"), 500);
    expect(before.rows.map(row => row[6])).toEqual(["has a node", "has a node", "has a node"]);
    await gone[Symbol.asyncDispose]();
    const report = await wire.settle(ask(wire.line, "SearchMeters"), 500);
    expect(report.rows.map(row => row[6])).toEqual(["has a node", "has a node", undefined]);
    const add = commandOf(wire.line, "AddMeters");
    if (add.kind === "parameterized") await add.execute({ meters: "" }, never);
    expect(wire.added.map(({ id }) => id)).toEqual(["mbus-33333333"]);
  });

  it("nothing was found yet: said, not done", async () => {
    await using wire = openWire(() => []);
    const add = commandOf(wire.line, "AddMeters");
    if (add.kind === "parameterized") await expect(add.execute({ meters: "" }, never)).rejects.toThrow("search first");
    await expect(ask(wire.line, "AssignAddresses")).rejects.toThrow("search first");
  });

  it("meters that share an address get one each, taken ones left out, and are confirmed by what they say", async () => {
    const [a, b, c] = [simpleMeter("11111111"), simpleMeter("22222222"), simpleMeter("33333333", { primary: 2 })];
    // Not found by the search, being deaf to selects, and in the way.
    const hidden = simpleMeter("44444444", { primary: 1, manufacturer: "ABB" });
    const deaf = {
      ...hidden,
      answer: (request: Uint8Array) => (request[2] === 1 ? hidden.answer(request) : undefined),
    };
    await using wire = openWire(() => [a, b, c, deaf], { marginMs: 0 });
    await wire.settle(ask(wire.line, "SearchMeters"), 500);
    const report = await wire.settle(ask(wire.line, "AssignAddresses"), 100);
    expect(report.rows).toEqual([
      ["111111112D2C0107", 0, 3, "confirmed"],
      ["222222222D2C0107", 0, 4, "confirmed"],
    ]);
    expect([a.primary, b.primary, c.primary]).toEqual([3, 4, 2]);
  });

  it("a meter that only acknowledges is not said to have moved", async () => {
    await using wire = openWire(() => [simpleMeter("11111111", { stubborn: true })], { marginMs: 0 });
    await wire.settle(ask(wire.line, "SearchMeters"), 500);
    const report = await wire.settle(ask(wire.line, "AssignAddresses", { meters: "11111111=9" }), 100);
    expect(report.rows).toHaveLength(1);
    expect(report.rows[0]?.[2]).toBeUndefined();
    expect(report.rows[0]?.[3]).toContain("it acknowledged and did not do it: it says 0");
  });
});
