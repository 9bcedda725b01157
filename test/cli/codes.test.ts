// A claim code as a person pastes it: out of a letter, with what the letter and the shell make of it.

import { describe, expect, it } from "vitest";
import { claimCode, readCode } from "../../src/cli/codes.ts";
import { UsageError } from "../../src/cli/command.ts";

const code =
  "iotdisco:CLASS=WaterMeter;MAN=elster.example;SN=41907755;ROOM=Living%20room;KEY=0123456789abcdef;R=things.example";
const complaint = (text: string): string => {
  try {
    claimCode(text);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  return "none";
};

describe("a code that was pasted", () => {
  it.each([
    ["with blanks around", `  ${code}\t\n`],
    ["in quotation marks", `"${code}"`],
    ["in the quotation marks of a letter", `“${code}”`],
    ["in brackets", `<${code}>`],
    ["broken over lines by a mail program", code.replace("SN=4190", "SN=4190\r\n  ").replace(";ROOM", ";\n  ROOM")],
    ["with a blank after each semicolon", code.replaceAll(";", "; ")],
  ])("%s means the same", (_, text) => {
    expect(claimCode(text)).toBe(code);
    expect(readCode(text)).toEqual(readCode(code));
  });

  it("keeps the blanks within a value", () => {
    expect(readCode("iotdisco:ROOM=Living room;KEY=0123456789abcdef")).toMatchObject({
      tags: expect.arrayContaining([{ name: "ROOM", value: "Living room" }]),
    });
  });

  it.each([
    ["iotdisco:CLASS=WaterMeter", /^This code has no KEY\. Is it in quotes\?/],
    ["iotdisco:JID=box@example.org;NID=heat-3", /^This code only says where a thing is/],
    ["http://example.org", /^This is not an iotdisco URI: /],
    ["", /^This is not an iotdisco URI: /],
  ])("what is no claim is said before anybody is asked: %s", (text, said) => {
    expect(complaint(text)).toMatch(said);
  });

  it("URI-SEC-02: what is wrong with one is said without its KEY", () => {
    for (const text of [`${code};KEY=fedcba9876543210`, `${code};=`, code.replace("MAN", "MA%")])
      expect(complaint(text)).not.toMatch(/0123456789abcdef|fedcba9876543210/);
  });
});
