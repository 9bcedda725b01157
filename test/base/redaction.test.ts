// What a reader of logs must not be able to use, in the shapes in which it gets into texts.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLog, formatLogEvent, type LogEvent } from "#base/log.ts";
import { redact } from "#base/redaction.ts";

const key = "4a1f9c03b7d2e85566708192a3b4c5d6";

describe("LOG-SND-04: secrets in texts", () => {
  it.each([
    ["a claim code", `claim it with iotdisco:MAN=x;SN=1;KEY=${key};R=reg.hub.example today`, "today"],
    ["a tag", `<str name='KEY' value='${key}'/>`, "<str name='KEY'"],
    ["a tag, another attribute between", `<str name="KEY" type="x" value="kurz"/>`, 'type="x"'],
    ["JSON", `{"KEY":"kurz","x":1}`, '"x":1'],
    ["a pair", `user=a password=hunter2 host=b`, "host=b"],
    ["a quoted pair", `password: "two words" host=b`, "host=b"],
    ["an address", `cannot reach mqtt://ana:hunter2@broker.example:1883`, "broker.example:1883"],
    ["a header", `Authorization: Bearer abcdefgh.ijkl next`, "next"],
    ["a pairing code", `xmpp:gw@hub.example?roster;preauth=kurz`, "xmpp:gw@hub.example?roster"],
    ["an element", `<password>hunter2</password>`, "<password>"],
    ["an attribute", `<preauth xmlns='urn:xmpp:pars:0' token='kurz'/>`, "urn:xmpp:pars:0"],
    ["a private key", `-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY----- rest`, "rest"],
    ["a digest", `digest ${key}${key}.`, "digest"],
  ])("%s", (_what, text, stays) => {
    const left = redact(text);
    for (const secret of [key, "hunter2", "kurz", "two words", "ijkl"]) expect(left).not.toContain(secret);
    expect(left).toContain(stays);
  });

  it("what is none stays as it is", () => {
    for (const text of [
      "not-authorized: the account or its password is wrong",
      "secretFile: /etc/x is empty",
      "several things have the same KEY",
      "12.30 kWh at 2026-01-05T08:00:00.000Z",
      "no connection to hub.example: 127.0.0.1:5222 refuses connections",
      "gw-abcdefghij@hub.example",
    ])
      expect(redact(text)).toBe(text);
  });

  it("a claim code is gone whatever stands around it, and nothing throws", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        expect(redact(`${before} iotdisco:KEY=${key} ${after}`)).not.toContain(key);
      }),
    );
  });

  it("takes no longer than the text is long", () => {
    for (const text of ["name='KEY' ", "key= ", "//:", "-----BEGIN PRIVATE KEY-----", "<password "])
      expect(redact(text.repeat(4_000)).length).toBeLessThan(60_000);
  });

  it("in an error, a list and a fact of its own", () => {
    const seen: LogEvent[] = [];
    const log = createLog(event => seen.push(event));
    log.warning("x", {
      error: new Error(`refused KEY=${key}`),
      what: [`password=hunter2`],
      claimKey: key,
      deep: { token: key },
    });
    const line = formatLogEvent(seen[0] as LogEvent);
    expect(line).not.toMatch(new RegExp(`${key}|hunter2`));
  });
});
