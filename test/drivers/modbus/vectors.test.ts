// The recorded and made vectors of test/vectors/modbus through the pure parts: PDU, framings, registers, planner.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { formatHex, parseHex } from "#base/bytes.ts";
import { formatScaled } from "#base/decimal.ts";
import { ascii, decodeAscii, encodeAscii } from "#drivers/modbus/ascii.ts";
import { type Answer, decodeAnswer, encodeRequest, exceptionNames, type Request } from "#drivers/modbus/pdu.ts";
import { plan } from "#drivers/modbus/plan.ts";
import { decodeRegisters, type Layout, type RegisterType, type RegisterValue } from "#drivers/modbus/registers.ts";
import { checkAnswer, decodeRtu, encodeRtu, rtu } from "#drivers/modbus/rtu.ts";
import { createTcpReader, decodeTcp, encodeTcp } from "#drivers/modbus/tcp.ts";

// biome-ignore lint/suspicious/noExplicitAny: the vectors are of many shapes, each looked at below.
type Vector = any;
const load = (name: string): Vector =>
  JSON.parse(readFileSync(new URL(`../../vectors/modbus/${name}`, import.meta.url), "utf8"));
const frames = load("frames.json");
const bytes = (hex: string) => {
  const result = parseHex(hex);
  if (!result) throw new Error(`bad hex in a vector: ${hex}`);
  return result;
};
const hex = (octets: Uint8Array) => formatHex(octets).replaceAll(" ", "");
const bits = (text: string) => [...text].map(bit => bit === "1");

function each(vectors: Vector[], name: (vector: Vector) => string, run: (vector: Vector) => void): void {
  for (const vector of vectors) it(name(vector), () => run(vector));
}

/** The request of an exception vector is given as octets only. */
function requestOf(fields: Vector): Request {
  const pdu = bytes(fields.pdu);
  const word = (at: number) => ((pdu[at] ?? 0) << 8) | (pdu[at + 1] ?? 0);
  if (fields.address === undefined && fields.function <= 4) {
    return { function: fields.function, address: word(1), quantity: word(3) };
  }
  if (fields.address === undefined && fields.function === 16) {
    return { function: 16, address: word(1), values: Array.from({ length: word(3) }, (_, n) => word(6 + 2 * n)) };
  }
  return typeof fields.bits === "string" ? { ...fields, bits: bits(fields.bits) } : fields;
}

function expected({ bits: some, registers, data, exception, objects, conformity, moreFollows, next }: Vector): Answer {
  if (some !== undefined) return { kind: "bits", bits: bits(some) };
  if (registers !== undefined) return { kind: "registers", registers };
  if (data !== undefined) return { kind: "data", data: bytes(data) };
  if (exception !== undefined) return { kind: "exception", code: exception };
  if (objects === undefined) return { kind: "echo" };
  const texts = Object.entries<string>(objects).map(
    ([id, text]) => [Number(id), new TextEncoder().encode(text)] as const,
  );
  const answer = { kind: "identification", conformity, objects: new Map(texts) } as const;
  return moreFollows ? { ...answer, next } : answer;
}

describe("transactions", () => {
  each(
    frames.transactions,
    vector => vector.name,
    vector => {
      const request = requestOf(vector.request);
      const { unit, transaction } = vector;
      expect(hex(encodeRequest(request))).toBe(vector.request.pdu);
      expect(hex(rtu.encode(unit, request))).toBe(vector.request.rtu);
      expect(encodeAscii(unit, encodeRequest(request))).toBe(vector.request.ascii);
      expect(hex(encodeTcp({ transaction, unit, pdu: encodeRequest(request) }))).toBe(vector.request.tcp);

      const pdu = bytes(vector.response.pdu);
      const answer = expected(vector.response);
      expect(decodeAnswer(request, pdu)).toEqual(answer);
      expect(hex(encodeRtu(unit, pdu))).toBe(vector.response.rtu);
      expect(decodeRtu(bytes(vector.response.rtu))).toEqual({ unit, pdu });
      expect(decodeAscii(vector.response.ascii.toLowerCase())).toEqual({ unit, pdu });
      expect(decodeTcp(bytes(vector.response.tcp))).toEqual({ transaction, unit, pdu });
      if (vector.response.exception) expect(exceptionNames[vector.response.exception]).toBe(vector.response.name);

      // And as it comes from a line: octet by octet.
      const reader = rtu.createReader(unit, request, false);
      const heard = [...bytes(vector.response.rtu)].map(byte => reader.feed(Uint8Array.of(byte)));
      expect(heard.pop()).toEqual(answer);
      expect(heard.every(early => early === undefined)).toBe(true);
      const line = [...vector.response.ascii].map(char => char.charCodeAt(0));
      const asciiReader = ascii.createReader(unit, request, false);
      expect(line.map(byte => asciiReader.feed(Uint8Array.of(byte))).pop()).toEqual(answer);
      const tcpReader = createTcpReader();
      const tcpFrames = [...bytes(vector.response.tcp)].flatMap(byte => tcpReader.feed(Uint8Array.of(byte)).frames);
      expect(tcpFrames).toEqual([{ transaction, unit, pdu }]);
    },
  );
});

describe("frames that must not be accepted", () => {
  each(
    frames.reject,
    vector => `${vector.transport} ${vector.error}`,
    vector => {
      const { transport, error, request, text } = vector;
      if (transport === "ascii") {
        expect(decodeAscii(text)).toBe(error);
        const reader = ascii.createReader(7, { function: 3, address: 0, quantity: 1 }, false);
        expect(reader.feed(new TextEncoder().encode(text))).toBeUndefined();
        expect(reader.problem).toBe(error);
      } else if (transport === "tcp" && request === undefined) {
        expect(decodeTcp(bytes(vector.hex))).toBe(error);
        expect(createTcpReader().feed(bytes(vector.hex))).toEqual({ frames: [], problem: error });
      } else if (transport === "tcp") {
        // The session discards it and goes on waiting: test/drivers/modbus/session.test.ts.
        const sent = decodeTcp(bytes(request));
        const got = decodeTcp(bytes(vector.hex));
        expect(typeof sent === "object" && typeof got === "object" && got.transaction !== sent.transaction).toBe(true);
      } else if (request === undefined) {
        expect(decodeRtu(bytes(vector.hex))).toBe(error);
      } else {
        const sent = decodeRtu(bytes(request));
        if (typeof sent === "string") throw new Error(sent);
        const [code, high = 0, low = 0] = sent.pdu;
        const asked: Request =
          code === 6
            ? { function: 6, address: high * 256 + low, value: ((sent.pdu[3] ?? 0) << 8) | (sent.pdu[4] ?? 0) }
            : { function: 3, address: 0, quantity: 2 };
        expect(hex(rtu.encode(7, asked))).toBe(request);
        const frame = decodeRtu(bytes(vector.hex));
        if (typeof frame === "string") throw new Error(frame);
        expect(checkAnswer(7, asked, frame.unit, frame.pdu)).toBe(error);
        const reader = rtu.createReader(7, asked, false);
        expect(reader.feed(bytes(vector.hex))).toBeUndefined();
        expect([reader.problem, reader.foreign]).toEqual([error, 1]);
      }
    },
  );
});

describe("streams", () => {
  each(
    frames.streams,
    vector => vector.note ?? "plain, in pieces",
    vector => {
      const sent = decodeRtu(bytes(vector.request));
      if (typeof sent === "string") throw new Error(sent);
      const { unit, pdu } = sent;
      const request = requestOf({ function: pdu[0], pdu: hex(pdu) });
      const reader = rtu.createReader(unit, request, false);
      const heard = vector.chunks.map((chunk: string) => reader.feed(bytes(chunk)));
      expect(heard.pop()).toEqual(expected(vector.expect));
      expect(heard.every((early: unknown) => early === undefined)).toBe(true);
      expect(reader.echoed).toBe(vector.note?.includes("echo") ?? false);
      expect(reader.foreign).toBe(vector.note?.includes("another unit") ? 1 : 0);
    },
  );
});

/** As the vectors print values. */
function shown(value: RegisterValue): unknown {
  switch (value.kind) {
    case "decimal":
      return formatScaled(value.value);
    case "float":
      return value.value;
    case "text":
      return value.value;
    case "flags":
      return value.names;
    case "choice":
      return value.name;
    case "time":
      return new Date(value.at).toISOString().replace(".000Z", "Z");
    case "none":
      return null;
  }
}

const names = (map: Record<string, string> | undefined) =>
  map && new Map(Object.entries(map).map(([code, name]) => [Number(code), name]));

describe("conversions", () => {
  each(
    frames.conversions,
    vector => `${vector.type} ${vector.order ?? ""} ${vector.registers}`,
    vector => {
      const { type, order, byteSwap, scale, offset, noValue, mask, shift, value } = vector;
      const registers = vector.registers.map((word: string) => Number.parseInt(word, 16));
      const layout: Layout = {
        type,
        order: byteSwap ? "BADC" : (order ?? "ABCD"),
        words: registers.length,
        ...(scale !== undefined && { scale, offset }),
        ...(noValue && { noValue }),
        ...(mask && { mask: Number.parseInt(mask, 16), shift }),
        ...((vector.map ?? vector.bits) && { names: names(vector.map ?? vector.bits) as ReadonlyMap<number, string> }),
      };
      const got = shown(decodeRegisters(layout, registers));
      if (type.startsWith("float") || typeof value !== "number") expect(got).toEqual(value);
      else expect(got).toBe(String(value));
    },
  );
});

describe("plans", () => {
  each(
    frames.plans,
    vector => `${vector.maxWords} words, gap ${vector.maxGap}`,
    ({ maxWords, maxGap, points, plan: wanted }) => {
      const blocks = plan(points.toReversed() as { address: number; words: number }[], {
        wordsMax: maxWords,
        gapMax: maxGap,
      });
      expect(blocks.map(({ address, quantity }) => ({ address, quantity }))).toEqual(wanted);
      expect(blocks.flatMap(block => block.points)).toHaveLength(points.length);
    },
  );

  it("refuses a value that no single read can hold, instead of tearing it", () => {
    expect(() => plan([{ address: 0, words: 4 }], { wordsMax: 2, gapMax: 0 })).toThrow("exceed the 2 of one read");
  });
});

describe("register maps: every worked example", () => {
  for (const meter of load("maps.json").meters) {
    it(meter.type, () => {
      expect(meter.examples.length).toBeGreaterThan(0);
      for (const example of meter.examples) {
        const point = meter.registers.find((register: Vector) => register.name === example.name);
        const layout: Layout = {
          type: point.type as RegisterType,
          order: point.wordOrder === "be" ? "ABCD" : "CDAB",
          scale: point.divisor ? 1 / point.divisor : point.scale,
          ...(point.noValue && { noValue: point.noValue }),
        };
        const value = decodeRegisters(
          layout,
          example.registers.map((word: string) => Number.parseInt(word, 16)),
        );
        const got = value.kind === "decimal" ? Number(formatScaled(value.value)) : shown(value);
        // A scaled float is scaled on its shortest decimal: equal as far as a float32 goes.
        if (point.type === "float32" && typeof got === "number") {
          expect(Math.abs(got - example.value), `${example.name} ${got}`).toBeLessThanOrEqual(
            Math.abs(example.value) * 2 ** -23,
          );
        } else expect(got, example.name).toBe(example.value);
      }
    });
  }
});

describe("coincidences", () => {
  it("a glitch that makes a foreign frame with a good check of the answer's beginning does not hide the answer", () => {
    const answer = encodeRtu(217, bytes("030A64000000000000000000"));
    const glitch = bytes("EE");
    // EE D9 03 0A 64 reads as an exception of unit 238 with a matching CRC.
    expect(decodeRtu(bytes("EED9030A64"))).toEqual({ unit: 238, pdu: bytes("D903") });
    const reader = rtu.createReader(217, { function: 3, address: 0, quantity: 5 }, false);
    expect(reader.feed(Uint8Array.from([...glitch, ...answer]))).toEqual({
      kind: "registers",
      registers: [0x6400, 0, 0, 0, 0],
    });
  });
});
