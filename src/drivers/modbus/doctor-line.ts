// What the bus doctor needs to know of a Modbus line: how a unit is asked without harm, and what another master's request looks
// like (Modbus over Serial Line 1.02, clauses 2.5.1 and 2.5.2).

import type { Clock } from "#base/clock.ts";
import type { createTurns } from "#base/turns.ts";
import type { Probe } from "../line-health.ts";
import type { RequestAt } from "../overhearing.ts";
import { decodeAscii } from "./ascii.ts";
import type { Answer, Request } from "./pdu.ts";
import { decodeRtu } from "./rtu.ts";
import { leavable } from "./unit-link.ts";

/** Asked of a unit that was never asked: whatever it makes of it, it is there. */
export const firstQuestion: Request = { function: 3, address: 0, quantity: 1 };

/** `ask`: the last question that the unit was asked, again, past its breaker. */
export const probeOf =
  (turns: ReturnType<typeof createTurns>, clock: Clock, ask: () => Promise<Answer>): Probe =>
  async (signal, took) => {
    const timed = async () => {
      const began = clock.monotonic();
      try {
        return await ask();
      } finally {
        took(clock.monotonic() - began);
      }
    };
    await leavable(turns.take("scan", signal, timed), signal);
  };

const quantitiesMax: Readonly<Record<number, number>> = { 1: 2_000, 2: 2_000, 3: 125, 4: 125 };

/** The reads and writes of public functions; others are rare, and their absence does no harm. */
function isRequest(pdu: Uint8Array): boolean {
  const [code = 0] = pdu;
  const quantity = ((pdu[3] ?? 0) << 8) | (pdu[4] ?? 0);
  const max = quantitiesMax[code];
  if (max !== undefined) return pdu.length === 5 && quantity > 0 && quantity <= max;
  if (code === 6) return pdu.length === 5;
  if (code === 5) return pdu.length === 5 && (quantity === 0 || quantity === 0xff00);
  return (code === 15 || code === 16) && pdu.length === 6 + (pdu[5] ?? 0);
}

/** An answer of three octets of bits looks like a read: what the unit answers that was asked for bits is no request. */
const isAnswerTo = (sent: Uint8Array, frame: Uint8Array): boolean =>
  sent[0] === frame[0] && sent[1] === frame[1] && (frame[1] ?? 0) <= 2;

const rtuRequestAt: RequestAt = (octets, at, sent) => {
  const code = octets[at + 1] ?? 0;
  const length = code === 15 || code === 16 ? 9 + (octets[at + 6] ?? 0) : 8;
  if (at + length > octets.length) return 0;
  const frame = octets.subarray(at, at + length);
  const decoded = decodeRtu(frame);
  return typeof decoded === "object" && isRequest(decoded.pdu) && !isAnswerTo(sent, frame) ? length : 0;
};

const colon = 0x3a;
const asciiRequestAt: RequestAt = (octets, at, sent) => {
  if (octets[at] !== colon) return 0;
  const end = octets.indexOf(0x0a, at);
  if (end < 0) return 0;
  const decoded = decodeAscii(String.fromCharCode(...octets.subarray(at, end + 1)));
  if (typeof decoded === "string" || !isRequest(decoded.pdu)) return 0;
  return isAnswerTo(asciiHead(sent), Uint8Array.of(decoded.unit, ...decoded.pdu)) ? 0 : end + 1 - at;
};

const asciiHead = (sent: Uint8Array): Uint8Array => {
  const decoded = decodeAscii(String.fromCharCode(...sent));
  return typeof decoded === "string" ? new Uint8Array() : Uint8Array.of(decoded.unit, decoded.pdu[0] ?? 0);
};

export const requestAt: RequestAt = (octets, at, sent) =>
  rtuRequestAt(octets, at, sent) || asciiRequestAt(octets, at, sent);
