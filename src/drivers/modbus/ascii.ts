// ASCII framing: ':' hexadecimal CR LF with a longitudinal redundancy check. Modbus over Serial Line 1.02, clause 2.5.2. Pure.

import { concat } from "#base/bytes.ts";
import type { AnswerReader, Reject, SerialFraming } from "./framing.ts";
import { encodeRequest, isMismatch, type Request } from "./pdu.ts";
import { checkAnswer, isReadBack } from "./rtu.ts";

/** Clause 2.5.2.1: the longest frame is 513 characters. */
const lineCharsMax = 513;

export const ascii: SerialFraming = {
  name: "ascii",
  encode: (unit, request) => Uint8Array.from(encodeAscii(unit, encodeRequest(request)), char => char.charCodeAt(0)),
  frameOctets: pduOctets => 2 * pduOctets + 7,
  createReader: createAsciiReader,
};

export function encodeAscii(unit: number, pdu: Uint8Array): string {
  const body = concat(Uint8Array.of(unit), pdu);
  const hex = [...body, lrc(body)].map(byte => byte.toString(16).padStart(2, "0").toUpperCase());
  return `:${hex.join("")}\r\n`;
}

/** One line from ':' to the line end; lower-case digits are accepted. */
export function decodeAscii(
  line: string,
): { unit: number; pdu: Uint8Array } | "lrc" | "character" | "incomplete" | "length" {
  const text = line.replace(/\r?\n?$/, "");
  if (!text.startsWith(":") || text.length < 2) return "incomplete";
  const digits = text.slice(1);
  if (/[^0-9A-Fa-f]/.test(digits)) return "character";
  if (digits.length % 2 !== 0 || digits.length < 6) return "incomplete";
  if (text.length + 2 > lineCharsMax) return "length";
  const bytes = Uint8Array.from(digits.match(/../g) ?? [], pair => Number.parseInt(pair, 16));
  const body = bytes.subarray(0, -1);
  if (lrc(body) !== bytes.at(-1)) return "lrc";
  return { unit: body[0] ?? 0, pdu: body.slice(1) };
}

/** Two's complement of the sum of the octets. */
const lrc = (bytes: Uint8Array): number => -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;

function createAsciiReader(unit: number, request: Request, echoes: boolean): AnswerReader {
  const sent = encodeAscii(unit, encodeRequest(request));
  let text = "";
  let echoed = false;
  let foreign = 0;
  let problem: Reject | undefined;
  const distinct = isReadBack(request);

  return {
    feed(chunk) {
      // A colon begins a frame anew wherever it stands.
      for (const byte of chunk) {
        if (byte === 0x3a) text = ":";
        else if (text.length < lineCharsMax) text += String.fromCharCode(byte & 0x7f);
        if (byte !== 0x0a || !text.startsWith(":")) continue;
        const line = text;
        text = "";
        if (!echoed && line === sent && (echoes || distinct)) {
          echoed = true;
          continue;
        }
        const frame = decodeAscii(line);
        if (typeof frame === "string") {
          problem = frame;
          continue;
        }
        const answer = checkAnswer(unit, request, frame.unit, frame.pdu);
        if (!isMismatch(answer)) return answer;
        foreign++;
        problem = answer;
      }
      return undefined;
    },
    get foreign() {
      return foreign;
    },
    get echoed() {
      return echoed;
    },
    get problem() {
      return text.startsWith(":") ? "incomplete" : problem;
    },
  };
}
