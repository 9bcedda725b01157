// Decoding in general: what holds for any octets, well-formed or not.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseHex } from "#base/bytes.ts";
import { encodeLong } from "#drivers/mbus/frame.ts";
import { decodeTelegram, isFaulty } from "#drivers/mbus/telegram.ts";
import { decodeMbus } from "../../../src/cli/commands/decode-mbus.ts";

const hexes = ["kamstrup_multical_601", "ELV-Elvaco-CMa10", "abb_f95", "siemens_rvd235", "example_binary16_lvar"].map(
  name => readFileSync(join(import.meta.dirname, "../../vectors/mbus/frames", `${name}.hex`), "utf8"),
);
const recorded = hexes.map(hex => parseHex(hex) as Uint8Array);

describe("any octets", () => {
  it("decoding leaves the octets as they were, in a Buffer too", () => {
    for (const bytes of recorded) {
      const buffer = Buffer.from(bytes);
      const first = decodeTelegram(buffer);
      expect([...buffer]).toEqual([...bytes]);
      expect(isFaulty(first)).toBe(false);
    }
    const key = Buffer.from("5107a3fa1409dcb6a6f6cf74ff4328ef", "hex");
    const encrypted = Buffer.from("681F1F6808E072784047102D2CC306AD001005BD1F091009EF84D9F592471D32CC5B936E16", "hex");
    const before = encrypted.toString("hex");
    expect(isFaulty(decodeTelegram(encrypted, key))).toBe(false);
    expect(encrypted.toString("hex")).toBe(before);
  });

  it("0.3: random octets are a telegram or a typed fault", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
        const { json } = decodeMbus(Buffer.from(bytes).toString("hex"));
        expect("error" in json || "frame" in json).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it("0.3: random application data in a sound frame are records or a typed fault, within their own length", () => {
    const ci = fc.constantFrom(0x70, 0x71, 0x72, 0x73, 0x76, 0x77, 0x78, 0x7a, 0x51);
    fc.assert(
      fc.property(ci, fc.uint8Array({ maxLength: 252 }), (code, data) => {
        const frame = encodeLong(code === 0x51 ? 0x53 : 0x08, 1, code, data);
        const { json } = decodeMbus(Buffer.from(frame).toString("hex"));
        const records = (json.records ?? []) as { raw: string; value?: unknown; exact?: string }[];
        const octets = records.reduce((sum, { raw }) => sum + raw.length / 2, 0);
        expect(octets).toBeLessThanOrEqual(data.length);
        for (const { value, exact } of records) {
          if (typeof value === "number") expect(Number.isFinite(value)).toBe(true);
          if (exact !== undefined) expect(exact).toMatch(/^-?\d+(\.\d*[1-9])?$/);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it("0.3: a telegram with any one octet changed and its checksum left is refused, or says what it did not touch", () => {
    fc.assert(
      fc.property(fc.constantFrom(...recorded), fc.nat(), fc.integer({ min: 1, max: 255 }), (bytes, place, change) => {
        const at = place % bytes.length;
        const damaged = bytes.slice();
        damaged[at] = (damaged[at] as number) ^ change;
        expect(isFaulty(decodeTelegram(damaged))).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});
