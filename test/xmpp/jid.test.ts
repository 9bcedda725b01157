// JIDs: what is one, what is the same one, and that nothing else passes for one.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bareJid, domainOf, formatJid, isDomainJid, normalJid, parseJid } from "#xmpp/jid.ts";

describe("JIDs", () => {
  it("PRES-ID-01: what compares equal is equal after normalisation", () => {
    const same = [
      ["Edge@Example.ORG/Home", "edge@example.org/Home"],
      ["edge@example.org.", "edge@example.org"],
      ["ＥＤＧＥ@example.org", "edge@example.org"],
      ["e\u0301lan@example.org", "élan@example.org"],
      ["ÉLAN@BÜCHER.example", "élan@bücher.example"],
    ];
    for (const [one = "", other] of same) expect(normalJid(one)).toBe(other);
    expect(normalJid("a@b/Home")).not.toBe(normalJid("a@b/home"));
    expect(bareJid("a@b/c/d@e")).toBe("a@b");
    expect(parseJid("a@b/c/d@e")).toEqual({ local: "a", domain: "b", resource: "c/d@e" });
  });

  it("a domain, an address, a service", () => {
    expect(isDomainJid("registry.example.org")).toBe(true);
    expect(isDomainJid("a@example.org")).toBe(false);
    expect(isDomainJid("example.org/x")).toBe(false);
    expect(domainOf("A@Example.org/x")).toBe("example.org");
    expect(domainOf("not a jid")).toBe("");
    expect(bareJid("127.0.0.1")).toBe("127.0.0.1");
    expect(bareJid("a@[::1]")).toBe("a@[::1]");
  });

  it.each([
    "",
    "@",
    "@b",
    "a@",
    "a@b/",
    "/r",
    "a b@c",
    "a@b c",
    "a@@b",
    "a:b@c",
    'a"b@c',
    "a&b@c",
    "<a>@b",
    "a\u0000@b",
    "a\u200Eb@c",
    "a@-b",
    "a@b-",
    "a@b..c",
    "a@.b",
    "a@b/\u0007",
    `${"é".repeat(600)}@b`,
    `a@${"b".repeat(256)}`,
    `a@b/${"r".repeat(1024)}`,
    "a".repeat(4_000),
  ])("%j is none", text => {
    expect(parseJid(text)).toBeUndefined();
    expect(bareJid(text)).toBeUndefined();
  });

  it("undefined is none", () => {
    expect(bareJid(undefined)).toBeUndefined();
    expect(normalJid(undefined)).toBeUndefined();
  });

  it("any text is a JID or none, and normalising once is normalising for good", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc
        .tuple(
          fc.string({ unit: "grapheme", maxLength: 8 }),
          fc.domain(),
          fc.string({ unit: "grapheme", maxLength: 8 }),
        )
        .map(([local, domain, resource]) => `${local}@${domain}/${resource}`),
    );
    fc.assert(
      fc.property(text, any => {
        const jid = parseJid(any);
        if (jid === undefined) return;
        expect(parseJid(formatJid(jid))).toEqual(jid);
        expect(bareJid(any)).toBe(formatJid({ ...jid, resource: "" }));
      }),
      { numRuns: 5_000 },
    );
  });
});
