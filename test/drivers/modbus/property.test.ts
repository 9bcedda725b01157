// Whatever octets come, the decoders yield a value or a typed refusal, and find their place again after any damage.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatScaled } from "#base/decimal.ts";
import { decodeModbus } from "#cli/commands/decode-modbus.ts";
import { ascii, decodeAscii, encodeAscii } from "#drivers/modbus/ascii.ts";
import { encodeRegisters } from "#drivers/modbus/encoding.ts";
import { answerLength, decodeAnswer, encodeRequest, type Request } from "#drivers/modbus/pdu.ts";
import { plan } from "#drivers/modbus/plan.ts";
import { decodeRegisters, registerTypes, wordOrders, wordsOf } from "#drivers/modbus/registers.ts";
import { decodeRequest, requestBehind } from "#drivers/modbus/requests.ts";
import { decodeRtu, encodeRtu, rtu } from "#drivers/modbus/rtu.ts";
import { createTcpReader, decodeTcp, encodeTcp } from "#drivers/modbus/tcp.ts";

const octets = fc.uint8Array({ maxLength: 300 });
const word = fc.integer({ min: 0, max: 0xffff });
const unit = fc.integer({ min: 1, max: 247 });
const words = (max: number) => fc.array(word, { minLength: 1, maxLength: max });

const fileNumber = fc.integer({ min: 1, max: 0xffff });
const recordNumber = fc.nat(9_999);
const filePart = fc.record({ file: fileNumber, record: recordNumber, count: fc.integer({ min: 1, max: 12 }) });

const request: fc.Arbitrary<Request> = fc.oneof(
  fc.record({
    function: fc.constantFrom(1 as const, 2 as const),
    address: word,
    quantity: fc.integer({ min: 1, max: 2000 }),
  }),
  fc.record({
    function: fc.constantFrom(3 as const, 4 as const),
    address: word,
    quantity: fc.integer({ min: 1, max: 125 }),
  }),
  fc.record({ function: fc.constant(5 as const), address: word, value: fc.boolean() }),
  fc.record({ function: fc.constant(6 as const), address: word, value: word }),
  fc.record({ function: fc.constant(8 as const), sub: word, data: word }),
  fc.record({
    function: fc.constant(15 as const),
    address: word,
    bits: fc.array(fc.boolean(), { minLength: 1, maxLength: 1968 }),
  }),
  fc.record({ function: fc.constant(16 as const), address: word, values: words(123) }),
  fc.record({ function: fc.constant(22 as const), address: word, and: word, or: word }),
  fc.record({
    function: fc.constant(23 as const),
    readAddress: word,
    readQuantity: fc.integer({ min: 1, max: 125 }),
    writeAddress: word,
    values: words(121),
  }),
  fc.record({ function: fc.constant(20 as const), parts: fc.array(filePart, { minLength: 1, maxLength: 9 }) }),
  fc.record({
    function: fc.constant(21 as const),
    parts: fc.array(fc.record({ file: fileNumber, record: recordNumber, values: words(20) }), {
      minLength: 1,
      maxLength: 5,
    }),
  }),
  fc.record({ function: fc.constant(24 as const), address: word }),
);

/** A right answer to a request of registers. */
const answered = fc
  .record({ unit, values: words(125), address: word })
  .map(({ unit: address, values, address: from }) => {
    const asked = { function: 3, address: from, quantity: values.length } as const;
    const pdu = Uint8Array.from([3, 2 * values.length, ...values.flatMap(value => [value >> 8, value & 255])]);
    return { unit: address, asked, pdu, values };
  });

const chunked = (bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] => {
  const at = [0, ...cuts.map(cut => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, n) => bytes.subarray(at[n], end));
};
const cuts = fc.array(fc.nat(), { maxLength: 6 });

describe("requests", () => {
  it("every request is read back as it was", () => {
    fc.assert(
      fc.property(request, one => {
        expect(decodeRequest(encodeRequest(one))).toEqual(one);
      }),
    );
  });
});

describe("random octets", () => {
  it("no decoder throws, and none waits for more than a frame can hold", () => {
    fc.assert(
      fc.property(octets, request, unit, (bytes, asked, address) => {
        const text = String.fromCharCode(...bytes);
        const pdu = decodeAnswer(asked, bytes);
        expect(typeof pdu === "string" || typeof pdu.kind === "string").toBe(true);
        decodeRequest(bytes);
        requestBehind(bytes);
        decodeRtu(bytes);
        decodeTcp(bytes);
        decodeAscii(text);
        decodeAscii(`:${text}`);
        expect(answerLength(bytes) ?? 0).toBeLessThanOrEqual(7 + 255 * 257);
        for (const framing of [rtu, ascii]) {
          const reader = framing.createReader(address, asked, false);
          reader.feed(bytes);
          expect(typeof reader.problem).toMatch(/string|undefined/);
        }
        createTcpReader().feed(bytes);
      }),
      { numRuns: 3_000 },
    );
  });

  it("the decode command answers any text", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          octets.map(bytes => Buffer.from(bytes).toString("hex")),
        ),
        text => {
          const { json } = decodeModbus(text, { text: () => undefined, flag: () => false });
          expect(() => JSON.stringify(json)).not.toThrow();
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("any registers of any type in any order are a value or a reason", () => {
    const types = fc.constantFrom(...registerTypes);
    fc.assert(
      fc.property(types, fc.constantFrom(...wordOrders), fc.array(word, { maxLength: 6 }), (type, order, registers) => {
        const value = decodeRegisters({ type, order, scale: 0.1, words: 3 }, registers);
        if (value.kind === "none") expect(value.reason).not.toBe("");
        if (value.kind === "decimal") expect(formatScaled(value.value)).toMatch(/^-?\d+(\.\d+)?$/);
        if (value.kind === "float") expect(Number.isFinite(value.value)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("finding the place again", () => {
  it("RTU: an answer is found in chunks of any size, after any octets before it", () => {
    fc.assert(
      fc.property(
        answered,
        fc.uint8Array({ maxLength: 40 }),
        cuts,
        ({ unit: address, asked, pdu, values }, noise, at) => {
          const reader = rtu.createReader(address, asked, false);
          const heard = chunked(Uint8Array.from([...noise, ...encodeRtu(address, pdu)]), at).map(reader.feed);
          expect(heard.find(answer => answer !== undefined)).toEqual({ kind: "registers", registers: values });
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("RTU: an answer with one bit changed anywhere is never accepted", () => {
    fc.assert(
      fc.property(answered, fc.nat(), ({ unit: address, asked, pdu }, where) => {
        const frame = encodeRtu(address, pdu);
        const bit = where % (frame.length * 8);
        frame[bit >> 3] = (frame[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(rtu.createReader(address, asked, false).feed(frame)).toBeUndefined();
      }),
      { numRuns: 2_000 },
    );
  });

  it("RTU: a cut answer is never accepted, and the whole one after it is", () => {
    fc.assert(
      fc.property(answered, fc.nat(), ({ unit: address, asked, pdu, values }, where) => {
        const frame = encodeRtu(address, pdu);
        const reader = rtu.createReader(address, asked, false);
        expect(reader.feed(frame.subarray(0, where % frame.length))).toBeUndefined();
        expect(reader.feed(frame)).toEqual({ kind: "registers", registers: values });
      }),
    );
  });

  it("ASCII: a line is found in chunks of any size, after any octets before it", () => {
    fc.assert(
      fc.property(answered, octets, cuts, ({ unit: address, asked, pdu, values }, noise, at) => {
        const reader = ascii.createReader(address, asked, false);
        const text = Buffer.from(encodeAscii(address, pdu), "latin1");
        const heard = chunked(Uint8Array.from([...noise, ...text]), at).map(reader.feed);
        expect(heard.find(answer => answer !== undefined)).toEqual({ kind: "registers", registers: values });
      }),
    );
  });

  it("TCP: frames come out whole and in order, however they are cut or glued", () => {
    const frame = fc.record({ transaction: word, unit, pdu: fc.uint8Array({ minLength: 1, maxLength: 253 }) });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 5 }), cuts, (frames, at) => {
        const reader = createTcpReader();
        const stream = Uint8Array.from(frames.flatMap(one => [...encodeTcp(one)]));
        const heard = chunked(stream, at).flatMap(chunk => reader.feed(chunk).frames);
        expect(heard).toEqual(frames);
      }),
    );
  });
});

describe("registers", () => {
  it("what is written is what is read, in every type and order", () => {
    const types = fc.constantFrom("int16", "uint16", "int32", "uint32", "int64", "uint64" as const);
    fc.assert(
      fc.property(types, fc.constantFrom(...wordOrders), fc.bigInt(0n, 2n ** 64n - 1n), (type, order, random) => {
        const bits = 16 * wordsOf({ type });
        const digits = type.startsWith("u") ? BigInt.asUintN(bits, random) : BigInt.asIntN(bits, random);
        const value = { mantissa: digits, exponent: -1 };
        const layout = { type, order, scale: 0.1 };
        const registers = encodeRegisters(layout, value);
        if (typeof registers === "string") throw new Error(registers);
        const got = decodeRegisters(layout, registers);
        if (got.kind !== "decimal") throw new Error(got.kind);
        expect(formatScaled(got.value)).toBe(formatScaled(value));
      }),
    );
  });
});

describe("plans", () => {
  it("hold every point whole, within the limits, and never across a hole or a cut", () => {
    const points = fc.uniqueArray(
      fc.record({ address: fc.integer({ min: 0, max: 300 }), words: fc.integer({ min: 1, max: 4 }) }),
      {
        selector: ({ address }) => address,
      },
    );
    fc.assert(
      fc.property(
        points,
        fc.integer({ min: 4, max: 125 }),
        fc.integer({ min: 0, max: 16 }),
        fc.nat(300),
        (all, wordsMax, gapMax, cut) => {
          const blocks = plan(all, { wordsMax, gapMax, cuts: new Set([cut]), holes: [] });
          expect(blocks.flatMap(block => block.points)).toHaveLength(all.length);
          for (const { address, quantity, points: inside } of blocks) {
            expect(quantity).toBeLessThanOrEqual(wordsMax);
            for (const point of inside) {
              expect(point.address).toBeGreaterThanOrEqual(address);
              expect(point.address + point.words).toBeLessThanOrEqual(address + quantity);
              if (point.address === cut) expect(address).toBe(cut);
            }
          }
        },
      ),
    );
  });
});
