// `isthmus decode mbus` as a person reads it: the names and units of a readout, and whole words where there is no telegram.
// Its JSON is checked against the vectors in test/drivers/mbus.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseHex } from "#base/bytes.ts";
import {
  createMbusReadout,
  decodeMbus,
  decodeMbusBurst,
  decodeMbusRecords,
  decodeMbusStream,
  parseKeys,
} from "#cli/commands/decode-mbus.ts";
import { encodeLong, encodeSndUd } from "#drivers/mbus/frame.ts";

const linesOf = (hex: string, key?: string) =>
  decodeMbus(hex, () => (key === undefined ? undefined : parseHex(key))).lines;
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

it("1.1, 1.5: what a master says, in the standard's words", () => {
  expect(linesOf("10 7B FD 78 16")).toEqual(["short frame, C 7B, address 253, from the master (REQ_UD2, FCB 1)"]);
  expect(linesOf("10 40 05 45 16")).toEqual(["short frame, C 40, address 5, from the master (SND_NKE)"]);
  const command = (ci: number, ...data: number[]) =>
    linesOf(Buffer.from(encodeSndUd(5, false, ci, Uint8Array.from(data))).toString("hex"))[1];
  expect(command(0x50)).toBe("application reset");
  expect(command(0x50, 0x51)).toBe("application select: instantaneous values, number 1");
  expect(command(0x50, 0xd0)).toBe("application select: self test, number 0");
  expect(command(0x52, 0x78, 0x56, 0x34, 0x12, 0x2d, 0x2c, 8, 4)).toBe("select 12345678 2D2C 08 04");
  expect(command(0x52, 0x78, 0x56, 0x34, 0x12, 0x2d, 0x2c, 8, 4, 0x0c, 0x78, 1, 0, 0, 0)).toBe(
    "select 12345678 2D2C 08 04, and 0C 78 01 00 00 00",
  );
  expect(command(0xbb)).toBe("switch to 2400 Bd");
  expect(linesOf("68 04 04 68 08 01 70 08 81 16")[1]).toBe("the meter reports error 8: it is busy, try again later");
});

it("6.3: passwords and keys are not shown to people", () => {
  expect(decodeMbusRecords("04FD1610ADF031", "lsb").lines).toEqual(["Password: not shown"]);
  expect(decodeMbusRecords("04FD1910ADF031", "lsb").lines).toEqual(["Security Key: not shown"]);
});

it("1.10: a compact profile is told value by value", () => {
  const { lines } = decodeMbusRecords("84 04 03 E8030000 82 04 6C 5F 31 8D 04 83 1F 04 71 01 0A 14", "lsb");
  expect(lines[2]).toBe("Energy, Compact Profile, Storage 8 (days from 2026-01-31): +1 1.010 kWh; +2 1.030 kWh");
});

describe("what a line brought", () => {
  it("0.1: a burst of whole telegrams is each of them, a damaged one is told as it is", () => {
    const burst = (hex: string) => decodeMbusBurst(parseHex(hex) as Uint8Array).map(({ lines }) => lines[0]);
    expect(burst("10 7B FD 78 16 E5")).toEqual([expect.stringContaining("REQ_UD2"), "acknowledgement"]);
    expect(burst("10 7B FD 79 16 E5")).toEqual(["no telegram: its checksum is wrong"]);
    expect(burst("")).toEqual(["no telegram: it ends too early"]);
  });

  it("0.1: a stream is what can be found in it, in order", () => {
    expect(decodeMbusStream("00 10 7B FD | 78 16 E5 10 40").json).toEqual({
      found: [{ noise: 1 }, { echo: "107BFD7816" }, { ack: true }, { badFrame: "incomplete" }, { noise: 1 }],
    });
    expect(decodeMbusStream("00 | zz").json).toMatchObject({ error: "hex" });
  });

  it("1.3: a readout of several telegrams has the dates of all of them", () => {
    const readout = createMbusReadout();
    const telegram = (data: string) =>
      Buffer.from(encodeLong(0x08, 5, 0x78, parseHex(data) as Uint8Array)).toString("hex");
    expect(readout.addText("E5")).toBeUndefined();
    expect(readout.addText(telegram("44 06 05000000 1F"))).toBeUndefined();
    expect(readout.addText("zz")?.json).toMatchObject({ error: "hex" });
    expect(readout.addText(telegram("42 6C 5F 3C"))).toBeUndefined();
    expect(readout.end().lines).toContain("  Energy, Storage 1 (2026-12-31): 5 kWh");
  });
});

it("1.12: a file of keys has one for each meter, or one for all, and a wrong line is named without what is in it", () => {
  const key = "00112233445566778899aabbccddeeff";
  const hexOf = (keys: ReturnType<typeof parseKeys>, id: string) =>
    typeof keys === "string" ? keys : Buffer.from(keys(id) ?? []).toString("hex");
  const keys = parseKeys(`# a house\n12345678 ${key}\r\n${key.toUpperCase().replaceAll("0", "1")}\n\n`);
  expect(hexOf(keys, "12345678")).toBe(key);
  expect(hexOf(keys, "87654321")).toBe(key.replaceAll("0", "1"));
  expect(hexOf(parseKeys(`1234567A=${key}`), "12345678")).toBe("");
  for (const bad of [`1234 ${key}`, key.slice(2), `${key} ${key} ${key}`, "key"]) {
    expect(parseKeys(`# one\n${bad}`)).toBe(
      "line 2 is neither a key of 32 hexadecimal digits nor an eight-digit ID and a key",
    );
  }
});
