// Regular expressions of searches: the language against the one of the platform, and patterns that make others stand still.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Refusal } from "#contract/faults.ts";
import { compileRegex } from "../../src/registry/regex.ts";

const reference = (pattern: string) => new RegExp(`^(?:${pattern})$`, "u");

describe("DISCO-SEARCH-06: the language", () => {
  it.each([
    ["abc", ["abc"], ["ab", "abcd", "xabc", ""]],
    ["a|bc|", ["a", "bc", ""], ["abc", "b"]],
    ["(ab)+c?", ["ab", "ababc"], ["", "c", "aba"]],
    ["a{2,3}b{2}c{1,}", ["aabbc", "aaabbccc"], ["abbc", "aaaabbc", "aabc", "aabb"]],
    ["[a-cx][^a-c0-9]", ["ad", "x-"], ["aa", "d1", "x5"]],
    ["[]x-]+", ["]", "x-]"], ["", "y"]],
    ["\\d+\\.\\d{2}", ["12.30", "0.00"], ["12,30", "12.3", ".30"]],
    ["\\w\\W\\s\\S\\D", ["a- bb"], ["a-bbb"]],
    ["^a.c$", ["abc", "aäc"], ["ac", "a\nc"]],
    ["(?:a|b)(?<n>c)", ["ac", "bc"], ["c"]],
    ["(?i)heat[A-C]", ["HEATa", "heatC"], ["HEATd"]],
    ["(?i)[^a]", ["b"], ["a", "A"]],
    ["\\x41\\u00e4\\t\\/", ["Aä\t/"], ["A"]],
    ["\\p{Lu}\\P{L}", ["Ä1"], ["ä1", "Äb"]],
    [".*ö.*?", ["ö", "xöx"], ["o"]],
    ["a{x}", ["a{x}"], ["a"]],
    ["()*", [""], ["a"]],
    ["(a*)*", ["", "aaa"], ["b"]],
    ["a$b", [], ["ab", "a$b"]],
    ["(^a|b)+", ["a", "b", "abb"], ["ba"]],
    ["😀+", ["😀😀"], ["\ud83d"]],
  ] as const)("%s", (pattern, yes, no) => {
    const { matches } = compileRegex(pattern);
    for (const text of yes) expect(matches(text), text).toBe(true);
    for (const text of no) expect(matches(text), text).toBe(false);
  });

  it.each([
    "(a",
    "a)",
    "[a",
    "*a",
    "a**",
    "a++",
    "(a)\\1",
    "a(?=b)",
    "(?<!a)b",
    "\\bword",
    "a{3,2}",
    "a{1001}",
    "[z-a]",
    "[[:alpha:]]",
    "\\",
    "\\p{Nothing}",
    "\\p",
    "\\x4",
    "x".repeat(129),
    "(((a{30}){30}){30})",
  ])("refuses %s with a reason", pattern => {
    expect(() => compileRegex(pattern)).toThrow(Refusal);
    expect(() => compileRegex(pattern)).toThrow(/regular expression/);
  });

  const atom = fc.constantFrom("a", "b", "c", ".", "[ab]", "[^a]", "\\d", "\\w", "1");
  const suffix = fc.constantFrom("", "*", "+", "?", "{2}", "{1,3}", "{0,2}?", "*?");
  const { pattern } = fc.letrec<{ pattern: string; piece: string }>(tie => ({
    piece: fc.oneof(
      { maxDepth: 2 },
      fc.tuple(atom, suffix).map(([one, how]) => one + how),
      fc.tuple(tie("pattern"), suffix).map(([inner, how]) => `(${inner})${how}`),
    ),
    pattern: fc
      .array(fc.array(tie("piece"), { minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 2 })
      .map(ways => ways.map(parts => parts.join("")).join("|")),
  }));
  const subject = fc.string({ unit: fc.constantFrom("a", "b", "c", "1", "\n"), maxLength: 6 });

  it("says the same as the platform's own, of any pattern and text", () => {
    fc.assert(
      fc.property(pattern, fc.array(subject, { minLength: 1, maxLength: 20 }), (text, subjects) => {
        fc.pre(text.length <= 128);
        const { matches, required } = compileRegex(text);
        for (const one of subjects) {
          const said = matches(one);
          expect(said, `${text} on ${JSON.stringify(one)}`).toBe(reference(text).test(one));
          if (said) expect(one).toContain(required);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("knows a text that every match holds, for the index", () => {
    const required = (text: string) => compileRegex(text).required;
    expect(required("HeatMeter.*")).toBe("HeatMeter");
    expect(required("a?Meter(s|es)x")).toBe("Meter");
    expect(required("^(abc)[0-9]de$")).toBe("abc");
    expect(required("(?i)abc")).toBe("");
    expect(required("abc|def")).toBe("");
    expect(required("ab*cd")).toBe("cd");
  });
});

it("DISCO-SEARCH-06: what makes a backtracking engine stand still costs a walk along the text", () => {
  for (const pattern of [
    "(a+)+b",
    "(a|aa)+b",
    "(a|a?)+b",
    "(.*a){20}b",
    "([a-z]+)*\\d",
    "(x+x+)+y",
    `${"a?".repeat(40)}a{40}b`,
  ]) {
    const { matches } = compileRegex(pattern);
    const before = process.cpuUsage();
    for (let n = 0; n < 100; n++) expect(matches("a".repeat(128 - (n % 7)))).toBe(false);
    const { user, system } = process.cpuUsage(before);
    // Processor time, generously: backtracking would need years.
    expect((user + system) / 1_000, pattern).toBeLessThan(5_000);
  }
});
