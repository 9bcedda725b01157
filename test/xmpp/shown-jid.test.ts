// Names that look like others' and are not: each is seen to be what it is, and honest names in any alphabet stay as they are.

import { expect, it } from "vitest";
import { safe } from "#cli/output.ts";
import { bareJid } from "#xmpp/jid.ts";
import { shownJid } from "#xmpp/shown-jid.ts";

it.each([
  ["a Cyrillic o in a Latin name", "\u043ewner@hub.example", "\\u{43e}wner@hub.example"],
  ["a Greek o in a Latin domain", "owner@h\u03bfme.example", "owner@h\\u{3bf}me.example"],
  [
    "a domain that is Cyrillic as a whole and reads as Latin",
    "ana@\u0441\u043e\u0440.example",
    "ana@\\u{441}\\u{43e}\\u{440}.example",
  ],
  ["an Armenian letter", "\u0585wner@hub.example", "\\u{585}wner@hub.example"],
])("PRES-THR-02: %s is written out", (_what, jid, shown) => {
  expect(shownJid(jid)).toBe(shown);
  expect(safe(`${jid} wants to read heat-3`)).toBe(`${shown} wants to read heat-3`);
  // And it never was the same to the program.
  expect(bareJid(jid)).not.toBe(bareJid(jid.normalize("NFKD").replace(/[^\x20-\x7e]/g, "o")));
});

it.each([
  "иван@пример.рф",
  "μαρία@παράδειγμα.gr",
  "müller@straße.example",
  "田中@例え.jp",
  "owner@hub.example",
  "gw_9@hub.example/edge",
])("PRES-THR-02: %s is a name like any other", jid => expect(shownJid(jid)).toBe(jid));

it("PRES-THR-02, PRES-ID-01: what looks the same by letter case, width or composition is the same to the program", () => {
  expect(bareJid("ＡNA@Hub.Example")).toBe("ana@hub.example");
  expect(bareJid("mu\u0308ller@hub.example")).toBe(bareJid("m\u00fcller@hub.example"));
  expect(bareJid("\u043ewner@hub.example")).not.toBe("owner@hub.example");
});

it("a text without addresses stays as it is, in any alphabet", () => {
  for (const text of ["Температура Temperature", "Σ Energie", "смешанный text"]) expect(safe(text)).toBe(text);
});
