// What the vectors do not hold of the application layer (EN 13757-3): what a master sends, reserved codes, odd lengths, and the
// rule that a length nobody knows costs the rest and never invents a value.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseHex } from "#base/bytes.ts";
import { formatDecimal } from "#base/decimal.ts";
import { encodeLong } from "#drivers/mbus/frame.ts";
import { mediumName } from "#drivers/mbus/header.ts";
import { type DataRecord, decodeRecords } from "#drivers/mbus/record.ts";
import { type Body, decodeTelegram, isFaulty } from "#drivers/mbus/telegram.ts";
import { scaled, type Value } from "#drivers/mbus/value.ts";
import { hex } from "#drivers/mbus/vif.ts";

const octets = (text: string) => parseHex(text) as Uint8Array;

function itemsOf(text: string, sender: "slave" | "master" = "slave", msb = false) {
  const records = decodeRecords(octets(text), msb, sender);
  if (typeof records === "string") throw new Error(records);
  return records.items;
}
const recordOf = (text: string, sender?: "master") => itemsOf(text, sender)[0] as DataRecord;
const readOf = (text: string): Value => recordOf(text).data.value;
const exactOf = ({ vib, data: { value } }: DataRecord) =>
  value.kind === "number" ? formatDecimal(scaled(value.mantissa, vib)) : value.kind;

function bodyOf(c: number, ci: number, data: string, key?: Uint8Array): Body {
  const telegram = decodeTelegram(encodeLong(c, 1, ci, octets(data)), key);
  if (isFaulty(telegram)) throw new Error(telegram.fault);
  return telegram.body as Body;
}

describe("what a master sends", () => {
  it.each([
    ["00", "write"],
    ["01", "add"],
    ["02", "subtract"],
    ["03", "or"],
    ["04", "and"],
    ["05", "xor"],
    ["06", "and-not"],
    ["07", "clear"],
    ["08", "add-entry"],
    ["09", "delete-entry"],
    ["0A", "delayed"],
    ["0B", "freeze"],
    ["0C", "add-to-readout"],
    ["0D", "remove-from-readout"],
  ])("M-Bus 1.8: VIFE %s is the order to %s", (vife, action) => {
    const order = recordOf(`04 93 ${vife} 01000000`, "master");
    expect(order.vib.modifiers).toEqual([action]);
    expect(order.vib.recordError).toBeUndefined();
    expect(exactOf(order)).toBe("0.001");
    // The same octets from a meter are a report of what went wrong, and the two are not mistaken for each other.
    expect(recordOf(`04 93 ${vife} 01000000`).vib.modifiers).not.toContain(action);
    expect(recordOf(`04 93 ${vife} 01000000`, "master").vib.modifiers).toEqual([action]);
  });

  it("M-Bus 1.5: data with a short and a long header, and most significant octet first", () => {
    expect(bodyOf(0x53, 0x5a, "01 00 0000 0413 01000000")).toMatchObject({ header: { accessNumber: 1 }, items: [{}] });
    const long = "78563412 2D2C 08 04 07 00 0000 0413 01000000";
    expect(bodyOf(0x53, 0x5b, long)).toMatchObject({ header: { id: "12345678", manufacturer: "KAM" }, items: [{}] });
    expect(bodyOf(0x53, 0x55, "0413 00000001")).toMatchObject({ items: [{ data: { value: { mantissa: 1 } } }] });
    expect(decodeTelegram(encodeLong(0x53, 1, 0x5b, octets("78563412")))).toMatchObject({ fault: "short-header" });
  });

  it.each([0x50, 0x52, 0x54, 0x56, 0xb8, 0xbf])("M-Bus 1.5: CI %i is a command with its octets", ci => {
    expect(bodyOf(0x53, ci, "20")).toEqual({ kind: "command", data: octets("20") });
    expect(decodeTelegram(encodeLong(0x08, 1, ci))).toMatchObject({ fault: "direction" });
  });
});

describe("answers that are no readings", () => {
  it("M-Bus 1.5: application errors by code, and without one", () => {
    expect(bodyOf(0x08, 0x70, "")).toEqual({ kind: "application-error", code: undefined });
    for (let code = 0; code < 256; code++) {
      expect(bodyOf(0x08, 0x70, hex(Uint8Array.of(code)))).toEqual({ kind: "application-error", code });
    }
  });

  it("M-Bus 1.5: an alarm keeps its octets; what no table knows is refused with its frame", () => {
    expect(bodyOf(0x08, 0x71, "04")).toEqual({ kind: "alarm", data: octets("04") });
    const known = new Set([0x70, 0x71, 0x72, 0x73, 0x76, 0x77, 0x78, 0x7a]);
    for (let ci = 0; ci < 256; ci++) {
      const seen = decodeTelegram(encodeLong(0x08, 1, ci, new Uint8Array(16)));
      if (known.has(ci)) expect(isFaulty(seen), String(ci)).toBe(false);
      else expect(seen).toMatchObject({ fault: expect.stringMatching(/^(ci|direction)$/), frame: { ci } });
    }
  });

  it("M-Bus 1.5: the fixed structure most significant octet first says the same", () => {
    const lsb = bodyOf(0x08, 0x73, "62803744 03 00 C269 62095530 81035606");
    const msb = bodyOf(0x08, 0x77, "44378062 03 00 C269 30550962 06560381");
    const strip = (body: Body) =>
      body.kind === "fixed" && {
        ...body.fixed,
        counters: body.fixed.counters.map(({ raw: _, ...counter }) => counter),
      };
    expect(strip(msb)).toEqual(strip(lsb));
  });
});

describe("DIB", () => {
  it("M-Bus 1.7: storage reaches 41 bits, tariff 20, subunit 10, exactly", () => {
    const { dib } = recordOf(`C4${"FF".repeat(9)}7F 13 00000000`);
    expect(dib).toMatchObject({ storage: 2 ** 41 - 1, tariff: 2 ** 20 - 1, subunit: 2 ** 10 - 1, octets: 11 });
    expect(decodeRecords(octets(`C4${"FF".repeat(10)}7F 13 00000000`))).toBe("too-many-dife");
    expect(decodeRecords(octets(`04 93${"FF".repeat(10)}7F 00000000`))).toBe("too-many-vife");
  });

  it("M-Bus 1.7: every storage, tariff and subunit is what its bits say", () => {
    const extension = fc.record({ storage: fc.nat(15), tariff: fc.nat(3), subunit: fc.nat(1) });
    fc.assert(
      fc.property(fc.nat(1), fc.array(extension, { minLength: 1, maxLength: 10 }), (bit, difes) => {
        const bytes = [0x84 | (bit << 6)];
        for (const [n, { storage, tariff, subunit }] of difes.entries()) {
          bytes.push((n < difes.length - 1 ? 0x80 : 0) | (subunit << 6) | (tariff << 4) | storage);
        }
        const { dib } = recordOf(hex(Uint8Array.from([...bytes, 0x13, 0, 0, 0, 0])));
        const sum = (of: (one: (typeof difes)[number]) => number, width: bigint) =>
          difes.reduce((total, one, n) => total + (BigInt(of(one)) << (BigInt(n) * width)), 0n);
        expect(BigInt(dib.storage)).toBe(BigInt(bit) + (sum(one => one.storage, 4n) << 1n));
        expect(BigInt(dib.tariff)).toBe(sum(one => one.tariff, 2n));
        expect(BigInt(dib.subunit)).toBe(sum(one => one.subunit, 1n));
      }),
    );
  });

  it.each(["3F", "4F", "5F", "6F", "8F01", "FF01"])(
    "M-Bus 1.7: a reserved DIF %s keeps the rest as it is and costs nothing before it",
    dif => {
      const [first, rest, ...none] = itemsOf(`0413 01000000 ${dif} 040302`);
      expect(first).toMatchObject({ kind: "record" });
      expect(rest).toMatchObject({ kind: "opaque", raw: octets(`${dif}040302`) });
      expect(none).toEqual([]);
    },
  );

  it("M-Bus 1.7: fillers stand anywhere, 7F asks for everything, 1F may stand alone", () => {
    expect(itemsOf("2F2F 0413 01000000 2F 7F 2F")).toMatchObject([{ kind: "record" }, { kind: "readout-request" }]);
    expect(decodeRecords(octets("1F 0102"))).toMatchObject({
      moreRecordsFollow: true,
      items: [{ kind: "manufacturer-block", raw: octets("1F0102") }],
    });
  });
});

describe("LVAR", () => {
  /** Octets that must follow each, by the standard's own table. */
  const lengthOf = (lvar: number): number | undefined => {
    if (lvar <= 0xbf) return lvar;
    if (lvar <= 0xc9) return lvar - 0xc0;
    if (lvar >= 0xd0 && lvar <= 0xd9) return lvar - 0xd0;
    if (lvar >= 0xe0 && lvar <= 0xef) return lvar - 0xe0;
    return { 240: 16, 241: 20, 242: 24, 243: 28, 244: 32, 245: 48, 246: 64 }[lvar];
  };

  it("M-Bus 1.7: each of the 256 codes has its length or is an error of its record alone", () => {
    for (let lvar = 0; lvar < 256; lvar++) {
      const length = lengthOf(lvar);
      const code = hex(Uint8Array.of(lvar));
      if (length === undefined) {
        expect(itemsOf(`0413 01000000 0D13 ${code} 0413 02000000`), code).toMatchObject([
          { kind: "record" },
          { kind: "record", data: { type: "lvar", value: { kind: "none", reason: `lvar-reserved:${code}` } } },
          { kind: "opaque", raw: octets("0413 02000000") },
        ]);
        continue;
      }
      const whole = `0D13 ${code} ${"11".repeat(length)}`;
      expect(itemsOf(`${whole} 0413 02000000`), code).toMatchObject([
        { kind: "record", data: { lvar, octets: 1 + length } },
        { kind: "record", data: { value: { mantissa: 2 } } },
      ]);
      if (length > 0) expect(decodeRecords(octets(whole.slice(0, -2))), code).toBe("end-in-data");
    }
  });

  it("M-Bus 1.7: text is ISO 8859-1 and comes backwards; BCD may be negative; binary is shown as sent, turned round", () => {
    expect(readOf("0D13 04 FC DF E4 41")).toEqual({ kind: "text", text: "Aäßü" });
    expect(readOf("0D13 C3 563412")).toEqual({ kind: "number", mantissa: 123456, digits: 6 });
    expect(readOf("0D13 D3 563412")).toEqual({ kind: "number", mantissa: -123456, digits: 6 });
    expect(readOf("0D13 D3 000000")).toMatchObject({ mantissa: 0 });
    expect(readOf("0D13 C9 998877665544332211")).toEqual({
      kind: "number",
      mantissa: 112233445566778899n,
      digits: 18,
    });
    expect(readOf("0D13 E3 010203")).toEqual({ kind: "octets", hex: "030201" });
  });
});

describe("numbers", () => {
  it.each([
    ["0113 80", "8 bit"],
    ["0213 0080", "16 bit"],
    ["0313 000080", "24 bit"],
    ["0413 00000080", "32 bit"],
    ["0613 000000000080", "48 bit"],
    ["0713 0000000000000080", "64 bit"],
  ])("M-Bus 1.7: %s (%s) is no value, and its neighbours are", text => {
    expect(readOf(text)).toEqual({ kind: "none", reason: "type-b-invalid" });
    expect(readOf(text.replace(/80$/, "81"))).toMatchObject({ kind: "number" });
    expect(readOf(text.replace(/80$/, "7F"))).toMatchObject({ kind: "number" });
    // As an unsigned number (VIFE FC 11) it is one.
    expect(readOf(text.replace("13", "93FC11"))).toMatchObject({ kind: "number" });
  });

  it("0.5: integers of any length and sign are exact", () => {
    const length = fc.constantFrom<[number, number]>([1, 1], [2, 2], [3, 3], [4, 4], [6, 6], [7, 8]);
    fc.assert(
      fc.property(length, fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.boolean(), ([field, size], bytes, msb) => {
        const data = bytes.subarray(0, size);
        const text = hex(Uint8Array.of(field, 0x13, ...data));
        const record = itemsOf(text, "slave", msb)[0] as DataRecord;
        const expected = BigInt.asIntN(8 * size, BigInt(`0x${hex(msb ? data : data.toReversed())}`));
        if (expected === -(1n << BigInt(8 * size - 1))) expect(record.data.value.kind).toBe("none");
        else expect(BigInt((record.data.value as { mantissa: number }).mantissa)).toBe(expected);
      }),
    );
  });

  it("M-Bus 1.7: BCD of any length: digits are a number, F on top is a minus, anything else is no value", () => {
    const length = fc.constantFrom<[number, number]>([9, 1], [10, 2], [11, 3], [12, 4], [14, 6]);
    fc.assert(
      fc.property(length, fc.uint8Array({ minLength: 6, maxLength: 6 }), ([field, size], bytes) => {
        const text = hex(bytes.subarray(0, size).toReversed());
        const value = readOf(hex(Uint8Array.of(field, 0x13, ...bytes.subarray(0, size))));
        const number = /^F?\d+$/.test(text);
        if (!number) expect(value).toEqual({ kind: "none", reason: `bcd-nibble:${text}` });
        else expect(Number((value as { mantissa: number }).mantissa) + 0).toBe(Number(text.replace("F", "-")) + 0);
      }),
    );
  });

  it("M-Bus 1.8: all VIFE count, and what is the manufacturer's is no factor", () => {
    expect(exactOf(recordOf("04 93 F6 F6 7D 02000000"))).toBe("2");
    expect(exactOf(recordOf("04 93 7B 02000000"))).toBe("1.002");
    expect(recordOf("04 93 FF 72 02000000").vib).toMatchObject({ exponent: -3, manufacturerVife: "72" });
    expect(recordOf("04 FF F2 00 02000000").vib).toMatchObject({ exponent: 0, manufacturerVife: "F200" });
    expect(recordOf("04 93 44 02000000").vib.modifiers).toEqual(["vife-44"]);
    expect(recordOf("04 93 FC 0D 02000000").vib.modifiers).toEqual(["vife-7c-0d"]);
  });

  it.each([
    ["04 6F 02000000", "reserved-vif-6f"],
    ["04 7B 02000000", "reserved-vif-7b"],
    ["04 7D 02000000", "reserved-vif-7d"],
    ["04 FD 7F 02000000", "reserved-fd-7f"],
    ["04 FB 20 02000000", "reserved-fb-20"],
    ["04 EF 05 02000000", "reserved-ef-05"],
    ["04 FD FD 01 02000000", "reserved-fdfd-01"],
  ])("M-Bus 1.8: reserved %s keeps its raw number", (text, quantity) => {
    const record = recordOf(text);
    expect(record.vib).toMatchObject({ quantity, unit: "" });
    expect(exactOf(record)).toBe("2");
  });

  it("M-Bus 1.8: a plain text unit with and without the extension bit, VIFE behind the text", () => {
    expect(recordOf("02 7C 03 485225 0100").vib).toMatchObject({ textUnit: "%RH", exponent: 0 });
    expect(recordOf("02 FC 03 485225 74 0100").vib).toMatchObject({ textUnit: "%RH", exponent: -2 });
    expect(decodeRecords(octets("02 FC 09 485225"))).toBe("end-in-vif");
    expect(decodeRecords(octets("02 FC"))).toBe("end-in-vif");
    // Looked up again it is the same: what is remembered of one block is not taken for another.
    for (const text of ["%RH", "kWh"]) {
      const sent = hex(Uint8Array.from([...text].reverse(), letter => letter.charCodeAt(0)));
      expect(recordOf(`02 7C 03 ${sent} 0100`).vib.textUnit).toBe(text);
    }
  });
});

describe("encryption", () => {
  const header = (mode: number, blocks: number) => `78563412 2D2C 08 04 07 00 ${hex(Uint8Array.of(blocks << 4, mode))}`;
  const block = "00".repeat(16);
  it.each([
    [5, 1, "encrypted"],
    [7, 1, "encrypted (mode 7)"],
    [13, 1, "encrypted (mode 13)"],
    [5, 2, "encrypted: more blocks announced than sent"],
  ])("M-Bus 1.12: mode %i with %i blocks is withheld: %s", (mode, blocks, reason) => {
    expect(bodyOf(0x08, 0x72, `${header(mode, blocks)} ${block}`)).toMatchObject({ withheld: reason, items: [] });
  });

  it("M-Bus 1.12: every other number in the same place is a signature", () => {
    for (let mode = 0; mode < 32; mode++) {
      const body = bodyOf(0x08, 0x72, `${header(mode, mode === 5 ? 0 : 1)} 0413 01000000`);
      const withheld = mode === 13;
      expect(body.kind === "variable" && body.withheld !== undefined, `mode ${mode}`).toBe(withheld);
    }
  });

  it("M-Bus 1.12: behind a short header nothing can be decrypted, and it says so", () => {
    expect(bodyOf(0x08, 0x7a, `0700 1005 ${block}`, new Uint8Array(16))).toMatchObject({
      withheld: "encrypted (mode 5 behind a short header)",
      items: [],
    });
  });
});

it("M-Bus 1.6: every medium of the table has a name, the rest are reserved", () => {
  const named = [...Array(256).keys()].filter(medium => mediumName(medium) !== "reserved");
  expect(named.map(medium => medium.toString(16))).toEqual([
    ..."0 1 2 3 4 5 6 7 8 9 a b c d e f 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 20 21 25 28 29 2a 31 32 33 36 37 38".split(
      " ",
    ),
  ]);
  expect(new Set(named.map(mediumName)).size).toBe(named.length);
});
