// Modbus protocol data units: what is asked and what is answered, without the envelope of RTU, ASCII or TCP.
// Modbus Application Protocol 1.1b3, clauses 4.1 (256 - 3 octets), 6 (functions) and 7 (exceptions). Pure.
// Addresses are those on the wire, from 0; the printed 40001 is address 0 of the holding registers.

import { answerShapes, encodeBody } from "./functions.ts";

export type Request =
  /** 1 coils · 2 discrete inputs (quantity 1..2000) · 3 holding registers · 4 input registers (1..125) */
  | { readonly function: 1 | 2 | 3 | 4; readonly address: number; readonly quantity: number }
  | { readonly function: 5; readonly address: number; readonly value: boolean }
  | { readonly function: 6; readonly address: number; readonly value: number }
  /** Diagnostics; sub-function 0 is the loop back. */
  | { readonly function: 8; readonly sub: number; readonly data: number }
  /** 1..1968 coils */
  | { readonly function: 15; readonly address: number; readonly bits: readonly boolean[] }
  /** 1..123 registers */
  | { readonly function: 16; readonly address: number; readonly values: readonly number[] }
  /** Report server id. */
  | { readonly function: 17 }
  /** Records of files: 1..35 parts of a file, whose words together fit into one answer. */
  | { readonly function: 20; readonly parts: readonly FilePart[] }
  | {
      readonly function: 21;
      readonly parts: readonly (Omit<FilePart, "count"> & { readonly values: readonly number[] })[];
    }
  /** result = (current AND and) OR (or AND NOT and) */
  | { readonly function: 22; readonly address: number; readonly and: number; readonly or: number }
  /** Writes first, then reads: 1..125 read, 1..121 written. */
  | {
      readonly function: 23;
      readonly readAddress: number;
      readonly readQuantity: number;
      readonly writeAddress: number;
      readonly values: readonly number[];
    }
  /** The registers waiting in a queue, at most 31, which stay there. */
  | { readonly function: 24; readonly address: number }
  /** Device identification, MEI 14; code 1 basic, 2 regular, 3 extended, 4 one object. */
  | { readonly function: 43; readonly code: 1 | 2 | 3 | 4; readonly object: number };

/** Files are counted from 1, records (words) in them from 0. */
export interface FilePart {
  readonly file: number;
  readonly record: number;
  readonly count: number;
}

export type FunctionCode = Request["function"];

export type Answer =
  | { readonly kind: "bits"; readonly bits: readonly boolean[] }
  | { readonly kind: "registers"; readonly registers: readonly number[] }
  /** One list of words for each part that was asked for. */
  | { readonly kind: "records"; readonly parts: readonly (readonly number[])[] }
  /** A write or loop back that was echoed as sent. */
  | { readonly kind: "echo" }
  | { readonly kind: "data"; readonly data: Uint8Array }
  | {
      readonly kind: "identification";
      readonly conformity: number;
      /** The object to ask for next; undefined when this was all. */
      readonly next?: number;
      readonly objects: ReadonlyMap<number, Uint8Array>;
    }
  /** What the unit chose to answer instead. */
  | { readonly kind: "exception"; readonly code: number };

/** Why octets that came are not the answer to the request. */
export type Mismatch =
  | "unit-mismatch"
  | "function-mismatch"
  | "byte-count-mismatch"
  | "write-echo-mismatch"
  | "length"
  | "incomplete";

export const isMismatch = (answer: Answer | Mismatch): answer is Mismatch => typeof answer === "string";

/** Throws `RangeError` for a request that no unit could answer: our own mistake, or a setting out of range. */
export const encodeRequest = (request: Request): Uint8Array =>
  Uint8Array.from([request.function, ...encodeBody(request)]);

/** Checks the answer against what was asked: function, byte count, echo. `pdu` must be the whole of it and no more. */
export function decodeAnswer(request: Request, pdu: Uint8Array): Answer | Mismatch {
  const code = pdu[0];
  if (code === undefined) return "incomplete";
  if (code === (request.function | 0x80)) {
    if (pdu.length !== 2) return pdu.length < 2 ? "incomplete" : "length";
    return { kind: "exception", code: pdu[1] ?? 0 };
  }
  if (code !== request.function) return "function-mismatch";
  const length = answerLength(pdu);
  if (length === undefined || pdu.length < length) return "incomplete";
  if (pdu.length > length) return "length";
  return answerShapes[request.function].decode(pdu, request);
}

/** Octets in the answer that begins like this, told from the function and its count; undefined: too short to tell. */
export function answerLength(head: Uint8Array): number | undefined {
  const code = head[0];
  if (code === undefined) return undefined;
  if (code & 0x80) return 2;
  return code in answerShapes ? answerShapes[code as FunctionCode].length(head) : undefined;
}

/** Octets of the longest right answer, for the time it takes; an answer whose length is its own affair may fill a frame. */
export function answerOctetsMax(request: Request): number {
  switch (request.function) {
    case 1:
    case 2:
      return 2 + Math.ceil(request.quantity / 8);
    case 3:
    case 4:
      return 2 + 2 * request.quantity;
    case 20:
      return request.parts.reduce((sum, { count }) => sum + 2 + 2 * count, 2);
    case 21:
      return encodeRequest(request).length;
    case 22:
      return 7;
    case 23:
      return 2 + 2 * request.readQuantity;
    case 24:
      return 5 + 2 * 31;
    case 17:
    case 43:
      return 253;
    default:
      return 5;
  }
}

/** Octets of an answer that was right, for the time it took. */
export function answerOctets(request: Request, answer: Answer): number {
  switch (answer.kind) {
    case "exception":
      return 2;
    case "data":
      return 2 + answer.data.length;
    case "identification":
      return [...answer.objects.values()].reduce((sum, { length }) => sum + 2 + length, 7);
    case "registers":
      return (request.function === 24 ? 5 : 2) + 2 * answer.registers.length;
    default:
      return answerOctetsMax(request);
  }
}

/** Names of clause 7, for people. */
export const exceptionNames: Readonly<Record<number, string>> = {
  1: "illegal function",
  2: "illegal data address",
  3: "illegal data value",
  4: "server device failure",
  5: "acknowledge",
  6: "server device busy",
  8: "memory parity error",
  10: "gateway path unavailable",
  11: "gateway target failed to respond",
};

export const describeException = (code: number): string =>
  `exception ${code}${exceptionNames[code] ? ` (${exceptionNames[code]})` : ""}`;

const requestNames: Readonly<Record<FunctionCode, string>> = {
  1: "read coils",
  2: "read discrete inputs",
  3: "read holding registers",
  4: "read input registers",
  5: "write coil",
  6: "write register",
  8: "diagnostics",
  15: "write coils",
  16: "write registers",
  17: "report server id",
  20: "read file records",
  21: "write file records",
  22: "mask write register",
  23: "read and write registers",
  24: "read FIFO queue",
  43: "read device identification",
};

/** "read holding registers 100, 2 of them": for people; values are left out. */
export function describeRequest(request: Request): string {
  const name = requestNames[request.function];
  if ("parts" in request)
    return `${name} of ${request.parts.map(({ file, record }) => `file ${file} from ${record}`).join(", ")}`;
  if ("quantity" in request) return `${name} ${request.address}, ${request.quantity} of them`;
  return "address" in request ? `${name} ${request.address}` : name;
}
