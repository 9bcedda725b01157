// `isthmus decode mbus`: octets to what they say, in the shapes of the test vectors and as lines for people. Pure functions; the
// command line around them is in decode.ts.

import { formatHex, parseHex } from "#base/bytes.ts";
import { faultWords } from "#drivers/mbus/fault-words.ts";
import { directionOf } from "#drivers/mbus/frame.ts";
import { createFramer } from "#drivers/mbus/framer.ts";
import type { LongHeader, ShortHeader } from "#drivers/mbus/header.ts";
import { decodeRecords, type Item } from "#drivers/mbus/record.ts";
import { decodeTelegram, type Faulty, isFaulty, type Telegram } from "#drivers/mbus/telegram.ts";
import { hex } from "#drivers/mbus/vif.ts";
import { bodyJson, frameJson, headerJson, type Json, recordJson, recordsJson } from "./decode-mbus-json.ts";
import { headerLine, itemLine, linesOf } from "./decode-mbus-lines.ts";

export type { Json } from "./decode-mbus-json.ts";

export interface Decoded {
  /** Of the vectors' shape; with `error`, a reason word, when it cannot be read. */
  readonly json: Json;
  readonly lines: readonly string[];
}

/** The key of a meter by the eight digits of its ID; 16 octets. */
export type KeyOf = (id: string) => Uint8Array | undefined;

const schema = "mbus-vec/1";
const noKeys: KeyOf = () => undefined;

/** One telegram and nothing else. Text that is no hex gives the error "hex". */
export function decodeMbus(text: string, keyOf: KeyOf = noKeys): Decoded {
  const bytes = parseHex(text);
  return bytes === undefined ? notHex : decodeMbusOctets(bytes, keyOf);
}

const notHex: Decoded = {
  json: { schema, error: "hex", expectError: "hex" },
  lines: ["no telegram: it is not hexadecimal"],
};

export function decodeMbusOctets(bytes: Uint8Array, keyOf: KeyOf = noKeys): Decoded {
  const telegram = opened(bytes, keyOf);
  if (isFaulty(telegram)) {
    return {
      json: { schema, length: bytes.length, hex: hex(bytes), ...errorJson(telegram.fault) },
      lines: [`no telegram: ${faultWords(telegram.fault)}`, `  ${formatHex(bytes)}`],
    };
  }
  const { frame, body } = telegram;
  const json = { schema, length: bytes.length, frame: frameJson(frame), ...(body ? bodyJson(body) : {}) };
  return { json, lines: linesOf(frame, body) };
}

/** Under both names: that of an error, and that by which a vector says which one it expects. */
const errorJson = (fault: string): Json => ({ error: fault, expectError: fault });

/** Whose key is to be used stands in the header, which is never encrypted. */
function opened(bytes: Uint8Array, keyOf: KeyOf): Telegram | Faulty {
  const closed = decodeTelegram(bytes);
  if (isFaulty(closed) || closed.body?.kind !== "variable" || closed.body.withheld === undefined) return closed;
  const { header } = closed.body;
  const key = header && "id" in header ? keyOf(header.id) : undefined;
  return key === undefined ? closed : decodeTelegram(bytes, key);
}

/** DIB, VIB and data without a telegram around them. One record gives that record, several give a list. */
export function decodeMbusRecords(text: string, byteOrder: "lsb" | "msb"): Decoded {
  const bytes = parseHex(text);
  if (bytes === undefined) return notHex;
  const records = decodeRecords(bytes, byteOrder === "msb");
  if (typeof records === "string") {
    return { json: { hex: hex(bytes), ...errorJson(records) }, lines: [`no record: ${faultWords(records)}`] };
  }
  const { items } = records;
  const only = items.length === 1 ? items[0] : undefined;
  return {
    json: only === undefined ? { records: recordsJson(items) } : recordJson(only, items),
    lines: items.length === 0 ? ["no record"] : items.map(item => itemLine(item, items)),
  };
}

/** What a line brought, with noise and damage around the telegrams; `|` stands between what came apart. */
export function decodeMbusStream(text: string, keyOf: KeyOf = noKeys): Decoded {
  const framer = createFramer();
  const chunks = text.split("|").map(parseHex);
  if (!chunks.every(chunk => chunk !== undefined)) return notHex;
  const found: Json[] = [];
  const lines: string[] = [];
  for (const arrival of [...chunks.flatMap(chunk => framer.push(chunk)), ...framer.flush()]) {
    if (arrival.kind === "noise") {
      found.push({ noise: arrival.octets });
      lines.push(`noise: ${arrival.octets} octets that begin no telegram`);
    } else if (arrival.kind === "bad") {
      found.push({ badFrame: arrival.reason });
      lines.push(`a damaged telegram: ${faultWords(arrival.reason)}`);
    } else {
      const { frame, bytes } = arrival;
      const name = frame.type !== "ack" && directionOf(frame.c) === "master" ? "echo" : "frame";
      found.push(frame.type === "ack" ? { ack: true } : { [name]: hex(bytes) });
      lines.push(...decodeMbusOctets(bytes, keyOf).lines);
    }
  }
  return { json: { found }, lines };
}

/** One line of a trace: usually one telegram, but what a line brings may be several, or parts with noise. */
export function decodeMbusBurst(bytes: Uint8Array, keyOf: KeyOf = noKeys): Decoded[] {
  const framer = createFramer();
  const arrivals = [...framer.push(bytes), ...framer.flush()];
  const whole = arrivals.every(arrival => arrival.kind === "frame");
  if (!whole || arrivals.length === 0) return [decodeMbusOctets(bytes, keyOf)];
  return arrivals.map(arrival => decodeMbusOctets(arrival.bytes, keyOf));
}

export interface MbusReadout {
  /** Something only where it could not be read. */
  addText(text: string): Decoded | undefined;
  add(bytes: Uint8Array): Decoded | undefined;
  end(): Decoded;
}

/** The telegrams of one readout as one: what was read of each, under the header of the first. */
export function createMbusReadout(keyOf: KeyOf = noKeys): MbusReadout {
  const items: Item[] = [];
  let header: LongHeader | ShortHeader | undefined;
  let more = false;
  const add = (bytes: Uint8Array): Decoded | undefined => {
    const telegram = opened(bytes, keyOf);
    if (!isFaulty(telegram) && telegram.frame.type === "ack") return undefined;
    if (isFaulty(telegram) || telegram.body?.kind !== "variable" || telegram.body.withheld !== undefined) {
      return decodeMbusOctets(bytes, keyOf);
    }
    items.push(...telegram.body.items);
    header ??= telegram.body.header ?? undefined;
    more = telegram.body.moreRecordsFollow;
    return undefined;
  };
  return {
    add,
    addText(text) {
      const bytes = parseHex(text);
      return bytes === undefined ? notHex : add(bytes);
    },
    end: () => ({
      json: {
        schema,
        ...(header && { header: headerJson(header) }),
        moreRecordsFollow: more,
        records: recordsJson(items),
      },
      lines: [...(header ? [headerLine(header)] : []), ...items.map(item => `  ${itemLine(item, items)}`)],
    }),
  };
}

/** Lines "KEY", for every meter, or "ID KEY"; # begins a remark. A string names the line that is neither, and not what is in it. */
export function parseKeys(text: string): KeyOf | string {
  const keys = new Map<string, Uint8Array>();
  for (const [n, line] of text.split(/\r?\n/).entries()) {
    const words = line
      .replace(/#.*/, "")
      .trim()
      .split(/[\s:=,;]+/)
      .filter(word => word !== "");
    if (words.length === 0) continue;
    const key = parseHex(words.at(-1) ?? "");
    const id = words.length === 2 ? (words[0] as string).toUpperCase() : "";
    if (words.length > 2 || key?.length !== 16 || (words.length === 2 && !/^[0-9A-F]{8}$/.test(id))) {
      return `line ${n + 1} is neither a key of 32 hexadecimal digits nor an eight-digit ID and a key`;
    }
    keys.set(id, key);
  }
  return id => keys.get(id) ?? keys.get("");
}
