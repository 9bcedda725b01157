// The decoders of M-Bus under fire: link frames, the framer in pieces, telegrams behind a sound link, lone records, and the
// fields that are made of them.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { concat, parseHex } from "#base/bytes.ts";
import { decodeMbusBurst, decodeMbusOctets, decodeMbusStream } from "#cli/commands/decode-mbus.ts";
import { samplesOf } from "#drivers/mbus/fields.ts";
import { decodeFrame, encodeLong, encodeShort, type Frame, longestOctets } from "#drivers/mbus/frame.ts";
import { createFramer } from "#drivers/mbus/framer.ts";
import { decodeRecords } from "#drivers/mbus/record.ts";
import { decodeTelegram, isFaulty } from "#drivers/mbus/telegram.ts";
import { type Decoder, require, sizeOf } from "./decoder.ts";
import { pieces } from "./octets.ts";

const vectors = join(import.meta.dirname, "../vectors/mbus");
const load = (name: string) => JSON.parse(readFileSync(join(vectors, name), "utf8"));
const octets = (hex: string) => parseHex(hex) as Uint8Array;

const telegrams = (): Uint8Array[] => [
  ...["frames", "errors"].flatMap(folder =>
    readdirSync(join(vectors, folder))
      .filter(name => name.endsWith(".hex"))
      .map(name => octets(readFileSync(join(vectors, folder, name), "utf8"))),
  ),
  ...["extra.json", "fixed.json", "mode5.json"].flatMap(name =>
    load(name).items.map(({ hex }: { hex: string }) => octets(hex)),
  ),
  ...[...load("link.json").build, ...load("link.json").reject].map(({ hex }: { hex: string }) => octets(hex)),
];

const records = (): Uint8Array[] => [
  ...load("records.json").records.map(({ hex }: { hex: string }) => octets(hex)),
  octets("84 04 03 E8030000 82 04 6C 5F 31 8D 04 83 1F 08 72 FE 0A00 1400 0100"),
  octets("84 04 03 E8030000 82 04 6C 5F 31 8D 04 83 13 04 71 01 0A 14"),
];

function reencoded(frame: Frame): Uint8Array {
  if (frame.type === "ack") return Uint8Array.of(0xe5);
  return frame.type === "short" ? encodeShort(frame.c, frame.a) : encodeLong(frame.c, frame.a, frame.ci, frame.data);
}
const same = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((octet, n) => octet === b[n]);

const frame: Decoder = {
  name: "mbus-frame",
  perOctet: 2,
  corpus: telegrams,
  run(bytes) {
    const seen = decodeFrame(bytes);
    if ("frame" in seen)
      require(same(reencoded(seen.frame), bytes), "a frame that was accepted is another when written");
    return sizeOf(seen);
  },
};

const framer: Decoder = {
  name: "mbus-framer",
  perOctet: 3,
  corpus: telegrams,
  run(bytes, random) {
    const one = createFramer();
    const whole = random.pick(telegramsOnce);
    let yielded = 0;
    let accounted = 0;
    const take = (arrivals: ReturnType<typeof one.push>) => {
      for (const arrival of arrivals) {
        yielded += sizeOf(arrival);
        if (arrival.kind === "frame")
          require(same(reencoded(arrival.frame), arrival.bytes), "a frame is not its octets");
        if (arrival.kind === "frame") accounted += arrival.bytes.length;
        if (arrival.kind === "noise") accounted += arrival.octets;
      }
      require(one.held <= longestOctets, `${one.held} octets are held`);
    };
    for (const piece of pieces(bytes, random)) take(one.push(piece));
    take(one.flush());
    require(one.held === 0, "something is left behind a silence");
    require(accounted <= bytes.length, "more octets came out than went in");
    // After a silence a whole frame is always found.
    const after = [...one.push(whole), ...one.flush()];
    require(after.length === 1 && after[0]?.kind === "frame", "a whole frame behind a silence was not found");
    return yielded;
  },
};

const telegramsOnce = telegrams().filter(bytes => "frame" in decodeFrame(bytes));

const controls = [0x08, 0x08, 0x08, 0x53, 0x73, 0x18, 0x28];
const infos = [0x70, 0x71, 0x72, 0x72, 0x72, 0x73, 0x76, 0x77, 0x78, 0x7a, 0x51, 0x55, 0x5a, 0x5b, 0x50, 0x52, 0xb8];

/** The link is repaired, so that the application layer gets to see what is wrong with it. */
const telegram: Decoder = {
  name: "mbus-telegram",
  perOctet: 400,
  corpus: () => telegrams().flatMap(bytes => (bytes.length > 9 ? [bytes.subarray(7, -2)] : [])),
  run(bytes, random) {
    const data = bytes.subarray(0, 252);
    const sent = encodeLong(random.pick(controls), random.below(256), random.pick(infos), data);
    const key = random.below(2) === 0 ? random.octets(16) : undefined;
    const decoded = decodeTelegram(sent, key);
    if (isFaulty(decoded)) {
      const reason = decodeTelegram(sent, key) as { fault: string };
      require(reason.fault === decoded.fault, "the same octets are refused for another reason");
    } else if (decoded.body?.kind === "variable") {
      const covered = decoded.body.items.reduce((sum, item) => sum + item.raw.length, 0);
      require(covered <= data.length, "the records are longer than the telegram");
    }
    const { json, lines } = decodeMbusOctets(sent, () => key);
    require((typeof json.error === "string") ===
      isFaulty(decoded), "the program sees a fault where there is none, or none");
    return sizeOf(json) + sizeOf(lines);
  },
};

const zones = ["UTC", "Europe/Berlin", "Australia/Lord_Howe"];

const record: Decoder = {
  name: "mbus-record",
  perOctet: 400,
  corpus: records,
  run(bytes, random) {
    const decoded = decodeRecords(bytes, random.below(4) === 0, random.below(4) === 0 ? "master" : "slave");
    if (typeof decoded === "string") return decoded.length;
    const readout = { at: 1_700_000_000_000, items: decoded.items, cut: false };
    const samples = samplesOf(readout, random.pick(zones));
    const fields = samples.flatMap(sample => sample.fields);
    require(samples.every(({ at }) => Number.isSafeInteger(at)), "a value stands at no time");
    require(fields.every(({ name }) => name.trim() !== ""), "a field has no name");
    const secret = decoded.items.some(item => item.kind === "record" && item.vib.secret);
    require(!secret || !fields.some(({ name }) => /^(Password|Security Key)/.test(name)), "a secret was told");
    return sizeOf(fields);
  },
};

const stream: Decoder = {
  name: "mbus-decode-stream",
  perOctet: 400,
  corpus: () => telegrams().map((bytes, n, all) => concat(bytes, all[(n * 7) % all.length] as Uint8Array)),
  run(bytes) {
    const { json, lines } = decodeMbusStream(Buffer.from(bytes).toString("hex"));
    return sizeOf(json) + sizeOf(lines) + sizeOf(decodeMbusBurst(bytes).map(one => one.json));
  },
};

export const mbusDecoders: readonly Decoder[] = [frame, framer, telegram, record, stream];
