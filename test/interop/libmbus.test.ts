// Strangers' code on the bus: the master of libmbus and our driver read, select and search the same simulated slaves, and agree. Where
// libmbus is known to err it is not asked.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { Env } from "#contract/driver.ts";
import { type LineDevice, mbusNodeTypes } from "#drivers/mbus/driver.ts";
import { createMbusBus } from "#lab/mbus-bus.ts";
import { startMbusConverter } from "#lab/mbus-converter.ts";
import type { MbusMeter } from "#lab/mbus-slave.ts";
import { openPseudoTerminal } from "#lab/pseudo-terminal.ts";
import { fieldOf, readAll } from "../drivers/mbus/bench.ts";
import { never, simpleMeter } from "../drivers/mbus/wire.ts";
import { ask } from "../drivers/report-log.ts";
import { buildLibmbus, type Libmbus } from "./libmbus.ts";

let libmbus: Libmbus;
beforeAll(async () => {
  libmbus = await buildLibmbus([
    "mbus-tcp-request-data",
    "mbus-tcp-request-data-multi-reply",
    "mbus-tcp-scan",
    "mbus-tcp-scan-secondary",
    "mbus-tcp-select-secondary",
    "mbus-serial-request-data",
    "mbus-serial-set-address",
  ]);
});
afterAll(() => libmbus?.[Symbol.dispose]());

const volume = (...octets: number[]) => Uint8Array.of(0x0c, 0x13, ...octets);
const parts = () => [
  Uint8Array.of(...volume(0x27, 0x04, 0x85, 0x02), 0x1f),
  Uint8Array.of(0x4c, 0x13, 0x91, 0x73, 0x16, 0x05, 0x1f),
  Uint8Array.of(0xcc, 0x01, 0x13, 0x11, 0x22, 0x33, 0x04),
];
const meters = (): MbusMeter[] => [
  simpleMeter("11111111", { primary: 3 }),
  simpleMeter("11122222", { primary: 4, manufacturer: "ABB", medium: 4, telegrams: parts, strictFcb: true }),
  simpleMeter("93100005", { primary: 5, manufacturer: "SEN", version: 0x1c, medium: 0x16 }),
];

const env = <P>(parent: P): Env<P> => ({
  clock: systemClock,
  log: silentLog,
  parent,
  own: () => ({ [Symbol.dispose]() {} }),
  timeZone: "Europe/Berlin",
});

/** Ours and theirs on one line: one after the other, as a real converter serves one at a time. */
async function openBoth(given: readonly MbusMeter[]) {
  const converter = await startMbusConverter(systemClock, given);
  const { tcp, meter: meterType } = mbusNodeTypes;
  const settings = tcp.settings.parse({ host: "127.0.0.1", port: converter.port, answerMarginMs: 0 });
  return {
    converter,
    theirs: (program: string, ...words: string[]) =>
      libmbus.run(program, "127.0.0.1", String(converter.port), ...words),
    async ours<T>(work: (line: LineDevice) => Promise<T>): Promise<T> {
      await using line = await tcp.open(settings, env(undefined), never);
      return await work(line);
    },
    read: async (line: LineDevice, address: string) =>
      readAll(await meterType.open(meterType.settings.parse({ address }), env(line), never)),
    [Symbol.asyncDispose]: () => converter[Symbol.asyncDispose](),
  };
}

/** The values of all telegrams; what is no record has an empty one. */
const valuesIn = (xml: string): number[] =>
  Array.from(xml.matchAll(/<Value>([^<]+)<\/Value>/g), ([, text]) => Number(text));
const idIn = (xml: string): string | undefined => /<Id>(\d+)<\/Id>/.exec(xml)?.[1];

describe("libmbus and our driver, over TCP", () => {
  it.each(["3", "5"])("primary address %s: the same meter, the same value", async address => {
    await using both = await openBoth(meters());
    const { stdout, code } = await both.theirs("mbus-tcp-request-data", address);
    expect(code).toBe(0);
    const samples = await both.ours(line => both.read(line, address));
    expect(fieldOf(samples, "Identification")?.value).toMatchObject({ value: idIn(stdout) });
    // Thousandths of cubic metres there, cubic metres here.
    expect(stdout).toContain("<Unit>Volume (m m^3)</Unit>");
    expect(fieldOf(samples, "Volume")?.value).toMatchObject({ value: (valuesIn(stdout)[0] ?? 0) / 1_000 });
  });

  it("several telegrams: both follow them to the end, with the frame count bit turning", async () => {
    await using both = await openBoth(meters());
    const { stdout } = await both.theirs("mbus-tcp-request-data-multi-reply", "4");
    const theirs = valuesIn(stdout);
    expect(theirs).toHaveLength(3);
    const samples = await both.ours(line => both.read(line, "4"));
    const volumes = samples.flatMap(({ fields }) => fields).filter(({ name }) => name.startsWith("Volume"));
    expect(volumes.map(({ value }) => ("value" in value ? Number(value.value) : undefined))).toEqual(
      theirs.map(value => value / 1_000),
    );
  });

  it("by secondary address: whom they select, and what he says", async () => {
    await using both = await openBoth(meters());
    for (const address of ["93100005AE4C1C16", "1112222242040104", "9FFFFFFFFFFFFFFF"]) {
      const { stdout } = await both.theirs("mbus-tcp-request-data", address);
      const samples = await both.ours(line => both.read(line, address));
      expect(idIn(stdout), address).toBeDefined();
      expect(fieldOf(samples, "Identification")?.value, address).toMatchObject({ value: idIn(stdout) });
    }
    const select = await both.theirs("mbus-tcp-select-secondary", "93100005AE4C1C16");
    const report = await both.ours(line => ask(line, "SearchMeters", { numbers: "93100005" }));
    expect(select.stdout + select.stderr).not.toBe("");
    expect(report.rows.map(row => row[0])).toEqual(["93100005"]);
  });

  it.concurrent("scan of all primary addresses: the same are there", async () => {
    await using both = await openBoth(meters());
    const { stdout } = await both.theirs("mbus-tcp-scan");
    const theirs = Array.from(stdout.matchAll(/Found a M-Bus device at address (\d+)/g), ([, at]) => Number(at));
    const report = await both.ours(line => ask(line, "ScanPrimary", { from: 0, to: 12 }));
    expect(theirs.length).toBeGreaterThan(0);
    expect(report.rows.map(row => row[0])).toEqual(theirs.filter(at => at <= 12));
  }, 120_000);

  it.concurrent("search by secondary address: the same meters under the same addresses", async () => {
    await using both = await openBoth(meters());
    const { stdout } = await both.theirs("mbus-tcp-scan-secondary");
    const theirs = new Set(
      Array.from(stdout.matchAll(/Found a device on secondary address ([0-9A-F]{16})/g), ([, at]) => at),
    );
    const report = await both.ours(line => ask(line, "SearchMeters"));
    expect(report.rows).toHaveLength(3);
    expect(new Set(report.rows.map(row => row[5]))).toEqual(theirs);
  }, 120_000);
});

describe("libmbus on a serial port", () => {
  it("reads a simulated meter over a pseudo terminal, and moves it to another address, where we find it", async () => {
    await using terminal = await openPseudoTerminal();
    const stop = new AbortController();
    const [meter] = meters();
    const bus = createMbusBus(systemClock, [meter as MbusMeter], stop.signal);
    terminal.onData(chunk => bus.hear(chunk, bytes => terminal.write(bytes)));
    const before = await libmbus.run("mbus-serial-request-data", "-b", "2400", terminal.path, "3");
    expect(idIn(before.stdout)).toBe("11111111");
    const moved = await libmbus.run("mbus-serial-set-address", "-b", "2400", terminal.path, "3", "77");
    expect(moved.code).toBe(0);
    expect(meter?.primary).toBe(77);
    const { serial, meter: meterType } = mbusNodeTypes;
    const settings = serial.settings.parse({ serialDevice: terminal.path, answerMarginMs: 0 });
    await using line = await serial.open(settings, env(undefined), never);
    const samples = await readAll(await meterType.open(meterType.settings.parse({ address: "77" }), env(line), never));
    expect(fieldOf(samples, "Identification")?.value).toMatchObject({ value: "11111111" });
    stop.abort();
  });
});
