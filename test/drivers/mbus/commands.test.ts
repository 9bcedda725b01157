// Commands of the M-Bus line and its meters, and what is overheard on the line, against simulated meters behind a real socket.

import { describe, expect, it } from "vitest";
import { formatHex } from "#base/bytes.ts";
import type { SniffedItem } from "#contract/sniff.ts";
import { explainFrame } from "#drivers/mbus/explain.ts";
import { waterMeter } from "#lab/mbus-meter.ts";
import { ask, commandOf, reportLog } from "../report-log.ts";
import { never, openBench } from "./bench.ts";

describe("search by primary address", () => {
  it("finds who is there, says who they are, and tells how far it is", async () => {
    await using bench = await openBench();
    const report = reportLog();
    await bench.settle(ask(bench.line, "ScanPrimary", { from: 3, to: 8 }, never, report), 100);
    expect(report.rows.map(([address, id, manufacturer]) => [address, id, typeof manufacturer])).toEqual([
      [5, "30100608", "string"],
      [6, "41205512", "string"],
    ]);
    expect(report.statuses).toHaveLength(7);
    expect(report.statuses[0]).toBe("Address 3 of 8: 0 found so far.");
    expect(report.statuses.at(-1)).toBe("2 found at the addresses 3 to 8.");
  });

  it("two meters with one address are told as such, not as one of them", async () => {
    await using bench = await openBench(clock => [
      waterMeter({ id: "41205512", primary: 6, clock }),
      waterMeter({ id: "99999999", primary: 6, clock }),
    ]);
    const report = await bench.settle(ask(bench.line, "ScanPrimary", { from: 6, to: 6 }), 100);
    expect(report.rows).toHaveLength(1);
    expect(String(report.rows[0]?.at(-1))).toContain("two meters with this address");
  });

  it("nobody there is a warning; an empty range is refused", async () => {
    await using bench = await openBench();
    const report = await bench.settle(ask(bench.line, "ScanPrimary", { from: 100, to: 102 }), 100);
    expect(report.rows).toEqual([]);
    expect(report.messages).toHaveLength(1);
    await expect(ask(bench.line, "ScanPrimary", { from: 9, to: 3 })).rejects.toThrow();
    await expect(ask(bench.line, "ScanPrimary", { from: 0, to: 251 })).rejects.toThrow();
  });

  it("a readout goes between two addresses, and never into an answer", async () => {
    await using bench = await openBench();
    const meter = await bench.meter({ address: "5" });
    const report = reportLog();
    const stop = new AbortController();
    const scanning = ask(bench.line, "ScanPrimary", {}, stop.signal, report).catch(error => error);
    await bench.clock.advance(500);
    const before = report.statuses.length;
    expect(before).toBeLessThan(5);
    expect((await bench.read(meter)).length).toBeGreaterThan(0);
    expect(report.statuses.length).toBeLessThan(before + 4);
    expect(bench.converter.overlap).toBe(1);
    stop.abort(new Error("enough"));
    await bench.clock.advance(2_000);
    expect(await scanning).toMatchObject({ message: "enough" });
    const heard = report.statuses.length;
    await bench.clock.advance(10_000);
    expect(report.statuses).toHaveLength(heard);
    expect((await bench.read(meter)).length).toBeGreaterThan(0);
  });
});

describe("a line and a meter", () => {
  it("identify tells the header; the last frames are those of this meter alone, explained", async () => {
    await using bench = await openBench();
    const heat = await bench.meter({ address: "5" });
    const water = await bench.meter({ address: "6" });
    expect((await ask(water, "LastFrames")).messages).toHaveLength(1);
    const identity = await bench.settle(ask(heat, "Identify"));
    expect(new Map(identity.rows as [string, unknown][]).get("Identification")).toBe("30100608");
    const frames = await ask(heat, "LastFrames");
    expect(frames.rows.map(row => [row[1], row[3]])).toEqual([
      ["to the device", "SND_NKE to 5"],
      ["from the device", "E5"],
      ["to the device", "REQ_UD2 to 5"],
      ["from the device", "RSP_UD from 5"],
    ]);
    expect((await ask(water, "LastFrames")).rows).toEqual([]);
    for (let n = 0; n < 8; n++) await bench.read(heat);
    expect((await ask(heat, "LastFrames")).rows).toHaveLength(20);
  });

  it("a battery meter is not asked more often for the sake of a command", async () => {
    await using bench = await openBench();
    const heat = await bench.meter({ address: "5", minIntervalSeconds: 3_600 });
    await bench.read(heat);
    const { requests } = bench.line.line.counters;
    await bench.settle(ask(heat, "Identify"));
    expect(bench.line.line.counters.requests).toBe(requests);
  });

  it("statistics: the load now and since the line was opened, and its counters", async () => {
    await using bench = await openBench();
    const heat = await bench.meter({ address: "5" });
    await bench.read(heat);
    const report = await bench.settle(ask(bench.line, "LineStatistics", { seconds: 2 }));
    const [now, opened] = report.rows;
    expect(now?.[0]).toBe("Now");
    expect(now?.[2]).toBe(0);
    expect(opened?.[2]).toBe(10);
    expect(Number(opened?.[3])).toBeGreaterThan(10);
    expect(Number(opened?.[4])).toBeGreaterThan(0);
    expect(report.rows.find(([name]) => name === "Requests")?.[1]).toBe(2);
  });

  it("reset closes the line, which the tree then opens anew", async () => {
    await using bench = await openBench();
    const command = commandOf(bench.line, "ResetLine");
    expect(command.confirmation).toBeTruthy();
    if (command.kind === "simple") await command.execute(never);
    expect(await bench.line.closed).toMatchObject({ kind: "unreachable" });
  });
});

describe("CON-SNIFF-05, -06: what is overheard", () => {
  const hear = (items: AsyncIterable<SniffedItem> | undefined, into: string[]) =>
    void (async () => {
      for await (const item of items ?? [])
        into.push(`${item.kind} ${"bytes" in item ? formatHex(item.bytes) : item.text}`);
    })();

  it("whole frames in both directions, of the line or of one meter, until the listener leaves", async () => {
    await using bench = await openBench();
    const heat = await bench.meter({ address: "5" });
    const water = await bench.meter({ address: "6" });
    const stop = new AbortController();
    const [line, one]: [string[], string[]] = [[], []];
    hear(bench.line.sniff?.(stop.signal), line);
    hear(water.sniff?.(stop.signal), one);
    await bench.read(heat);
    await bench.read(water);
    await bench.clock.advance(0);
    expect(line).toHaveLength(8);
    expect(line.slice(0, 3)).toEqual(["txBin 10 40 05 45 16", "rxBin E5", "txBin 10 7B 05 80 16"]);
    expect(line[3]).toMatch(/^rxBin 68 .* 16$/);
    expect(one).toEqual(line.slice(4));
    stop.abort();
    await bench.read(heat);
    expect(line).toHaveLength(8);
  });

  it("noise nobody asked for is heard too; a key never is, being never on the line", async () => {
    await using bench = await openBench();
    const stop = new AbortController();
    const line: string[] = [];
    hear(bench.line.sniff?.(stop.signal), line);
    bench.converter.inject(Uint8Array.of(1, 2, 3));
    await bench.clock.advance(10);
    await new Promise(resolve => setImmediate(resolve));
    await bench.clock.advance(10);
    expect(line).toEqual(["rxBin 01 02 03"]);
    stop.abort();
  });

  it("frames are named as the standard names them, damage by what is wrong", () => {
    expect(explainFrame(Uint8Array.of(0xe5))).toBe("E5");
    expect(explainFrame(Uint8Array.of(0x10, 0x5b, 0x11, 0x6c, 0x16))).toBe("REQ_UD2 to 17");
    expect(explainFrame(Uint8Array.of(0x10, 0x5b, 0x11, 0x6d, 0x16))).toBe("its checksum is wrong");
  });
});
