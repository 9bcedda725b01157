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
  frameOctets: pduOctets => pduOctets + 3,
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

  /** Octets dropped before the buffer, and where the last foreign frame ended, both from the beginning. */
  let dropped = 0;
  let foreignUntil = 0;

  /** The answer if it begins at `at`; "more" when it may, once more has come; else why not, and how sure that is. */
  const tryAt = (at: number): Answer | "more" | "echo" | { why: Reject; rank: number } => {
    const rest = buffer.subarray(at);
    if (!echoed && startsWith(sent, rest.subarray(0, sent.length)) && (echoes || isReadBack(request))) {
      return rest.length < sent.length ? "more" : "echo";
    }
    if (!isKnown(rest[1])) return { why: "function-mismatch", rank: 0 };
    const length = answerLength(rest.subarray(1));
    if (length === undefined) return "more";
    if (length + 3 > frameBytesMax) return { why: "length", rank: 0 };
    if (rest.length < length + 3) return "more";
    if (!hasGoodCrc(rest.subarray(0, length + 3))) return { why: "crc", rank: isOurs(rest) ? 1 : 0 };
    const answer = checkAnswer(unit, request, rest[0] ?? 0, rest.subarray(1, length + 1));
    if (!isMismatch(answer)) return answer;
    if (dropped + at >= foreignUntil) {
      foreign++;
      foreignUntil = dropped + at + length + 3;
    }
    return { why: answer, rank: 2 };
  };
  const isOurs = (rest: Uint8Array) => rest[0] === unit && ((rest[1] ?? 0) & 0x7f) === request.function;
  let certainty = -1;

  return {
    feed(chunk) {
      buffer = concat(buffer, chunk);
      // Every offset is tried: a glitch may look like the beginning of a longer frame, and an octet before the answer may
      // by chance make a foreign frame of its beginning.
      let keep: number | undefined;
      for (let at = 0; at < buffer.length; at++) {
        const found = tryAt(at);
        if (found === "more") {
          keep ??= at;
        } else if (found === "echo") {
          echoed = true;
          keep = undefined;
          at += sent.length - 1;
        } else if ("kind" in found) {
          return found;
        } else if (found.rank >= certainty) {
          certainty = found.rank;
          problem = found.why;
        }
      }
      const from = Math.max(keep ?? buffer.length, buffer.length - 2 * frameBytesMax);
      dropped += from;
      buffer = buffer.slice(from);
      return undefined;
    },
    get foreign() {
      return foreign;
    },
    get echoed() {
      return echoed;
    },
    get problem() {
      const begun = buffer.some((_, at) => isOurs(buffer.subarray(at)));
      return begun && certainty < 1 ? "incomplete" : problem;
    },
  };
}

/** The checks of a frame that is whole: unit first, then what the PDU says. */
export const checkAnswer = (unit: number, request: Request, fromUnit: number, pdu: Uint8Array) =>
  fromUnit === unit ? decodeAnswer(request, pdu) : "unit-mismatch";

/** An octet that has not come yet may be anything. */
const isKnown = (code: number | undefined) => code === undefined || (code & 0x7f) in answerShapes;

/** The answer cannot look like the request, so that an echo is recognised; the answer to most writes is an echo itself. */
export const isReadBack = (request: Request) => ![5, 6, 8, 21, 22].includes(request.function);

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
