// A trace of a line as text, one frame a line: "2026-11-20T12:00:00.123Z tx 10 5B 05 60 16". What begins with # is a remark.
// Written by `isthmus sniff`, `isthmus doctor` and the last frames of a device, read by `isthmus decode`. Pure.

import { formatHex, parseHex } from "#base/bytes.ts";
import type { SniffedItem } from "#contract/sniff.ts";
import { traceLineCharsMax } from "#limits.ts";

export interface TraceFrame {
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
  /** tx: the appliance said it. */
  readonly direction: "rx" | "tx";
  readonly bytes: Uint8Array;
}

export type TraceLine =
  | ({ readonly kind: "frame" } & TraceFrame)
  | { readonly kind: "remark"; readonly text: string }
  | { readonly kind: "blank" }
  /** No line of a trace: what the reader makes of it, bare octets perhaps, is his. */
  | { readonly kind: "other" }
  /** It begins like a frame, and is none. */
  | { readonly kind: "fault"; readonly reason: "length" | "time" | "hex" };

/** Never throws, whatever the line holds; a longer one than limits.traceLineCharsMax is a fault and is not looked into. */
export function parseTraceLine(line: string): TraceLine {
  if (line.length > traceLineCharsMax) return { kind: "fault", reason: "length" };
  const text = line.trim();
  if (text === "") return { kind: "blank" };
  if (text.startsWith("#")) return { kind: "remark", text: text.slice(1).trim() };
  const parts = /^(\S+)[ \t]+(tx|rx)(?:[ \t]+(.*))?$/i.exec(text);
  if (parts === null) return { kind: "other" };
  const [, time = "", direction = "", hex = ""] = parts;
  const at = timePattern.test(time) ? Date.parse(time) : Number.NaN;
  if (Number.isNaN(at)) return { kind: "fault", reason: "time" };
  const bytes = parseHex(hex);
  if (bytes === undefined || bytes.length === 0) return { kind: "fault", reason: "hex" };
  return { kind: "frame", at, direction: direction.toLowerCase() === "tx" ? "tx" : "rx", bytes };
}

/** A zone is needed: a trace is read elsewhere. */
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$/;

/** Octets of one line; a longer burst of a babbling line is told in several. */
const octetsMax = 1_024;

/** One line, or several with the same time where the octets are many. Without line ends. */
export function formatTraceFrame({ at, direction, bytes }: TraceFrame): string[] {
  const lines: string[] = [];
  for (let from = 0; from < bytes.length; from += octetsMax) {
    lines.push(`${new Date(at).toISOString()} ${direction} ${formatHex(bytes.subarray(from, from + octetsMax))}`);
  }
  return lines;
}

/** A remark is one line, whatever it is about: text from outside must not look like a frame. */
export const formatTraceRemark = (text: string, at?: number): string =>
  `# ${at === undefined ? "" : `${new Date(at).toISOString()} `}${oneLine(text)}`.slice(0, traceLineCharsMax).trimEnd();

const oneLine = (text: string): string => text.replace(/[\u0000-\u001f\u007f\u0085\u2028\u2029]+/g, " ");

/** Octets as frames, all else as remarks. */
export function formatTraceItem(item: SniffedItem): string[] {
  switch (item.kind) {
    case "txBin":
      return formatTraceFrame({ at: item.at, direction: "tx", bytes: item.bytes });
    case "rxBin":
      return formatTraceFrame({ at: item.at, direction: "rx", bytes: item.bytes });
    default:
      return [formatTraceRemark(`${item.kind}: ${item.text}`, item.at)];
  }
}

/** The first line of a file. */
export const traceHeader = (what: string, at: number): string =>
  formatTraceRemark(`isthmus trace of ${what}, one frame a line; \`isthmus decode mbus|modbus\` reads it`, at);
