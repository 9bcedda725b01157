// The decoders of Modbus under fire: the framings in pieces, PDUs of both directions, register words as every type there is, and
// what `isthmus decode modbus` makes of any line.

import { readFileSync } from "node:fs";
import { parseHex } from "#base/bytes.ts";
import { decodeModbus } from "#cli/commands/decode-modbus.ts";
import { ascii, decodeAscii, encodeAscii } from "#drivers/modbus/ascii.ts";
import { decodeAnswer, encodeRequest, isMismatch, type Request } from "#drivers/modbus/pdu.ts";
import { decodeRegisters, type Layout, registerTypes, wordOrders } from "#drivers/modbus/registers.ts";
import { decodeRequest, requestBehind } from "#drivers/modbus/requests.ts";
import { decodeRtu, encodeRtu, rtu } from "#drivers/modbus/rtu.ts";
import { createTcpReader, decodeTcp } from "#drivers/modbus/tcp.ts";
import { type Decoder, require, sizeOf } from "./decoder.ts";
import { pieces, type Random } from "./octets.ts";

interface Transaction {
  readonly request: { readonly pdu: string; readonly rtu: string; readonly tcp: string; readonly ascii: string };
  readonly response: { readonly pdu: string; readonly rtu: string; readonly tcp: string; readonly ascii: string };
}
const frames = JSON.parse(readFileSync(new URL("../vectors/modbus/frames.json", import.meta.url), "utf8")) as {
  readonly transactions: readonly Transaction[];
  readonly conversions: readonly { readonly registers: readonly string[] }[];
};
const octets = (hex: string) => parseHex(hex) as Uint8Array;
const characters = (text: string) => new TextEncoder().encode(text);
const sides = (kind: "pdu" | "rtu" | "tcp") =>
  frames.transactions.flatMap(({ request, response }) => [octets(request[kind]), octets(response[kind])]);
const asciiSides = () =>
  frames.transactions.flatMap(({ request, response }) => [characters(request.ascii), characters(response.ascii)]);

const requests = frames.transactions.flatMap(({ request }) => decodeRequest(octets(request.pdu)) ?? []);

/** An answer that was taken is one: to this unit, and what it holds stands in the octets. */
function readInPieces(framing: typeof rtu, bytes: Uint8Array, random: Random): number {
  const request = random.pick(requests);
  const reader = framing.createReader(bytes[0] ?? 1, request, random.below(3) === 0);
  let yielded = 0;
  for (const piece of pieces(bytes, random)) {
    const answer = reader.feed(piece);
    if (answer === undefined) continue;
    if (answer.kind === "registers" && "quantity" in request) {
      require(answer.registers.length === request.quantity, "more or fewer registers than were asked for");
    }
    yielded += sizeOf(answer);
    break;
  }
  require(reader.foreign <= bytes.length, "more frames of others than octets");
  return yielded;
}

const rtuDecoder: Decoder = {
  name: "modbus-rtu",
  perOctet: 20,
  corpus: () => sides("rtu"),
  run(bytes, random) {
    const decoded = decodeRtu(bytes);
    if (typeof decoded !== "string") {
      require(Buffer.from(encodeRtu(decoded.unit, decoded.pdu)).equals(
        bytes,
      ), "an accepted frame is another when written");
    }
    return sizeOf(decoded) + readInPieces(rtu, bytes, random);
  },
};

const asciiDecoder: Decoder = {
  name: "modbus-ascii",
  perOctet: 20,
  corpus: asciiSides,
  run(bytes, random) {
    const text = Buffer.from(bytes).toString("latin1");
    const decoded = decodeAscii(text);
    if (typeof decoded !== "string") {
      const again = encodeAscii(decoded.unit, decoded.pdu).trim();
      require(text.toUpperCase().includes(again), "an accepted frame is another when written");
    }
    return sizeOf(decoded) + readInPieces(ascii, bytes, random);
  },
};

const tcpDecoder: Decoder = {
  name: "modbus-tcp",
  perOctet: 3,
  corpus: () => sides("tcp"),
  run(bytes, random) {
    const reader = createTcpReader();
    let frameOctets = 0;
    let yielded = sizeOf(decodeTcp(bytes));
    for (const piece of pieces(bytes, random)) {
      const { frames: some, problem } = reader.feed(piece);
      for (const frame of some) frameOctets += 7 + frame.pdu.length;
      yielded += sizeOf(some);
      if (problem !== undefined) break;
    }
    require(frameOctets <= bytes.length, "more octets came out than went in");
    return yielded;
  },
};

const pduDecoder: Decoder = {
  name: "modbus-pdu",
  perOctet: 30,
  corpus: () => sides("pdu"),
  run(bytes, random) {
    const asked = decodeRequest(bytes);
    if (asked !== undefined) {
      require(Buffer.from(encodeRequest(asked)).equals(bytes), "an accepted request is another when written");
    }
    const answers = [...requests.slice(random.below(requests.length)).slice(0, 3), requestBehind(bytes)]
      .filter((request): request is Request => request !== undefined)
      .map(request => decodeAnswer(request, bytes));
    return sizeOf(asked ?? null) + sizeOf(answers.filter(answer => !isMismatch(answer)));
  },
};

const registersDecoder: Decoder = {
  name: "modbus-registers",
  perOctet: 60,
  corpus: () => frames.conversions.map(({ registers }) => octets(registers.join(""))),
  run(bytes, random) {
    const words = Array.from(
      { length: bytes.length >> 1 },
      (_, n) => ((bytes[2 * n] ?? 0) << 8) | (bytes[2 * n + 1] ?? 0),
    );
    let yielded = 0;
    for (const type of registerTypes) {
      const layout: Layout = {
        type,
        order: random.pick(wordOrders),
        words: random.below(130),
        ...(random.below(2) === 0 && { scale: random.pick([0.1, 0.001, 10, -1, 1 / 3, 1e-7]) }),
        ...(random.below(3) === 0 && { offset: random.pick([-40, 0.5, 1e6]) }),
        ...(random.below(3) === 0 && { noValue: ["ffff", "zz", ""] }),
        ...(random.below(3) === 0 && { mask: random.below(0x10000), shift: random.below(16) }),
      };
      yielded += sizeOf(decodeRegisters(layout, words));
    }
    return yielded;
  },
};

/** Any line at all, as somebody pipes a log file into it. */
const lineDecoder: Decoder = {
  name: "modbus-decode-line",
  perOctet: 60,
  corpus: () => [
    ...asciiSides(),
    ...frames.transactions.map(({ request, response }) => characters(`${request.rtu} > ${response.rtu}`)),
    ...frames.conversions.map(conversion => characters(JSON.stringify(conversion))),
    characters('{"transport":"rtu","request":"070300000002C46D","hex":"08030400010002B332"}'),
    characters('{"request":"C1030064000414D6","chunks":["C1","83","06","C10E"]}'),
    characters('{"type":"uint64","wordOrder":"word-swapped","divisor":100,"registers":["0000","0000","006c","3a06"]}'),
  ],
  run(bytes, random) {
    const as = random.pick([undefined, undefined, "rtu", "tcp", "ascii", "pdu"]);
    const text = Buffer.from(bytes).toString(random.below(2) === 0 ? "utf8" : "latin1");
    const { json, lines } = decodeModbus(text, { text: () => as, flag: () => random.below(2) === 0 });
    return JSON.stringify(json).length + sizeOf(lines);
  },
};

export const modbusDecoders: readonly Decoder[] = [
  rtuDecoder,
  asciiDecoder,
  tcpDecoder,
  pduDecoder,
  registersDecoder,
  lineDecoder,
];
