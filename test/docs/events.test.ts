// The page of events against the sources: each event the programs can log has its row, with its levels, and no row is of yesterday.
// And what their facts are called, for none may be called like what must not be written.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { toldFacts } from "#iot/event-of-line.ts";
import { eventsInSource } from "../support/events-in-source.ts";

const page = readFileSync(join(resolve(import.meta.dirname, "../.."), "docs/events.md"), "utf8");
const rows = [...page.matchAll(/^\| `([^`]+)` \| ([a-z, ]+) \| ([^|]+) \| ([^|]+) \|$/gm)].map(found => ({
  id: found[1] as string,
  levels: (found[2] as string).split(", "),
  when: found[3] as string,
  what: found[4] as string,
}));
const logged = eventsInSource();
const levelsOf = (id: string) => [...new Set(logged.filter(one => one.id === id).map(({ level }) => level))].sort();

describe("docs/events.md", () => {
  it("has each event that the sources can log, with its levels", () => {
    const missing = [...new Set(logged.map(({ id }) => id))]
      .filter(id => !rows.some(row => row.id === id && row.levels.join() === levelsOf(id).join()))
      .map(id => `${id} (${levelsOf(id).join(", ")}), logged in ${logged.find(one => one.id === id)?.file}: put a row`);
    expect(missing).toEqual([]);
  });

  it("has no event that nobody logs, and none twice", () => {
    // Made by the sender of events for the log elsewhere, and never written.
    const others = new Set(["EventsLost"]);
    expect(rows.filter(({ id }) => levelsOf(id).length === 0 && !others.has(id)).map(({ id }) => id)).toEqual([]);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
  });

  it("says in whole sentences when, and what to do", () => {
    expect(rows.length).toBeGreaterThan(100);
    for (const { id, when, what } of rows) {
      expect(when.trim(), id).toMatch(/^[A-Z].*\.$/);
      expect(what.trim(), id).toMatch(/\S[.]$/);
    }
  });

  it("LOG-AUD-01: has what concerns security, under the names that were agreed on", () => {
    const agreed = [
      ...["ClaimRejected", "OwnerChanged", "Disowned", "SpoofedStanza", "ProvisioningChanged", "DecisionDenied"],
      ...["CacheCleared", "RuleAdded", "RegistryTagRejected", "RateLimited", "LoginFailed", "RegistrationFailed"],
      "SecondResource",
    ];
    for (const id of agreed) expect(levelsOf(id), id).not.toEqual([]);
  });
});

describe("LOG-SND-04: the facts of all events the sources can log", () => {
  /** Expressions that would put what is nobody's business into a line. */
  const forbidden =
    /\b(?:password|secret|claimKey|claimUri|privateKey|apiSecret|preauth|(?:\w+\.)?(?:key|token|tokens|uri|code|form|submission|settings))\b(?!\s*[:.(])/;

  it("are no secrets, claim codes, forms or settings, by what they are made of", () => {
    // Words in quotation marks, and what these functions leave of a form, a token or settings: names, an issuer, a yes or no.
    const plain = (facts: string) =>
      facts.replace(/"[^"]*"|`[^`]*`/g, "").replace(/\b(?:namesIn|issuerOf)\([^)]*\)/g, "");
    // There it is one word, which says whether settings are kept.
    const words = new Set(["thing-reset", "appliance-reset"]);
    const suspects = logged
      .filter(({ id }) => !words.has(id))
      .filter(({ facts }) => forbidden.test(plain(facts)))
      .map(({ id, facts }) => `${id}: ${facts}`);
    expect(suspects).toEqual([]);
  });

  it("that leave the machine are on the list; what is on it is used", () => {
    const used = new Set(
      logged.flatMap(({ facts }) => [...facts.matchAll(/\b([a-zA-Z]+)\b/g)].map(one => one[1] ?? "")),
    );
    const added = new Set(["repeated", "unsaid", "others", "count", "parameter"]);
    expect([...toldFacts].filter(name => !used.has(name) && !added.has(name))).toEqual([]);
  });
});
