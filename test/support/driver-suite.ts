// What every driver must pass, whatever it drives: it opens, reads, times out as a DeviceFault, aborts promptly, closes
// twice harmlessly, and never overlaps on its line. The partner is real bytes wherever the driver speaks bytes.

import { describe, expect, it } from "vitest";
import type { Clock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { Device, Env, NodeType } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import { askAll, type Sample } from "#contract/field.ts";
import { formOf } from "#contract/form.ts";

/** One device under test with its partner, fresh for each test. Disposing it closes the parent and the partner. */
export interface DriverBench extends AsyncDisposable {
  // biome-ignore lint/suspicious/noExplicitAny: each node type has its own settings, parent and device.
  readonly nodeType: NodeType<any, any, any>;
  /** As a person would give them: parsed by the node type's own schema. */
  readonly settings: unknown;
  /** The opened device of the parent node, where the node type wants one. */
  readonly parent?: Device;
  readonly clock: Clock;
  /** Lets time pass on that clock: a manual clock advances, the system clock sleeps. */
  pass(ms: number): Promise<void>;
  /** From now on the partner does not answer (true) or answers again (false). */
  silence?(silent: boolean, device: Device): void | Promise<void>;
  /**
   * The most requests the partner ever had in hand at once. It must take its time over each on the bench's clock, or nothing
   * could ever overlap.
   */
  overlap?(): number;
  /** There is nothing to be silent or to overlap. Without this a device that can be read must have both. */
  readonly line?: false;
  /** Makes the partner speak, for devices that only `watch`. */
  speak?(): void | Promise<void>;
}

/** Longest time on the bench's clock after which a silent device must have failed. */
const silentMsMax = 120_000;
/** Real time within which an abort must be obeyed. */
const promptMs = 1_000;

export function driverSuite(name: string, bench: () => Promise<DriverBench>): void {
  const env = (one: DriverBench): Env<unknown> => ({
    clock: one.clock,
    log: silentLog,
    parent: one.parent,
    own: () => ({ [Symbol.dispose]() {} }),
    timeZone: "Europe/Berlin",
  });
  const open = async (one: DriverBench, signal = new AbortController().signal): Promise<Device> =>
    one.nodeType.open(one.nodeType.settings.parse(one.settings), env(one), signal);

  describe(`driver suite: ${name}`, () => {
    it("settings are flat, titled and described by JSON Schema", async () => {
      await using one = await bench();
      const form = formOf(one.nodeType.settings);
      expect(form.filter(field => field.title === field.name).map(field => field.name)).toEqual([]);
      expect(one.nodeType.settings.safeParse(one.settings).success).toBe(true);
    });

    it("opens and tells at least one field, each with a finite time and a name of its own", async () => {
      await using one = await bench();
      await using device = await open(one);
      const samples = await firstSamples(one, device);
      const fields = samples.flatMap(sample => sample.fields);
      expect(fields.length).toBeGreaterThan(0);
      for (const sample of samples) {
        expect(Number.isFinite(sample.at)).toBe(true);
        expect(new Set(sample.fields.map(field => field.name)).size).toBe(sample.fields.length);
        for (const { value } of sample.fields)
          if (value.kind === "quantity") expect(Number.isFinite(value.value)).toBe(true);
      }
    });

    it("closes twice harmlessly, and afterwards a read fails instead of hanging", async () => {
      await using one = await bench();
      const device = await open(one);
      await device[Symbol.asyncDispose]();
      await device[Symbol.asyncDispose]();
      if (device.read === undefined || one.line === false) return;
      const error = await settle(one, readAll(device, new AbortController().signal));
      expect(error).toBeInstanceOf(DeviceFault);
    });

    it("the bench shows silence and overlap, or says that there is no line", async () => {
      await using one = await bench();
      await using device = await open(one);
      if (device.read === undefined) return;
      const shown = { silence: one.silence !== undefined, overlap: one.overlap !== undefined };
      const wanted = one.line !== false;
      expect(shown).toEqual({ silence: wanted, overlap: wanted });
    });

    it("a read that is aborted before it begins does not begin", async () => {
      await using one = await bench();
      await using device = await open(one);
      if (device.read === undefined) return;
      const outcome = await settle(one, readAll(device, AbortSignal.abort(new Error("left"))));
      expect(Array.isArray(outcome) ? outcome : []).toEqual([]);
      if (one.overlap !== undefined) expect(one.overlap()).toBe(0);
    });

    it("a silent device times out as a DeviceFault, and answers again afterwards", async () => {
      await using one = await bench();
      await using device = await open(one);
      if (one.silence === undefined || device.read === undefined) return;
      await one.silence(true, device);
      const error = await settle(one, readAll(device, new AbortController().signal));
      expect(error).toBeInstanceOf(DeviceFault);
      expect(["timeout", "unreachable"]).toContain((error as DeviceFault).kind);
      await one.silence(false, device);
      // A breaker may rest after a timeout: it must let go within the bound.
      let samples: unknown;
      for (let waited = 0; waited < silentMsMax && !Array.isArray(samples); waited += 5_000) {
        samples = await settle(one, readAll(device, new AbortController().signal));
        if (!Array.isArray(samples)) await one.pass(5_000);
      }
      expect(samples).toSatisfy((found: unknown) => Array.isArray(found) && found.length > 0);
    });

    it("an abort ends a read under way promptly, without any time passing, and spoils nothing for the next", async () => {
      await using one = await bench();
      await using device = await open(one);
      if (one.silence === undefined || device.read === undefined) return;
      await one.silence(true, device);
      const stop = new AbortController();
      let ended = false;
      const reading = readAll(device, stop.signal)
        .catch(error => error)
        .finally(() => {
          ended = true;
        });
      await new Promise(resolve => setTimeout(resolve, 20));
      expect(ended, "the partner is silent: the read is still under way").toBe(false);
      stop.abort(new Error("the asker left"));
      const outcome = await Promise.race([
        reading.then(() => "ended"),
        new Promise(resolve => setTimeout(() => resolve("still going"), promptMs)),
      ]);
      expect(outcome).toBe("ended");
      await one.silence(false, device);
      const next = await settle(one, readAll(device, new AbortController().signal));
      expect(next).toSatisfy((found: unknown) => Array.isArray(found) && found.length > 0);
    });

    it("an abort ends a watch promptly", async () => {
      await using one = await bench();
      await using device = await open(one);
      if (device.watch === undefined) return;
      const stop = new AbortController();
      const watching = collect(device.watch(stop.signal)).catch(error => error);
      await new Promise(resolve => setTimeout(resolve, 20));
      stop.abort(new Error("stopping"));
      const outcome = await Promise.race([
        watching.then(() => "ended"),
        new Promise(resolve => setTimeout(() => resolve("still going"), promptMs)),
      ]);
      expect(outcome).toBe("ended");
    });

    it("never overlaps on its line, and each of many askers at once is answered", async () => {
      await using one = await bench();
      await using device = await open(one);
      if (one.overlap === undefined || device.read === undefined) return;
      const never = new AbortController().signal;
      const outcomes = await Promise.all(Array.from({ length: 5 }, () => settle(one, readAll(device, never))));
      for (const outcome of outcomes) expect(Array.isArray(outcome)).toBe(true);
      expect(one.overlap()).toBe(1);
    });
  });
}

const readAll = (device: Device, signal: AbortSignal): Promise<Sample[]> =>
  device.read === undefined ? Promise.resolve([]) : collect(device.read(askAll, signal));

async function collect(samples: AsyncIterable<Sample>): Promise<Sample[]> {
  const all: Sample[] = [];
  for await (const sample of samples) all.push(sample);
  return all;
}

async function firstSamples(one: DriverBench, device: Device): Promise<Sample[]> {
  const never = new AbortController();
  if (device.read !== undefined) {
    const outcome = await settle(one, readAll(device, never.signal));
    if (outcome instanceof Error) throw outcome;
    return outcome as Sample[];
  }
  if (device.watch === undefined) throw new Error("a device that neither reads nor watches tells nothing");
  const iterator = device.watch(never.signal)[Symbol.asyncIterator]();
  const next = iterator.next();
  await one.speak?.();
  const first = (await settle(one, next)) as IteratorResult<Sample> | Error;
  never.abort();
  await iterator.return?.().catch(() => {});
  if (first instanceof Error) throw first;
  return first.done ? [] : [first.value];
}

/** The outcome or the error, letting the bench's time pass until there is one. */
async function settle<T>(one: DriverBench, work: Promise<T>): Promise<T | Error> {
  let outcome: { value: T | Error } | undefined;
  work.then(
    value => {
      outcome = { value };
    },
    error => {
      outcome = { value: error instanceof Error ? error : new Error(String(error)) };
    },
  );
  for (let waited = 0; outcome === undefined && waited <= silentMsMax; waited += 50) await one.pass(50);
  return outcome === undefined ? new Error(`neither answered nor failed within ${silentMsMax} ms`) : outcome.value;
}
