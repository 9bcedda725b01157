// The last frames of a device, as a table and as a trace that can be kept.

import { expect, it } from "vitest";
import { lastFramesCommand } from "#drivers/line-commands.ts";
import { createTap } from "#drivers/tap.ts";
import { parseTraceLine } from "#drivers/trace.ts";
import { bytePipe } from "../support/byte-pipe.ts";
import { manualClock } from "../support/manual-clock.ts";
import { ask } from "./report-log.ts";

it("the last frames of a device come as a trace too, which says the same", async () => {
  const clock = manualClock(Date.UTC(2026, 10, 20, 12));
  const tap = createTap(clock);
  const { near, far } = bytePipe();
  const channel = tap.over(near);
  channel.onData(() => {});
  await tap.during("unit 5", async () => {
    await channel.write(Uint8Array.of(5, 3, 0, 0));
    await far.write(Uint8Array.of(5, 131, 2));
    await new Promise(resolve => setImmediate(resolve));
    await new Promise(resolve => setImmediate(resolve));
  });
  const device = { commands: [lastFramesCommand(tap, "unit 5")], async [Symbol.asyncDispose]() {} };
  const { rows, objects } = await ask(device, "LastFrames");
  const [[type, text] = ["", ""]] = objects;
  expect(type).toBe("application/vnd.isthmus.trace");
  const lines = text.trimEnd().split("\n").map(parseTraceLine);
  expect(lines.map(({ kind }) => kind)).toEqual(["remark", "frame", "frame"]);
  const frames = lines.flatMap(line => (line.kind === "frame" ? [[line.at, line.direction, [...line.bytes]]] : []));
  expect(frames).toEqual([
    [rows[0]?.[0], "tx", [5, 3, 0, 0]],
    [rows[1]?.[0], "rx", [5, 131, 2]],
  ]);
});
