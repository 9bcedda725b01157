// `isthmus sniff`: what is said on a node's line, frame by frame, while it is said.

import { systemClock } from "#base/clock.ts";
import type { SniffedOnWire } from "#client/sniffers.ts";
import { parseNode } from "#contract/node.ts";
import { type CommandBody, UsageError } from "../command.ts";
import { clientOptions, withClient } from "../connect.ts";
import { openTraceFile } from "../trace-file.ts";

export const sniff: CommandBody = {
  usage: "NODE [--minutes N] [--trace FILE]",
  details: "Until Ctrl-C, or until the appliance ends it. `isthmus decode` says what a frame means, and reads a trace.",
  options: {
    ...clientOptions,
    minutes: { type: "string", value: "N", help: "End after so long; an hour unless said." },
    trace: { type: "string", value: "FILE", help: "Write it to this file too, one frame a line." },
  },
  words: [1, 1],
  run: call => {
    const minutes = call.text("minutes");
    if (minutes !== undefined && !(Number(minutes) > 0)) throw new UsageError("--minutes is a number above 0");
    return withClient(call, async client => {
      const appliance = await client.appliance(call.signal);
      const expires = minutes === undefined ? undefined : systemClock.now() + Number(minutes) * 60_000;
      const path = call.text("trace");
      using file = path === undefined ? undefined : openTraceFile(path, call.words[0] ?? "");
      call.out.note("Listening; Ctrl-C ends it.");
      try {
        for await (const item of client.sniffers.sniff(
          appliance,
          parseNode(call.words[0] ?? ""),
          expires,
          call.signal,
        )) {
          file?.take(item);
          call.out.value(valueOfItem(item));
          call.out.line(lineOf(item));
        }
        call.out.note("The appliance has ended it.");
      } catch (error) {
        if (!call.signal.aborted) throw error;
      }
      return 0;
    });
  },
};

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** In both directions as the line sees it: → we said, ← we heard. */
const marks: Readonly<Record<string, string>> = { txBin: "→", tx: "→", rxBin: "←", rx: "←" };

export function lineOf(item: SniffedOnWire): string {
  const at = new Date(item.at).toISOString();
  if (item.kind === "expired") return `${at}  expired`;
  const mark = marks[item.kind] ?? item.kind;
  return `${at}  ${mark} ${"bytes" in item ? hex(item.bytes).replace(/..(?=.)/g, "$& ") : item.text}`;
}

/** Octets in hexadecimal, as `isthmus decode` takes them. */
const valueOfItem = (item: SniffedOnWire): unknown =>
  "bytes" in item ? { at: item.at, kind: item.kind, hex: hex(item.bytes) } : item;
