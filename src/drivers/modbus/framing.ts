// What the framings of serial lines (rtu.ts, ascii.ts) have in common: one request goes out, octets come back in chunks of
// any size, and somewhere among glitches, echoes and answers of other units is the answer. Pure.

import type { Answer, Request } from "./pdu.ts";

/** Why octets were thrown away. */
export type Reject =
  | "crc"
  | "lrc"
  | "character"
  | "incomplete"
  | "length"
  | "unit-mismatch"
  | "function-mismatch"
  | "byte-count-mismatch"
  | "write-echo-mismatch";

export interface AnswerReader {
  /** The answer once it is complete; what follows it is not looked at. */
  feed(chunk: Uint8Array): Answer | undefined;
  /** Whole frames that belong to another request. */
  readonly foreign: number;
  /** What the adapter returned of our own request was skipped. */
  readonly echoed: boolean;
  /** The likeliest reason why there was no answer; undefined when nothing came at all. */
  readonly problem: Reject | undefined;
}

export interface SerialFraming {
  readonly name: "rtu" | "ascii";
  encode(unit: number, request: Request): Uint8Array;
  /** Octets on the line for a PDU of this length. */
  frameOctets(pduOctets: number): number;
  /** `echoes`: the adapter is known to return what is sent; otherwise it is noticed where it can be told from an answer. */
  createReader(unit: number, request: Request, echoes: boolean): AnswerReader;
}
