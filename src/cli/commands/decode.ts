// `isthmus decode …`: octets of a bus to what they say; one input a line, from the words or from standard input. What cannot be
// read is said with its reason, and the next line is read all the same. Lines of a trace keep their time and direction.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseHex } from "#base/bytes.ts";
import { parseTraceLine } from "#drivers/trace.ts";
import { type CommandBody, CommandError, type Invocation, UsageError } from "../command.ts";
import {
  createMbusReadout,
  decodeMbus,
  decodeMbusBurst,
  decodeMbusRecords,
  decodeMbusStream,
  type KeyOf,
  parseKeys,
} from "./decode-mbus.ts";
import { createModbusTrace, decodeModbus } from "./decode-modbus.ts";
import { decodeConversion } from "./decode-modbus-values.ts";

interface Decoded {
  readonly json: Readonly<Record<string, unknown>>;
  readonly lines: readonly string[];
}

interface Decoder {
  /** All words are one input. */
  readonly together?: boolean;
  /** One line that is no line of a trace; undefined where it is told with the rest at the end. */
  text(line: string): Decoded | undefined;
  traced(direction: "tx" | "rx", bytes: Uint8Array): readonly Decoded[];
  end?(): Decoded;
}

/** Prints each input's meaning; exit code 1 when any was refused. */
async function decodeAll(call: Invocation, decoder: Decoder): Promise<number> {
  let refused = false;
  const tell = ({ json, lines }: Decoded, before = "") => {
    refused ||= "error" in json;
    call.out.value(json);
    for (const [n, line] of lines.entries()) call.out.line(n === 0 ? `${before}${line}` : line);
  };
  for await (const line of inputs(call, decoder.together === true)) {
    const traced = parseTraceLine(line);
    if (traced.kind === "blank" || traced.kind === "remark") continue;
    if (traced.kind === "frame") {
      const time = new Date(traced.at).toISOString();
      for (const { json, lines } of decoder.traced(traced.direction, traced.bytes)) {
        tell({ json: { time, traced: traced.direction, ...json }, lines }, `${time} ${traced.direction} `);
      }
    } else if (traced.kind === "fault" && traced.reason !== "length") {
      tell({ json: { error: traced.reason }, lines: [`no line of a trace: ${traceFaults[traced.reason]}`] });
    } else {
      const decoded = decoder.text(line);
      if (decoded !== undefined) tell(decoded);
    }
  }
  if (decoder.end !== undefined) tell(decoder.end());
  return refused ? 1 : 0;
}

const traceFaults = { time: "its time is none, or has no zone", hex: "its octets are not hexadecimal" } as const;

/** Shorter words than this are no telegram of their own, but parts of one with blanks between. */
const digitsMin = 8;

async function* inputs({ words, signal }: Invocation, together: boolean): AsyncGenerator<string> {
  if (words.length > 0) {
    const parts = words.every(word => /^[0-9a-f]+$/i.test(word));
    if (parts && (together || words.some(word => word.length < digitsMin))) yield words.join(" ");
    else yield* words;
    return;
  }
  if (process.stdin.isTTY) throw new CommandError("Give the octets as words, or one input a line on standard input.");
  yield* createInterface({ input: process.stdin, signal });
}

export const decodeMbusCommand: CommandBody = {
  usage: "[HEX...]",
  details: [
    "HEX is one telegram, blanks between octets or not. Without words, one telegram a line is read from standard input: a line of hexadecimal octets, or of a trace as `isthmus sniff` and the bus doctor write it (time, tx or rx, octets). Lines that begin with # are remarks.",
    "",
    'With --json each input gives one line: frame, header and records, or "error" with the reason word. What cannot be read ends nothing: the next line is read, and the exit code is 1.',
    "",
    "A file of keys has lines ID KEY, the eight digits of the meter and 32 hexadecimal digits, or only KEY for every meter. Keys are never printed.",
  ].join("\n"),
  options: {
    record: { type: "boolean", help: "HEX is one record (DIB, VIB, data) without a telegram around it." },
    msb: { type: "boolean", help: "With --record: most significant octet first, as under CI 76." },
    stream: { type: "boolean", help: "HEX is what a line brought, with noise; | stands between what came apart." },
    join: { type: "boolean", help: "The telegrams are parts of one readout: print their records as one." },
    "key-file": { type: "string", value: "FILE", help: "Keys of encrypted telegrams (mode 5)." },
    key: { type: "string", value: "HEX", help: "One key; others on this machine can see it while this runs." },
  },
  words: [0, 100_000],
  run(call) {
    const [first, second] = ["record", "stream", "join"].filter(name => call.flag(name));
    if (second !== undefined) throw new UsageError(`--${first} and --${second} do not go together`);
    if (call.flag("msb") && first !== "record")
      throw new UsageError("--msb goes with --record; a telegram says it itself");
    return decodeAll(call, mbusDecoder(call, keysOf(call)));
  },
};

function mbusDecoder(call: Invocation, keyOf: KeyOf): Decoder {
  const traced: Decoder["traced"] = (_, bytes) => decodeMbusBurst(bytes, keyOf);
  if (call.flag("record")) {
    const order = call.flag("msb") ? "msb" : "lsb";
    return { text: line => decodeMbusRecords(line, order), traced, together: true };
  }
  if (call.flag("stream")) return { text: line => decodeMbusStream(line, keyOf), traced };
  if (call.flag("join")) {
    const readout = createMbusReadout(keyOf);
    return {
      text: line => readout.addText(line),
      // What was asked is no part of what was answered.
      traced: (direction, bytes) => (direction === "tx" ? [] : [readout.add(bytes) ?? []].flat()),
      end: () => readout.end(),
    };
  }
  return { text: line => decodeMbus(line, keyOf), traced };
}

function keysOf(call: Invocation): KeyOf {
  const key = call.text("key");
  const file = call.text("key-file");
  if (key !== undefined && file !== undefined) throw new UsageError("--key and --key-file do not go together");
  if (key !== undefined) {
    const octets = parseHex(key);
    if (octets?.length !== 16) throw new UsageError("--key is 32 hexadecimal digits");
    return () => octets;
  }
  if (file === undefined) return () => undefined;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new CommandError(`The file of keys cannot be read: ${(error as Error).message}`);
  }
  const keys = parseKeys(text);
  if (typeof keys === "string") throw new CommandError(`${file}: ${keys}.`);
  return keys;
}

const kinds = ["tcp", "rtu", "ascii", "pdu"];

export const decodeModbusCommand: CommandBody = {
  usage: "[HEX...]",
  details: [
    "HEX is one frame, or a request and its answer with > between them. Without words, one a line is read from standard input: octets, a line of a trace (time, tx or rx, octets; an answer is read as that to the request before it), or a JSON object: {type, order, registers} gives the value of register words, {transport, request, hex} judges an answer.",
    "",
    "With --type HEX are register words, four digits each, and their value is printed.",
  ].join("\n"),
  options: {
    as: { type: "string", value: "KIND", help: "tcp, rtu, ascii or pdu; guessed unless said." },
    response: { type: "boolean", help: "It is an answer; else a request where both are possible." },
    type: {
      type: "string",
      value: "TYPE",
      help: "int16, uint32, float32, string, bits, enum …: the words are a value.",
    },
    order: { type: "string", value: "ORDER", help: "ABCD (unless said), CDAB, BADC or DCBA." },
    scale: { type: "string", value: "NUMBER", help: "value = raw x scale + offset." },
    offset: { type: "string", value: "NUMBER", help: "See --scale." },
    "no-value": { type: "string", value: "HEX", multiple: true, help: "Words that mean no value: ffff." },
    mask: { type: "string", value: "HEX", help: "Bits of a bitfield: 0ff0." },
    shift: { type: "string", value: "NUMBER", help: "Places a bitfield is shifted down." },
    names: { type: "string", value: "N=NAME,...", help: "Names of bits or of an enumeration's codes." },
  },
  words: [0, 100_000],
  run(call) {
    const kind = call.text("as");
    if (kind !== undefined && !kinds.includes(kind)) throw new UsageError("--as is tcp, rtu, ascii or pdu");
    const trace = createModbusTrace(kind);
    const traced: Decoder["traced"] = (direction, bytes) => [trace(direction, bytes)];
    const layout = layoutOf(call);
    if (layout === undefined) return decodeAll(call, { text: line => decodeModbus(line, call), traced });
    return decodeAll(call, {
      text: line => decodeConversion({ ...layout, registers: wordsOf(line) }),
      traced,
      together: true,
    });
  },
};

const valueOptions = ["order", "scale", "offset", "mask", "shift", "names"];

/** What --type and its companions say, in the keys of a conversion. */
function layoutOf(call: Invocation): Readonly<Record<string, unknown>> | undefined {
  const type = call.text("type");
  if (type === undefined) {
    const lost = valueOptions.find(name => call.text(name) !== undefined);
    if (lost !== undefined) throw new UsageError(`--${lost} goes with --type`);
    return undefined;
  }
  const [noValue, names] = [call.texts("no-value"), call.text("names")];
  return {
    type,
    ...(type === "string" ? {} : { order: call.text("order") ?? "ABCD" }),
    ...(type === "string" && call.text("order") === "BADC" ? { byteSwap: true } : {}),
    ...numberOf(call, "scale"),
    ...numberOf(call, "offset"),
    ...(noValue.length > 0 ? { noValue } : {}),
    ...(call.text("mask") === undefined ? {} : { mask: call.text("mask") }),
    ...numberOf(call, "shift"),
    ...(names === undefined ? {} : { [type === "bits" ? "bits" : "map"]: namesOf(names) }),
  };
}

function numberOf(call: Invocation, name: string): Readonly<Record<string, number>> {
  const text = call.text(name);
  if (text === undefined) return {};
  const number = Number(text);
  if (text.trim() === "" || !Number.isFinite(number)) throw new UsageError(`--${name} is a number`);
  return { [name]: number };
}

function namesOf(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(",").map(pair => /^\s*(\d+)=(.+)$/.exec(pair));
  if (!pairs.every(pair => pair !== null)) throw new UsageError("--names is N=NAME, with commas between several");
  return Object.fromEntries(pairs.map(pair => [pair[1] as string, pair[2] as string]));
}

/** Words of four digits, however they are set apart. */
const wordsOf = (line: string): readonly string[] =>
  line
    .replace(/0x/gi, "")
    .replace(/[^0-9a-zA-Z]/g, "")
    .match(/.{1,4}/g) ?? [];
