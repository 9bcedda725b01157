// Link frames: the link vectors, and what a framer fed with chunks of any size must keep to.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatHex, parseHex } from "#base/bytes.ts";
import { selectOctets } from "#drivers/mbus/address.ts";
import {
  ackOctet,
  decodeFrame,
  directionOf,
  encodeLong,
  encodeReqUd1,
  encodeReqUd2,
  encodeShort,
  encodeSndNke,
  encodeSndUd,
  longestOctets,
} from "#drivers/mbus/frame.ts";
import { type Arrival, createFramer } from "#drivers/mbus/framer.ts";
import { parseManufacturer } from "#drivers/mbus/header.ts";
import { decodeTelegram } from "#drivers/mbus/telegram.ts";

const load = (name: string) => JSON.parse(readFileSync(join(import.meta.dirname, "../../vectors/mbus", name), "utf8"));
const octets = (hex: string): Uint8Array => parseHex(hex) as Uint8Array;
const hexOf = (bytes: Uint8Array) => formatHex(bytes).replaceAll(" ", "");

interface Build {
  op: string;
  address: number;
  fcb: 0 | 1;
  [name: string]: unknown;
}

const hexOctet = (value: unknown) => (value === null ? "FF" : Number(value).toString(16).padStart(2, "0"));

/** The digits of a select: null stands for any. */
function selectDigits({ id, manufacturer, version, medium }: Build): string {
  const code = manufacturer === null ? 0xffff : (parseManufacturer(String(manufacturer)) as number);
  return `${id}${hexOctet(code & 255)}${hexOctet(code >> 8)}${hexOctet(version)}${hexOctet(medium)}`;
}

/** Type F, as a master writes it. */
function timeF(time: string): number[] {
  const [, y = 0, m = 0, d = 0, h = 0, min = 0] = (/(\d+)-(\d+)-(\d+)T(\d+):(\d+)/.exec(time) ?? []).map(Number);
  const year = y - 2000;
  return [min, h, d | ((year & 7) << 5), m | ((year & 0x78) << 1)];
}

const bauds = [300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400];

function build(order: Build): Uint8Array {
  const { op, address, fcb } = order;
  const send = (ci: number, ...data: number[]) => encodeSndUd(address, fcb === 1, ci, Uint8Array.from(data));
  switch (op) {
    case "nke":
      return encodeSndNke(address);
    case "req_ud2":
      return encodeReqUd2(address, fcb === 1);
    case "req_ud1":
      return encodeReqUd1(address, fcb === 1);
    case "set_address":
      return send(0x51, 0x01, 0x7a, order.newAddress as number);
    case "select":
      return encodeSndUd(253, fcb === 1, 0x52, selectOctets({ digits: selectDigits(order) }));
    case "set_baud":
      return send(0xb8 + bauds.indexOf(order.baud as number));
    case "app_reset":
      return order.subcode === undefined ? send(0x50) : send(0x50, order.subcode as number);
    case "write_time_f":
      return send(0x51, 0x04, 0x6d, ...timeF(order.time as string));
    case "ack":
      return Uint8Array.of(ackOctet);
    default:
      throw new Error(`unknown order ${op}`);
  }
}

describe("link vectors", () => {
  const { build: builds, reject } = load("link.json") as {
    build: { what: string; build: Build; hex: string }[];
    reject: { hex: string; error: string }[];
  };
  it.each(builds)("M-Bus 1.1: $what", ({ build: order, hex }) => {
    expect(hexOf(build(order))).toBe(hex);
    expect(decodeFrame(octets(hex))).toHaveProperty("frame");
  });
  it.each(reject)("M-Bus 1.1: refused ($error) $hex", ({ hex, error }) => {
    expect(decodeFrame(octets(hex))).toEqual({ fault: error });
  });

  const { stream } = load("session.json") as { stream: { chunks: string[]; expect: Record<string, unknown>[] }[] };
  it.each(stream.map((one, n) => ({ ...one, n })))("M-Bus 0.1: stream $n in chunks", ({ chunks, expect: expected }) => {
    const framer = createFramer();
    const found = chunks.flatMap(chunk => framer.push(octets(chunk)));
    expect([...found, ...framer.flush()].map(told)).toEqual(expected);
  });

  it("M-Bus 1.1: trailing octets, frames from the wrong side and unknown CI codes have reasons of their own", () => {
    const frame = encodeLong(0x08, 1, 0x78);
    expect(decodeFrame(Uint8Array.of(...frame, 0))).toEqual({ fault: "trailing" });
    expect(decodeFrame(encodeShort(0x08, 1))).toEqual({ fault: "direction" });
    expect(decodeTelegram(encodeLong(0x53, 1, 0x72))).toMatchObject({ fault: "direction" });
    expect(decodeTelegram(encodeLong(0x08, 1, 0x51))).toMatchObject({ fault: "direction" });
    expect(decodeTelegram(encodeLong(0x08, 1, 0x99))).toMatchObject({ fault: "ci", frame: { ci: 0x99 } });
  });
});

/** As the stream vectors write it: a frame of the master is an echo here. */
function told(arrival: Arrival): Record<string, unknown> {
  if (arrival.kind === "noise") return { noise: arrival.octets };
  if (arrival.kind === "bad") return { badFrame: arrival.reason };
  if (arrival.frame.type === "ack") return { ack: true };
  return directionOf(arrival.frame.c) === "master" ? { echo: hexOf(arrival.bytes) } : { frame: hexOf(arrival.bytes) };
}

const anyFrame = fc.oneof(
  fc.constant(Uint8Array.of(ackOctet)),
  fc.tuple(fc.constantFrom(0x40, 0x5b, 0x7b), fc.nat(255)).map(([c, a]) => encodeShort(c, a)),
  fc
    .tuple(fc.constantFrom(0x08, 0x18, 0x53), fc.nat(255), fc.nat(255), fc.uint8Array({ maxLength: 252 }))
    .map(([c, a, ci, data]) => encodeLong(c, a, ci, data)),
);
const longFrame = fc
  .tuple(fc.nat(255), fc.uint8Array({ minLength: 1, maxLength: 60 }))
  .map(([a, data]) => encodeLong(0x08, a, 0x72, data));

function inChunks(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map(cut => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, n) => bytes.subarray(from, places[n] ?? bytes.length));
}

const run = (chunks: readonly Uint8Array[]): Arrival[] => {
  const framer = createFramer();
  return [...chunks.flatMap(chunk => framer.push(chunk)), ...framer.flush()];
};

describe("framer", () => {
  it("0.1: what it finds does not depend on how the octets are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(anyFrame, fc.uint8Array({ maxLength: 8 })), { maxLength: 5 }),
        fc.array(fc.nat()),
        (parts, cuts) => {
          const bytes = Uint8Array.from(parts.flatMap(part => [...part]));
          expect(withoutNoise(run(inChunks(bytes, cuts)))).toEqual(withoutNoise(run([bytes])));
          expect(noiseIn(run(inChunks(bytes, cuts)))).toBe(noiseIn(run([bytes])));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("1.1: frames one after the other are all found, and nothing else", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 6 }), fc.array(fc.nat()), (frames, cuts) => {
        const found = run(inChunks(Uint8Array.from(frames.flatMap(frame => [...frame])), cuts));
        expect(found.map(one => (one.kind === "frame" ? hexOf(one.bytes) : one))).toEqual(frames.map(hexOf));
      }),
      { numRuns: 1_000 },
    );
  });

  it("1.1: after an octet is changed, lost or added, a frame that comes after a silence is found", () => {
    const damage = fc.record({ kind: fc.constantFrom("change", "lose", "add"), at: fc.nat(), octet: fc.nat(255) });
    fc.assert(
      fc.property(longFrame, damage, longFrame, (first, { kind, at, octet }, second) => {
        const bytes = [...first];
        bytes.splice(at % bytes.length, kind === "add" ? 0 : 1, ...(kind === "lose" ? [] : [octet]));
        const framer = createFramer();
        framer.push(Uint8Array.from(bytes));
        framer.flush();
        expect(framer.held).toBe(0);
        const found = framer.push(second);
        expect(found.map(one => one.kind === "frame" && hexOf(one.bytes))).toEqual([hexOf(second)]);
      }),
      { numRuns: 2_000 },
    );
  });

  it("1.1: an octet lost without a silence behind it costs no more than the frame it was in", () => {
    fc.assert(
      fc.property(longFrame, fc.nat(), longFrame, (first, at, second) => {
        // The octet is lost behind the header: a wrong length could not be told from a longer frame.
        const bytes = [...first];
        bytes.splice(5 + (at % (bytes.length - 5)), 1);
        const found = run([Uint8Array.from(bytes), second]);
        expect(found.filter(one => one.kind === "frame").map(one => hexOf(one.bytes))).toContain(hexOf(second));
      }),
      { numRuns: 1_000 },
    );
  });

  it("0.3: random octets yield frames, faults and noise, and never hold more than one frame", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 6 }), chunks => {
        const framer = createFramer();
        for (const chunk of chunks) {
          framer.push(chunk);
          expect(framer.held).toBeLessThanOrEqual(longestOctets);
        }
        framer.flush();
        expect(framer.held).toBe(0);
      }),
      { numRuns: 1_000 },
    );
  });

  it("1.1: an E5 among the octets of a broken frame is no acknowledgement", () => {
    const whole = encodeLong(0x08, 1, 0x72, Uint8Array.of(0xe5, 0xe5, 0xe5, 0xe5));
    const broken = whole.slice();
    broken[3] = 0x69;
    expect(run([broken]).filter(one => one.kind === "frame")).toEqual([]);
    expect(run([whole.subarray(0, 9)]).filter(one => one.kind === "frame")).toEqual([]);
  });
});

const withoutNoise = (arrivals: readonly Arrival[]) =>
  arrivals
    .filter(one => one.kind !== "noise")
    .map(one => (one.kind === "frame" ? hexOf(one.bytes) : one.kind === "bad" ? one.reason : one));
const noiseIn = (arrivals: readonly Arrival[]) =>
  arrivals.reduce((sum, one) => sum + (one.kind === "noise" ? one.octets : 0), 0);
