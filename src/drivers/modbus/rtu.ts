// RTU framing: unit, PDU, CRC-16 with the low octet first. Modbus over Serial Line 1.02, clause 2.5.1. Frames are found by
// their own length, not by silence, which no program behind a USB adapter or a network can measure. Pure.

import { concat } from "#base/bytes.ts";
import type { AnswerReader, Reject, SerialFraming } from "./framing.ts";
import { answerShapes } from "./functions.ts";
import { type Answer, answerLength, decodeAnswer, encodeRequest, isMismatch, type Request } from "./pdu.ts";

/** Clause 2.5.1: the longest frame, unit and CRC included. */
const frameBytesMax = 256;

export const rtu: SerialFraming = {
  name: "rtu",
  encode: (unit, request) => encodeRtu(unit, encodeRequest(request)),
  createReader: createRtuReader,
};

export function encodeRtu(unit: number, pdu: Uint8Array): Uint8Array {
  const body = concat(Uint8Array.of(unit), pdu);
  const crc = crc16(body);
  return concat(body, Uint8Array.of(crc & 0xff, crc >> 8));
}

/** One whole frame, as a trace holds it. */
export function decodeRtu(frame: Uint8Array): { unit: number; pdu: Uint8Array } | "crc" | "incomplete" {
  if (frame.length < 4) return "incomplete";
  if (hasGoodCrc(frame)) return { unit: frame[0] ?? 0, pdu: frame.slice(1, -2) };
  const length = answerLength(frame.subarray(1));
  return length === undefined || frame.length < length + 3 ? "incomplete" : "crc";
}

function createRtuReader(unit: number, request: Request, echoes: boolean): AnswerReader {
  const sent = encodeRtu(unit, encodeRequest(request));
  let buffer: Uint8Array = new Uint8Array();
  let echoed = false;
  let foreign = 0;
  let problem: Reject | undefined;

  /** The answer if it begins at `at`; "more" when it may, once more has come; else how many octets to skip and why. */
  const tryAt = (at: number): Answer | "more" | { skip: number; why: Reject } => {
    const rest = buffer.subarray(at);
    if (!echoed && startsWith(sent, rest.subarray(0, sent.length)) && (echoes || isReadBack(request))) {
      if (rest.length < sent.length) return "more";
      echoed = true;
      return { skip: sent.length, why: "incomplete" };
    }
    const length = answerLength(rest.subarray(1));
    if (length === undefined) return isKnown(rest[1]) ? "more" : { skip: 1, why: "function-mismatch" };
    if (length + 3 > frameBytesMax) return { skip: 1, why: "length" };
    if (rest.length < length + 3) return "more";
    if (!hasGoodCrc(rest.subarray(0, length + 3))) return { skip: 1, why: "crc" };
    const answer = checkAnswer(unit, request, rest[0] ?? 0, rest.subarray(1, length + 1));
    if (!isMismatch(answer)) return answer;
    foreign++;
    return { skip: length + 3, why: answer };
  };
  const isOurs = (rest: Uint8Array) => rest[0] === unit && ((rest[1] ?? 0) & 0x7f) === request.function;

  return {
    feed(chunk) {
      buffer = concat(buffer, chunk);
      // Every offset is tried: a glitch octet before the answer may look like the beginning of a longer frame.
      let at = 0;
      let keep: number | undefined;
      while (at < buffer.length) {
        const found = tryAt(at);
        if (found === "more") {
          keep ??= at;
          at++;
        } else if ("skip" in found) {
          if (found.why === "crc" || problem === undefined || found.skip > 1) problem = found.why;
          at += found.skip;
          // A whole frame was recognised: what stood before it was not the beginning of anything.
          if (found.skip > 1) keep = undefined;
        } else {
          return found;
        }
      }
      buffer = buffer.slice(keep ?? buffer.length).slice(-2 * frameBytesMax);
      return undefined;
    },
    get foreign() {
      return foreign;
    },
    get echoed() {
      return echoed;
    },
    get problem() {
      return isOurs(buffer) ? "incomplete" : problem;
    },
  };
}

/** The checks of a frame that is whole: unit first, then what the PDU says. */
export const checkAnswer = (unit: number, request: Request, fromUnit: number, pdu: Uint8Array) =>
  fromUnit === unit ? decodeAnswer(request, pdu) : "unit-mismatch";

/** An octet that has not come yet may be anything. */
const isKnown = (code: number | undefined) => code === undefined || code & 0x80 || code in answerShapes;

/** The answer cannot look like the request, so that an echo is recognised; the answer to most writes is an echo itself. */
const isReadBack = (request: Request) => ![5, 6, 8, 22].includes(request.function);

const startsWith = (whole: Uint8Array, head: Uint8Array) =>
  head.length > 0 && head.every((byte, n) => whole[n] === byte);

const hasGoodCrc = (frame: Uint8Array) =>
  frame.length >= 4 &&
  crc16(frame.subarray(0, -2)) === ((frame[frame.length - 1] ?? 0) << 8) + (frame[frame.length - 2] ?? 0);

const table = Uint16Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >> 1) ^ 0xa001 : value >> 1;
  return value;
});

/** Polynomial A001 reflected, initial FFFF. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) crc = (crc >> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0);
  return crc;
}
