// `isthmus decode …`: octets of a bus to what they say; one input a line, from the words or from standard input.

import { createInterface } from "node:readline";
import { parseHex } from "#base/bytes.ts";
import { type CommandBody, CommandError, type Invocation, UsageError } from "../command.ts";
import { decodeMbus } from "./decode-mbus.ts";
import { decodeModbus } from "./decode-modbus.ts";

interface Decoded {
  readonly json: Readonly<Record<string, unknown>>;
  readonly lines: readonly string[];
}

/** Prints each input's meaning; exit code 1 when any was refused. */
async function decodeAll(call: Invocation, decode: (text: string) => Decoded): Promise<number> {
  let refused = false;
  for await (const text of inputs(call)) {
    const { json, lines } = decode(text);
    refused ||= "error" in json;
    call.out.value(json);
    for (const line of lines) call.out.line(line);
  }
  return refused ? 1 : 0;
}

async function* inputs({ words, signal }: Invocation): AsyncGenerator<string> {
  if (words.length > 0) {
    // One telegram may be written in one word or with blanks between its octets.
    yield words.every(word => /^[0-9a-fA-F]{2}$/.test(word)) ? words.join(" ") : (words[0] ?? "");
    yield* words.every(word => /^[0-9a-fA-F]{2}$/.test(word)) ? [] : words.slice(1);
    return;
  }
  if (process.stdin.isTTY) throw new CommandError("Give the octets as words, or one input a line on standard input.");
  for await (const line of createInterface({ input: process.stdin, signal })) if (line.trim() !== "") yield line;
}

export const decodeMbusCommand: CommandBody = {
  usage: "[HEX...]",
  details:
    "HEX is one telegram, blanks between octets or not. Without words, one telegram a line is read from standard input.",
  options: { key: { type: "string", value: "HEX", help: "Key of an encrypted telegram (mode 5), 32 hex digits." } },
  words: [0, 100_000],
  run(call) {
    const key = call.text("key");
    if (key !== undefined && parseHex(key)?.length !== 16) throw new UsageError("--key is 32 hexadecimal digits");
    return decodeAll(call, text => decodeMbus(text, key));
  },
};

export const decodeModbusCommand: CommandBody = {
  usage: "[HEX...]",
  details: "HEX is one frame. Without words, one frame a line is read from standard input.",
  options: {
    as: { type: "string", value: "KIND", help: "tcp, rtu, ascii or pdu; guessed unless said." },
    response: { type: "boolean", help: "It is an answer; else a request where both are possible." },
  },
  words: [0, 100_000],
  run(call) {
    const kind = call.text("as");
    if (kind !== undefined && !["tcp", "rtu", "ascii", "pdu"].includes(kind))
      throw new UsageError("--as is tcp, rtu, ascii or pdu");
    return decodeAll(call, text => decodeModbus(text, call));
  },
};
