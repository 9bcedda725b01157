// The table of function codes: how each request is laid out and how its answer is measured and read.
// Modbus Application Protocol 1.1b3, clause 6; the quantities are the limits given there. Pure.

import { concat } from "#base/bytes.ts";
import type { Answer, FilePart, FunctionCode, Mismatch, Request } from "./pdu.ts";

interface AnswerShape {
  /** Octets from the function code on; undefined while too few have come to tell. */
  length(head: Uint8Array): number | undefined;
  /** `pdu` has that length and the request's function. */
  decode(pdu: Uint8Array, request: Request): Answer | Mismatch;
}

/** The octets after the function code. */
export function encodeBody(request: Request): Uint8Array {
  switch (request.function) {
    case 1:
    case 2:
      return words(request.address, within(request.quantity, 1, 2000, "quantity"));
    case 3:
    case 4:
      return words(request.address, within(request.quantity, 1, 125, "quantity"));
    case 5:
      return words(request.address, request.value ? 0xff00 : 0);
    case 6:
      return words(request.address, request.value);
    case 8:
      return words(request.sub, request.data);
    case 15: {
      const bits = packBits(request.bits);
      return concat(
        words(request.address, within(request.bits.length, 1, 1968, "quantity")),
        Uint8Array.of(bits.length),
        bits,
      );
    }
    case 16:
      return concat(
        words(request.address, within(request.values.length, 1, 123, "quantity")),
        counted(words(...request.values)),
      );
    case 17:
      return new Uint8Array();
    case 20: {
      within(request.parts.length, 1, 35, "number of parts");
      const octets = request.parts.reduce((sum, { count }) => sum + 2 + 2 * within(count, 1, 124, "quantity"), 0);
      within(octets, 0, 245, "number of octets to read");
      return counted(concat(...request.parts.map(part => filePart(part, part.count))));
    }
    case 21: {
      within(request.parts.length, 1, 27, "number of parts");
      const parts = request.parts.map(part => concat(filePart(part, part.values.length), words(...part.values)));
      within(concat(...parts).length, 9, 251, "number of octets to write");
      return counted(concat(...parts));
    }
    case 22:
      return words(request.address, request.and, request.or);
    case 23:
      return concat(
        words(request.readAddress, within(request.readQuantity, 1, 125, "quantity to read")),
        words(request.writeAddress, within(request.values.length, 1, 121, "quantity to write")),
        counted(words(...request.values)),
      );
    case 24:
      return words(request.address);
    case 43:
      return Uint8Array.of(14, request.code, within(request.object, 0, 255, "object"));
  }
}

const countedLength = (head: Uint8Array) => (head[1] === undefined ? undefined : 2 + head[1]);

const bitsShape: AnswerShape = {
  length: countedLength,
  decode(pdu, request) {
    const quantity = "quantity" in request ? request.quantity : 0;
    if (pdu[1] !== Math.ceil(quantity / 8)) return "byte-count-mismatch";
    return { kind: "bits", bits: unpackBits(pdu.subarray(2), quantity) };
  },
};

const registersShape: AnswerShape = {
  length: countedLength,
  decode(pdu, request) {
    const quantity = "readQuantity" in request ? request.readQuantity : "quantity" in request ? request.quantity : 0;
    if (pdu[1] !== quantity * 2) return "byte-count-mismatch";
    return { kind: "registers", registers: unpackWords(pdu.subarray(2)) };
  },
};

/** The answer repeats the first `octets` of the request after the function code. */
const echoShape = (octets: number): AnswerShape => ({
  length: () => 1 + octets,
  decode(pdu, request) {
    const sent = encodeBody(request);
    for (let at = 0; at < octets; at++) if (pdu[1 + at] !== sent[at]) return "write-echo-mismatch";
    return { kind: "echo" };
  },
});

export const answerShapes: Readonly<Record<FunctionCode, AnswerShape>> = {
  1: bitsShape,
  2: bitsShape,
  3: registersShape,
  4: registersShape,
  5: echoShape(4),
  6: echoShape(4),
  8: echoShape(4),
  15: echoShape(4),
  16: echoShape(4),
  17: { length: countedLength, decode: pdu => ({ kind: "data", data: pdu.slice(2) }) },
  20: { length: countedLength, decode: decodeFileRecords },
  21: {
    length: countedLength,
    decode: (pdu, request) => (same(pdu.subarray(1), encodeBody(request)) ? { kind: "echo" } : "write-echo-mismatch"),
  },
  22: echoShape(6),
  23: registersShape,
  24: {
    length: head => (head[2] === undefined ? undefined : 3 + (((head[1] ?? 0) << 8) | head[2])),
    decode: decodeQueue,
  },
  43: { length: identificationLength, decode: decodeIdentification },
};

/** 6 file record count; the record numbers of clause 6.14 end at 9999. */
const filePart = ({ file, record }: Pick<FilePart, "file" | "record">, count: number) =>
  concat(
    Uint8Array.of(6),
    words(within(file, 1, 0xffff, "file"), within(record, 0, 9_999, "record"), within(count, 1, 124, "quantity")),
  );

/** For each part: octets after the length, reference type 6, words (clause 6.14). */
function decodeFileRecords(pdu: Uint8Array, request: Request): Answer | Mismatch {
  if (request.function !== 20) return "function-mismatch";
  const parts: number[][] = [];
  let at = 2;
  for (const { count } of request.parts) {
    if (pdu[at] !== 1 + 2 * count || pdu[at + 1] !== 6) return "byte-count-mismatch";
    parts.push(unpackWords(pdu.subarray(at + 2, at + 2 + 2 * count)));
    at += 2 + 2 * count;
  }
  return at === pdu.length ? { kind: "records", parts } : "byte-count-mismatch";
}

/** Octets that follow (2), registers in the queue (2), the registers (clause 6.18). */
function decodeQueue(pdu: Uint8Array): Answer | Mismatch {
  const count = ((pdu[3] ?? 0) << 8) | (pdu[4] ?? 0);
  if (pdu.length < 5 || count > 31 || pdu.length !== 5 + 2 * count) return "byte-count-mismatch";
  return { kind: "registers", registers: unpackWords(pdu.subarray(5)) };
}

/**
 * 2B 0E code conformity more next count, then `count` times id, length, text. There is no length field for the whole: it is
 * found by walking the objects, where readers of fixed length break.
 */
function identificationLength(head: Uint8Array): number | undefined {
  const count = head[6];
  if (count === undefined) return undefined;
  let at = 7;
  for (let n = 0; n < count; n++) {
    const length = head[at + 1];
    if (length === undefined) return undefined;
    at += 2 + length;
  }
  return at;
}

function decodeIdentification(pdu: Uint8Array, request: Request): Answer | Mismatch {
  if (request.function !== 43 || pdu[1] !== 14 || pdu[2] !== request.code) return "function-mismatch";
  const objects = new Map<number, Uint8Array>();
  for (let at = 7; at < pdu.length; at += 2 + (pdu[at + 1] ?? 0)) {
    objects.set(pdu[at] ?? 0, pdu.slice(at + 2, at + 2 + (pdu[at + 1] ?? 0)));
  }
  const conformity = pdu[3] ?? 0;
  return pdu[4] === 0
    ? { kind: "identification", conformity, objects }
    : { kind: "identification", conformity, next: pdu[5] ?? 0, objects };
}

function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 2);
  values.forEach((value, index) => {
    within(value, 0, 0xffff, "16-bit value");
    bytes[2 * index] = value >> 8;
    bytes[2 * index + 1] = value & 0xff;
  });
  return bytes;
}

const counted = (bytes: Uint8Array) => concat(Uint8Array.of(bytes.length), bytes);

const same = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((byte, n) => byte === b[n]);

function unpackWords(bytes: Uint8Array): number[] {
  const words: number[] = [];
  for (let at = 0; at + 1 < bytes.length; at += 2) words.push(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
  return words;
}

/** The first coil is bit 0 of the first octet; unused bits of the last are 0. */
function packBits(bits: readonly boolean[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, n) => {
    if (bit) bytes[n >> 3] = (bytes[n >> 3] ?? 0) | (1 << (n & 7));
  });
  return bytes;
}

const unpackBits = (bytes: Uint8Array, quantity: number): boolean[] =>
  Array.from({ length: quantity }, (_, n) => (((bytes[n >> 3] ?? 0) >> (n & 7)) & 1) === 1);

function within(value: number, min: number, max: number, what: string): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`${what} ${value} is not in ${min}..${max}`);
}
