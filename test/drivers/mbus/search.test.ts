// The search for meters by their faces, without a line: the walk over masks, its number of selects, what it does about meters that
// are missed, noise, and meters that are alike.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isSelected } from "#drivers/mbus/address.ts";
import { parseManufacturer } from "#drivers/mbus/header.ts";
import { beginSearch, type Mask, nextMask, type Probe, type Search, shareDone, told } from "#drivers/mbus/search.ts";

interface Meter {
  id: string;
  manufacturer: string;
  version: number;
  medium: number;
  primary: number;
  fabrication?: string;
}

const { search: vectors } = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../vectors/mbus/session.json"), "utf8"),
) as { search: { mode: string; meters: Meter[]; referenceProbes: number }[] };

const octet = (n: number) => n.toString(16).toUpperCase().padStart(2, "0");
const faceOf = ({ id, manufacturer, version, medium }: Meter): string => {
  const maker = parseManufacturer(manufacturer) ?? 0;
  return id + octet(maker & 0xff) + octet(maker >> 8) + octet(version) + octet(medium);
};

const fits = (mask: Mask, meter: Meter): boolean =>
  isSelected(mask.digits, { secondaryAddress: faceOf(meter) }) &&
  (mask.fabrication === undefined ||
    [...mask.fabrication].every((digit, at) => digit === "F" || digit === (meter.fabrication ?? "")[at]));

const answer = (meters: readonly Meter[], mask: Mask): Probe => {
  const [one, ...others] = meters.filter(meter => fits(mask, meter));
  if (one === undefined) return { kind: "nobody" };
  if (others.length > 0) return { kind: "several", why: "checksum" };
  const named = mask.fabrication === undefined ? {} : { fabrication: one.fabrication ?? "" };
  return { kind: "one", meter: { address: faceOf(one), primary: one.primary, ...named } };
};

/** Runs it to its end, with `probe` in place of a line; each mask asked, in order. */
function walk(search: Search, probe: (mask: Mask) => Probe, most = 5_000): Mask[] {
  const asked: Mask[] = [];
  for (let mask = nextMask(search); mask !== undefined; mask = nextMask(search)) {
    if (asked.push(mask) > most) throw new Error("the search does not end");
    told(search, probe(mask));
  }
  return asked;
}

const inDigits = ({ digits }: Mask) => digits.endsWith("FFFFFFFF");

describe("M-Bus 1.4: the search of the vectors", () => {
  it.each(vectors.map((one, n) => ({ ...one, n })))("$n ($mode): finds all in the selects of a plain walk", vector => {
    const search = beginSearch();
    const asked = walk(search, mask => answer(vector.meters, mask));
    expect(search.met.map(({ address }) => address).sort()).toEqual(vector.meters.map(faceOf).sort());
    expect(asked.filter(inDigits)).toHaveLength(vector.referenceProbes);
    if (vector.mode !== "sameid") expect(search.selects).toBe(vector.referenceProbes);
    expect(search.unresolved).toEqual([]);
    expect(shareDone(search)).toBe(1);
  });
});

const meter = (id: string, rest: Partial<Meter> = {}): Meter => ({
  id,
  manufacturer: "KAM",
  version: 1,
  medium: 4,
  primary: 0,
  ...rest,
});

describe("M-Bus 1.4: meters that are alike", () => {
  it("eight digits the same: by the manufacturers met, without trying every version", () => {
    const meters = [
      meter("11111111", { manufacturer: "ABB" }),
      meter("22222222", { manufacturer: "KAM" }),
      meter("33333333", { manufacturer: "ABB" }),
      meter("33333333", { manufacturer: "KAM" }),
    ];
    const search = beginSearch();
    const asked = walk(search, mask => answer(meters, mask));
    expect(search.met).toHaveLength(4);
    expect(asked.filter(mask => !inDigits(mask))).toHaveLength(2);
  });

  it("manufacturer and version the same: by the medium, in all its values", () => {
    const meters = [meter("33333333", { medium: 0x16 }), meter("33333333", { medium: 0xa7 })];
    const search = beginSearch();
    walk(search, mask => answer(meters, mask));
    expect(search.met.map(({ address }) => address.slice(14)).sort()).toEqual(["16", "A7"]);
  });

  it("alike in all sixteen: by the fabrication number", () => {
    const meters = [
      meter("33333333", { fabrication: "00012345" }),
      meter("33333333", { fabrication: "00012399" }),
      meter("33333333", { fabrication: "70012399" }),
    ];
    const search = beginSearch();
    walk(search, mask => answer(meters, mask));
    expect(search.met.map(({ fabrication }) => fabrication).sort()).toEqual(["00012345", "00012399", "70012399"]);
  });

  it("alike in everything: told, not silently ended", () => {
    const twins = [meter("33333333", { fabrication: "00012345" }), meter("33333333", { fabrication: "00012345" })];
    const search = beginSearch();
    walk(search, mask => answer(twins, mask));
    expect(search.met).toEqual([]);
    expect(search.unresolved).toEqual([
      { mask: expect.objectContaining({ fabrication: "00012345" }), why: "checksum" },
    ]);
  });
});

describe("M-Bus 1.4: a search on a bad line", () => {
  const [random] = vectors;
  const meters = random?.meters ?? [];

  it("a meter that misses any one probe is found by the second try of what was empty", () => {
    const whole = walk(beginSearch(), mask => answer(meters, mask));
    for (const [missed] of whole.entries()) {
      const search = beginSearch();
      let n = 0;
      walk(search, mask => {
        const probe = answer(meters, mask);
        return n++ === missed && probe.kind === "one" ? { kind: "nobody" } : probe;
      });
      // With four others below the collision nobody can know of the fifth: that is what the second search is for.
      expect(search.met.length, `select ${missed}`).toBeGreaterThanOrEqual(meters.length - 1);
    }
    const pair = [meter("12345678"), meter("92345678")];
    let silent = true;
    const search = beginSearch();
    walk(search, mask => {
      const probe = answer(pair, mask);
      if (probe.kind !== "one" || !probe.meter.address.startsWith("9") || !silent) return probe;
      silent = false;
      return { kind: "nobody" };
    });
    expect(search.met).toHaveLength(2);
    expect(search.selects).toBe(1 + 10 + 9);
  });

  it("noise that looks like a collision ends in a report, not in silence and not for ever", () => {
    const search = beginSearch();
    walk(search, mask => (mask.digits.startsWith("F") ? { kind: "several", why: "noise" } : { kind: "nobody" }));
    expect(search.met).toEqual([]);
    expect(search.unresolved).toEqual([{ mask: { digits: "FFFFFFFFFFFFFFFF" }, why: "noise" }]);
    expect(search.selects).toBe(1 + 10 + 10);
  });

  it("noise on every select is bounded by what there is to open, and can be given up", () => {
    const search = beginSearch();
    let asked = 0;
    for (let mask = nextMask(search); mask !== undefined && asked < 3_000; mask = nextMask(search), asked++)
      told(search, { kind: "several", why: "noise" });
    expect(search.levels.length).toBeLessThanOrEqual(1 + 8 + 3 + 8);
  });
});

describe("a search in parts", () => {
  it("seeds: a number from a meter's face costs one select, a beginning only its own subtree", () => {
    const meters = vectors[1]?.meters ?? [];
    const exact = beginSearch([{ digits: "84426008FFFFFFFF" }]);
    walk(exact, mask => answer(meters, mask));
    expect([exact.selects, exact.met.length]).toEqual([1, 1]);
    const some = beginSearch([{ digits: "84FFFFFFFFFFFFFF" }]);
    walk(some, mask => answer(meters, mask));
    expect([some.selects, some.met.length]).toEqual([11, 2]);
  });

  it("given up at any select and kept as text, it goes on to the same end in the same number of selects", () => {
    const meters = vectors[1]?.meters ?? [];
    for (const after of [0, 1, 7, 20, 40, 41]) {
      let search = beginSearch();
      for (let n = 0; n < after; n++) {
        const mask = nextMask(search);
        if (mask !== undefined) told(search, answer(meters, mask));
      }
      search = JSON.parse(JSON.stringify(search));
      walk(search, mask => answer(meters, mask));
      expect(search.selects).toBe(41);
      expect(search.met).toHaveLength(12);
    }
  });

  it("its share only grows", () => {
    const search = beginSearch();
    let before = 0;
    for (let mask = nextMask(search); mask !== undefined; mask = nextMask(search)) {
      const share = shareDone(search);
      expect(share).toBeGreaterThanOrEqual(before);
      before = share;
      told(search, answer(vectors[2]?.meters ?? [], mask));
    }
  });
});
