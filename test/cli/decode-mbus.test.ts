// `isthmus decode mbus` as a person reads it: the names and units of a readout, and whole words where there is no telegram.
// Its JSON is checked against the vectors in test/drivers/mbus.

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { decodeMbus } from "#cli/commands/decode-mbus.ts";

const linesOf = (hex: string, key?: string) => decodeMbus(hex, key).lines;
const vector = (name: string) => readFileSync(new URL(`../vectors/mbus/frames/${name}.hex`, import.meta.url), "utf8");
const fixed = "6813136808B773628037440300C26962095530810356068D16";
const encrypted = "681F1F6808E072784047102D2CC306AD001005BD1F091009EF84D9F592471D32CC5B936E16";

it("6.1, 6.2: prints records by the names and in the units of a readout, stored ones with their date", () => {
  expect(linesOf(vector("kamstrup_multical_601")).slice(0, 8)).toEqual([
    "long frame, C 08, address 17, from the slave, CI 72",
    "meter 06855817 KAM version 8, heat-outlet, access number 4, status ok",
    "  Fabrication Number: 06855817",
    "  Energy: 37351 kWh",
    "  Volume: 561.08 m3",
    "  On Time: 985 h",
    "  Supply Temperature: 101.69 Cel",
    "  Return Temperature: 46.16 Cel",
  ]);
  expect(linesOf(vector("kamstrup_multical_601"))).toContain("  Power, Storage 1, Max (2010-12-31): 55000 W");
  expect(linesOf(vector("ELV-Elvaco-CMa10"))).toContain("  Relative Humidity, Min: 33.64 %");
});

it("1.11: prints the two counters of the fixed structure", () => {
  expect(linesOf(fixed).slice(1)).toEqual([
    "meter 44378062, water",
    "  Energy: 30550.962 kWh",
    "  Volume: 6560.381 m3",
  ]);
});

it("1.1, 1.5: says in words what is wrong, and shows the octets", () => {
  expect(linesOf(fixed.replace(/8D16$/, "8E16"))[0]).toBe("no telegram: its checksum is wrong");
  expect(linesOf(fixed.replace(/8D16$/, "8D17"))[0]).toBe("no telegram: its stop octet is wrong");
  expect(linesOf("68131368")).toEqual(["no telegram: it ends too early", "  68 13 13 68"]);
  expect(linesOf("hello")).toEqual(["no telegram: it is not hexadecimal"]);
  expect(linesOf("E5")).toEqual(["acknowledgement"]);
});

it("1.12: tells an encrypted telegram from one whose key is wrong", () => {
  expect(linesOf(encrypted)).toContain("  records withheld: encrypted");
  expect(linesOf(encrypted, "5107a3fa1409dcb6a6f6cf74ff4328ef")).toContain("  Volume: 96482.015 m3");
  expect(linesOf(encrypted, "0".repeat(32))[0]).toBe("no telegram: the decryption key is wrong");
});
