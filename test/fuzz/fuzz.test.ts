// A short, seeded run of every decoder; `npm run fuzz` runs on. A failure says how it is repeated.

import { describe, expect, it } from "vitest";
import { check, type Decoder, sizeOf } from "./decoder.ts";
import { createRandom, makeOctets, seedOf } from "./octets.ts";
import { decoders, formatFailure, runsOf } from "./run.ts";

const seed = 20_261_120;
const runs = 10_000;

describe("0.3: any octets are a value or a typed refusal", () => {
  it.each(decoders)(
    "$name",
    decoder => {
      const failure = runsOf(decoder, seed, 0, runs);
      expect(failure && formatFailure(failure)).toBeUndefined();
    },
    120_000,
  );
});

describe("the fuzzer itself", () => {
  const decoder = (run: Decoder["run"]): Decoder => ({ name: "broken", perOctet: 1, corpus: () => [], run });

  it("gives the same octets for the same seed, others for others, and reaches all lengths and corpora", () => {
    const corpus = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6, 7)];
    const cases = (of: number) =>
      Array.from({ length: 300 }, (_, run) => {
        const octets = makeOctets(createRandom(seedOf(of, "x", run)), corpus);
        return Buffer.from(octets).toString("hex");
      });
    expect(cases(1)).toEqual(cases(1));
    expect(new Set([...cases(1), ...cases(2)]).size).toBeGreaterThan(400);
    expect(cases(1).some(hex => hex.length > 400)).toBe(true);
    expect(cases(1).some(hex => hex.startsWith("0102"))).toBe(true);
    expect(cases(1).some(hex => hex === "")).toBe(true);
  });

  it("finds what throws, what grows, what writes into its input and what is no number, and says how to see it again", () => {
    const thrown = runsOf(
      decoder(octets => (octets.includes(7) ? octets.map.call(null as never, Number).length : 0)),
      1,
      0,
      500,
    );
    expect(thrown?.why).toContain("TypeError");
    expect(thrown?.hex).toContain("07");
    expect(formatFailure(thrown as never)).toContain(`npm run fuzz -- broken --seed 1 --first ${thrown?.run} --runs 1`);
    expect(
      runsOf(
        decoder(() => 1_000_000),
        1,
        0,
        1,
      )?.why,
    ).toContain("came out of");
    const writing = decoder(octets => (octets.fill(1).length > 0 ? 0 : 0));
    expect(() => check(writing, Uint8Array.of(5), createRandom(1))).toThrow("the octets were changed");
    expect(() => sizeOf({ value: Number.NaN })).toThrow("NaN is no value");
    expect(
      runsOf(
        decoder(() => 0),
        1,
        0,
        100,
      ),
    ).toBeUndefined();
  });
});
