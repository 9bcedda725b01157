import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, formatHex, parseHex } from "#base/bytes.ts";

const octets = fc.uint8Array({ maxLength: 64 });

describe("octets as text", () => {
  it("what is formatted is read back", () => {
    fc.assert(fc.property(octets, bytes => void expect(parseHex(formatHex(bytes))).toEqual(bytes)));
    expect(formatHex(Uint8Array.of(0x68, 3, 0xff))).toBe("68 03 FF");
  });

  it.each([
    ["680303 68", [0x68, 3, 3, 0x68]],
    ["68:03:03:68", [0x68, 3, 3, 0x68]],
    ["68-03-03-68", [0x68, 3, 3, 0x68]],
    ["0x68, 0x03,\r\n0X03;0x68", [0x68, 3, 3, 0x68]],
    ["  6803\n0368\n", [0x68, 3, 3, 0x68]],
    ["0x68030368", [0x68, 3, 3, 0x68]],
    ["aB", [0xab]],
    ["", []],
    [" ", []],
  ])("reads %j", (text, expected) => {
    expect(parseHex(text)).toEqual(Uint8Array.from(expected));
  });

  it.each(["6", "68 3", "6 8 0 3", "0x", "0x6", "10xFF", "a0xb", "68 0g", "68h", "0x0x68", "６８", "-0x1", "68.03"])(
    "does not guess at %j",
    text => {
      expect(parseHex(text)).toBeUndefined();
    },
  );

  it("any text is octets or undefined, and only hexadecimal digits make octets", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."019afAFx- ,:;g\n"), maxLength: 30 }), text => {
        const bytes = parseHex(text);
        if (bytes === undefined) return;
        expect(formatHex(bytes).replaceAll(" ", "").toLowerCase()).toBe(
          text
            .toLowerCase()
            .replaceAll("0x", "")
            .replace(/[^0-9a-f]/g, ""),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it("a long text takes no time to refuse", () => {
    const text = `${"00".repeat(200_000)}z`;
    const began = performance.now();
    expect(parseHex(text)).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(200);
  });

  it("concat puts the parts in their order and shares nothing with them", () => {
    fc.assert(
      fc.property(fc.array(octets), parts => {
        const whole = concat(...parts);
        expect([...whole]).toEqual(parts.flatMap(part => [...part]));
      }),
    );
    const part = Uint8Array.of(1);
    const whole = concat(part);
    part[0] = 2;
    expect(whole[0]).toBe(1);
  });
});
