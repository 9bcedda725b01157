// The doctor's reasoning, by tables of figures: what each fault leaves behind, and what is concluded from it.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findingsOf, type LineCase } from "#drivers/doctor.ts";
import { type Counts, type LineFigures, noCounts, type UnitFigures } from "#drivers/line-health.ts";

type Given = Partial<UnitFigures>;

const unit = (name: string, given: Given): UnitFigures => ({
  ...noCounts,
  unit: name,
  roundTripsMs: [],
  shortestMs: undefined,
  latestMs: undefined,
  codes: {},
  restingMs: undefined,
  identities: [],
  ...given,
});

const line = (units: Readonly<Record<string, Given>>, more: Partial<Counts> = {}): LineFigures => {
  const all = Object.entries(units).map(([name, given]) => unit(name, given));
  const total = Object.fromEntries(
    (Object.keys(noCounts) as (keyof Counts)[]).map(name => [
      name,
      (more[name] ?? 0) + all.reduce((sum, one) => sum + one[name], 0),
    ]),
  ) as unknown as Counts;
  return { at: 0, units: all, total };
};

const examine = (figures: LineFigures, more: Partial<LineCase> = {}) =>
  findingsOf({ bus: "modbus", way: "port", figures, masters: 0, taken: 0.2, ...more });
const said = (...given: Parameters<typeof examine>) =>
  examine(...given).map(({ id, confidence, units }) => [id, confidence, units.join()]);

const fine: Given = { answers: 40 };

describe("the bus doctor concludes", () => {
  it.each<[string, unknown[][], LineFigures, Partial<LineCase>?]>([
    ["nothing from a line that is well", [], line({ "unit 1": fine, "unit 2": fine })],
    ["nothing where nothing was asked", [], line({})],
    [
      "nothing from a scan that finds nobody",
      [],
      line({ scan: { timeouts: 200 }, "": { timeouts: 9 }, "unit 1": fine }),
    ],
    [
      "two masters from requests it did not send",
      [["twoMasters", "certain", ""]],
      line({ "unit 1": { ...fine, foreign: 6 } }),
      { masters: 4 },
    ],
    [
      "strangers' traffic from answers nobody asked for",
      [["strangeAnswers", "likely", ""]],
      line({ "unit 1": { ...fine, foreign: 5 } }),
    ],
    [
      "two units at one address, when only that one's answers are damaged, nearly all of them",
      [["duplicate", "likely", "unit 7"]],
      line({ "unit 1": fine, "unit 2": fine, "unit 7": { answers: 1, checksums: 14, timeouts: 1 } }),
    ],
    [
      "two meters at one primary address, where both acknowledge together and then garble",
      [["duplicate", "likely", "primary address 7"]],
      line({ "primary address 5": fine, "primary address 7": { answers: 4, checksums: 3, collisions: 3 } }),
      { bus: "mbus" },
    ],
    [
      "several devices at one address from the faces they show",
      [["faces", "certain", "primary address 7"]],
      line({ "primary address 7": { ...fine, identities: ["KAM 66120034", "ELS 41907755"] } }),
      { bus: "mbus" },
    ],
    [
      "a bad cable when several units suffer, the worst first",
      [["noiseRs485", "likely", "unit 9,unit 2"]],
      line({
        "unit 1": fine,
        "unit 2": { answers: 38, checksums: 2, retries: 2 },
        "unit 9": { answers: 30, checksums: 10, noiseOctets: 21 },
      }),
    ],
    [
      "a bad cable, in the words of an M-Bus",
      [["noiseMbus", "likely", "primary address 3"]],
      line({ "primary address 1": fine, "primary address 3": { answers: 30, checksums: 9 } }),
      { bus: "mbus" },
    ],
    [
      "either, when a meter is alone on its line",
      [
        ["noiseMbus", "likely", "primary address 3"],
        ["duplicate", "possible", "primary address 3"],
      ],
      line({ "primary address 3": { answers: 3, checksums: 9 } }),
      { bus: "mbus" },
    ],
    [
      "another protocol when a network delivers what cannot be read",
      [["noiseNetwork", "likely", "unit 1"]],
      line({ "unit 1": { answers: 3, checksums: 9 } }),
      { way: "network" },
    ],
    [
      "no more than stray octets where nothing is hurt",
      [["stray", "possible", ""]],
      line({ "unit 1": { answers: 5, noiseOctets: 30 } }),
    ],
    [
      "nothing from everyday damage on a long line",
      [],
      line({ "unit 1": { answers: 400, checksums: 2, noiseOctets: 4 } }),
    ],
    [
      "a wrong rate when octets come from everywhere and never a frame",
      [["wrongRate", "likely", "unit 1,unit 2"]],
      line({ "unit 1": { checksums: 6 }, "unit 2": { checksums: 5, timeouts: 1 } }),
    ],
    [
      "a wrong rate from stray octets alone",
      [["wrongRate", "likely", "unit 1"]],
      line({ "unit 1": { timeouts: 6, noiseOctets: 60 } }),
    ],
    [
      "the parity when the port itself says so",
      [["parity", "certain", "unit 1"]],
      line({ "unit 1": { timeouts: 3 } }, { parities: 40 }),
    ],
    [
      "a dead line when nobody answers",
      [["deadLine", "likely", "unit 1,unit 2"]],
      line({ "unit 1": { timeouts: 6 }, "unit 2": { timeouts: 3 } }),
    ],
    [
      "a dead line or unit when there is but one",
      [["deadLine", "possible", "unit 1"]],
      line({ "unit 1": { timeouts: 6 } }),
    ],
    [
      "a bus that is dead behind a converter",
      [["deadBehind", "likely", "unit 1,unit 2"]],
      line({ "unit 1": { timeouts: 6 }, "unit 2": { timeouts: 3 } }),
      { way: "converter" },
    ],
    [
      "that only the converter is there, when every request comes back and nothing else",
      [["onlyEcho", "certain", "unit 1"]],
      line({ "unit 1": { timeouts: 6, echoes: 6 } }),
    ],
    [
      "one silent unit among others",
      [["silent", "certain", "unit 9"]],
      line({ "unit 1": fine, "unit 9": { timeouts: 4 } }),
    ],
    [
      "several silent units among others",
      [["silentSeveral", "certain", "unit 8,unit 9"]],
      line({ "unit 1": fine, "unit 8": { timeouts: 3 }, "unit 9": { timeouts: 4 } }),
    ],
    ["not much from one missing answer", [], line({ "unit 1": fine, "unit 9": { timeouts: 1 } })],
    [
      "what a gateway says itself",
      [["gatewayAway", "certain", "unit 9"]],
      line({ "unit 1": fine, "unit 9": { answers: 5, exceptions: 5, codes: { 11: 5 } } }),
      { way: "network" },
    ],
    [
      "a timeout that is too short when answers come after it",
      [["late", "likely", "unit 2"]],
      line({ "unit 1": fine, "unit 2": { timeouts: 6, late: 5, latestMs: 1_430 } }),
    ],
    [
      "late answers, not a dead line, where all are late",
      [["late", "likely", "unit 1"]],
      line({ "unit 1": { timeouts: 9, late: 9, latestMs: 420 } }),
    ],
    [
      "an overloaded gateway when several units are late behind it",
      [["overloaded", "likely", "unit 1,unit 2"]],
      line({
        "unit 1": { answers: 9, timeouts: 3, late: 3, latestMs: 3_100 },
        "unit 2": { answers: 9, timeouts: 2, late: 2, latestMs: 3_400 },
      }),
      { way: "converter" },
    ],
    [
      "a short pause from requests that are missed right after another unit's, and only those",
      [["gap", "likely", "unit 2"]],
      line({
        "unit 1": { answers: 40, firstAnswers: 20 },
        "unit 2": { answers: 40, firstAnswers: 5, timeouts: 12, firstTimeouts: 12, retries: 12 },
      }),
    ],
    [
      "no short pause where everything comes after another unit",
      [],
      line({
        "unit 1": { answers: 40, firstAnswers: 40 },
        "unit 2": { answers: 40, firstAnswers: 39, timeouts: 4, firstTimeouts: 4 },
      }),
    ],
    [
      "what a unit refuses",
      [["refuses", "certain", "unit 1"]],
      line({ "unit 1": { answers: 40, exceptions: 9, codes: { 2: 9 } } }),
    ],
    [
      "that a unit is busy",
      [["failing", "certain", "unit 1"]],
      line({ "unit 1": { answers: 40, exceptions: 9, codes: { 6: 9 } } }),
    ],
    ["an echo, which is no fault", [["echo", "certain", ""]], line({ "unit 1": { answers: 40, echoes: 40 } })],
    ["that the line is full", [["full", "certain", ""]], line({ "unit 1": fine }), { taken: 0.93 }],
    [
      "several things at once, the sure ones first",
      [
        ["silent", "certain", "unit 9"],
        ["refuses", "certain", "unit 1"],
        ["duplicate", "likely", "unit 7"],
        ["late", "likely", "unit 2"],
      ],
      line({
        "unit 1": { answers: 90, exceptions: 3, codes: { 2: 3 } },
        "unit 2": { answers: 40, timeouts: 3, late: 3, latestMs: 1_200 },
        "unit 7": { checksums: 9, answers: 1 },
        "unit 9": { timeouts: 3 },
      }),
    ],
  ])("%s", (_, expected, figures, more = {}) => {
    expect(said(figures, more)).toEqual(expected);
  });

  it("says it with its figures, and what to do", () => {
    const [finding] = examine(line({ "unit 1": fine, "unit 2": { timeouts: 6, late: 5, latestMs: 1_430 } }));
    expect(finding).toMatchObject({
      cause: "The timeout is too short for unit 2.",
      evidence: "Late answers: 5, the latest 1430 ms after its request.",
      advice: "Set the timeout of the line to at least 2200 ms.",
    });
    const [duplicate] = examine(line({ "unit 1": fine, "unit 7": { answers: 1, checksums: 14 } }));
    expect(duplicate?.evidence).toBe("Damaged answers from it: 14 of 15; from all others: 0 of 40.");
  });

  it("never fails, and leaves no figure out of a sentence, whatever the figures", () => {
    const count = fc.nat({ max: 50 });
    const counts = fc.record(Object.fromEntries(Object.keys(noCounts).map(name => [name, count])));
    const given = fc.tuple(
      counts,
      fc.option(fc.nat(5_000), { nil: undefined }),
      fc.dictionary(fc.constantFrom("2", "6", "11"), count),
    );
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("unit 1", "unit 2", "7", "scan", ""), given),
        fc.constantFrom("port", "converter", "network"),
        fc.constantFrom("mbus", "modbus"),
        fc.nat(3),
        (units, way, bus, masters) => {
          const figures = line(
            Object.fromEntries(
              Object.entries(units).map(([name, [some, latestMs, codes]]) => [
                name,
                { ...some, latestMs, codes } as Given,
              ]),
            ),
          );
          for (const { cause, evidence, advice } of examine(figures, { way, bus, masters, taken: masters / 2 })) {
            expect(`${cause} ${evidence} ${advice}`).not.toMatch(/\{\d\}|NaN|undefined|Infinity/);
          }
        },
      ),
      { seed: 4, numRuns: 2_000 },
    );
  });
});
