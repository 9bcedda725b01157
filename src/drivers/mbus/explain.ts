// A frame in a few words, as the standard names it. Pure.

import { faultWords } from "./fault-words.ts";
import { decodeFrame, directionOf } from "./frame.ts";

const functions: Readonly<Record<number, string>> = {
  64: "SND_NKE",
  83: "SND_UD",
  91: "REQ_UD2",
  90: "REQ_UD1",
};

/** "REQ_UD2 to 5", "RSP_UD from 5": for people; the names are those of the standard. */
export function explainFrame(bytes: Uint8Array): string {
  const seen = decodeFrame(bytes);
  if ("fault" in seen) return faultWords(seen.fault);
  const { frame } = seen;
  if (frame.type === "ack") return "E5";
  if (directionOf(frame.c) === "slave") return `RSP_UD from ${frame.a}`;
  return `${functions[frame.c & ~0x20] ?? functions[frame.c] ?? "?"} to ${frame.a}`;
}
