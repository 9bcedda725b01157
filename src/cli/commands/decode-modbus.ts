// `isthmus decode modbus`: a Modbus frame, a request with its answer, or a conversion of registers, in the shapes of the test
// vectors (modbus-frames/1) and as lines for people. A pure function; the command line around it is in decode.ts.

import { parseHex } from "#base/bytes.ts";
import { decodeAscii, encodeAscii } from "#drivers/modbus/ascii.ts";
import { faultWords } from "#drivers/modbus/fault-words.ts";
import {
  type Answer,
  decodeAnswer,
  encodeRequest,
  exceptionNames,
  isMismatch,
  type Request,
} from "#drivers/modbus/pdu.ts";
import { decodeRequest, requestBehind } from "#drivers/modbus/requests.ts";
import { decodeRtu, encodeRtu, rtu } from "#drivers/modbus/rtu.ts";
import { decodeTcp, encodeTcp } from "#drivers/modbus/tcp.ts";
import { type DecodedModbus, decodeConversion } from "./decode-modbus-values.ts";

/** `as`: tcp, rtu, ascii or pdu, guessed unless given; `response`: the frame is an answer. */
export interface DecodeOptions {
  text(name: "as"): string | undefined;
  flag(name: "response"): boolean;
}

/**
 * `text`: one frame; request and answer with `>` between them; or a JSON object, which comes back with what it means: a
 * conversion ({type, order, registers}), or an answer with its request ({transport, request, hex}, {request, chunks}).
 */
export function decodeModbus(text: string, options: DecodeOptions): DecodedModbus {
  const trimmed = text.trim();
  if (trimmed.startsWith("{")) return decodeObject(trimmed);
  const [first = "", second] = trimmed.split(">");
  const kind = options.text("as");
  return second === undefined
    ? decodeFrames(first, undefined, kind, options.flag("response"))
    : decodeFrames(first, second, kind, false);
}

function decodeFrames(first: string, second: string | undefined, kind: string | undefined, isResponse: boolean) {
  const frame = decodeFrame(first.trim(), kind);
  if (typeof frame === "string") return refused(frame);
  if (second === undefined) return decodeSingle(frame, isResponse);
  const answer = decodeFrame(second.trim(), kind);
  return typeof answer === "string" ? refused(answer) : decodePair(frame, answer);
}

function decodeObject(text: string): DecodedModbus {
  let given: Record<string, unknown>;
  try {
    given = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return refused("json");
  }
  if (given.registers !== undefined || given.type !== undefined) return decodeConversion(given);
  const request = typeof given.request === "string" ? given.request : undefined;
  if (request !== undefined && Array.isArray(given.chunks)) return decodeStream(given, request, given.chunks);
  const octets = given.text ?? given.hex;
  if (typeof octets !== "string") return refused("json");
  const kind = given.transport;
  if (!isKind(kind)) return refused("transport");
  const { json, lines } =
    request === undefined ? decodeFrames(octets, undefined, kind, false) : decodeFrames(request, octets, kind, false);
  return { json: { ...given, ...json }, lines };
}

const isKind = (kind: unknown): kind is Frame["transport"] | undefined =>
  kind === undefined || kind === "tcp" || kind === "rtu" || kind === "ascii" || kind === "pdu";

/** An answer in pieces, as a serial line brings it: echoes, glitches and the answers of other units are passed over. */
function decodeStream(given: Record<string, unknown>, sent: string, chunks: readonly unknown[]): DecodedModbus {
  const frame = decodeFrame(sent, "rtu");
  if (typeof frame === "string") return refused(frame);
  const request = decodeRequest(frame.pdu);
  if (request === undefined || frame.unit === undefined) return refused("function", frame);
  const reader = rtu.createReader(frame.unit, request, false);
  for (const chunk of chunks) {
    const octets = parseHex(String(chunk));
    if (octets === undefined) return refused("hex");
    const answer = reader.feed(octets);
    if (answer === undefined) continue;
    return {
      json: { ...given, expect: answerJson(request, answer) },
      lines: [`${who(frame)} answers: ${describeAnswer(answer)}`],
    };
  }
  return refused(reader.problem ?? "incomplete", frame);
}

/**
 * Both directions of a line, frame by frame: an answer is read as that to the request before it. `as` undefined: whichever of
 * RTU and TCP fits.
 */
export function createModbusTrace(kind: string | undefined) {
  let asked: string | undefined;
  return (direction: "tx" | "rx", bytes: Uint8Array): DecodedModbus => {
    // ASCII travels as characters.
    const ascii = bytes[0] === 0x3a && kind !== "rtu" && kind !== "tcp";
    const text = ascii ? String.fromCharCode(...bytes) : hex(bytes);
    const use = ascii ? "ascii" : kind;
    if (direction === "tx") {
      asked = text;
      return decodeFrames(text, undefined, use, false);
    }
    const before = asked;
    asked = undefined;
    const alone = decodeFrames(text, undefined, use, true);
    if (before === undefined) return alone;
    const { json, lines } = decodeFrames(before, text, use, false);
    if ("error" in json) return { json, lines };
    const { request: _, ...answered } = json;
    return { json: answered, lines: lines.slice(1) };
  };
}

interface Frame {
  readonly transport: "tcp" | "rtu" | "ascii" | "pdu";
  readonly unit?: number;
  readonly transaction?: number;
  readonly pdu: Uint8Array;
}

function decodeFrame(text: string, kind: string | undefined): Frame | string {
  if (kind === "ascii" || (kind === undefined && text.startsWith(":"))) {
    const frame = decodeAscii(`${text.replace(/(\\r|\\n)+$/, "")}\r\n`);
    return typeof frame === "string" ? frame : { transport: "ascii", ...frame };
  }
  const bytes = parseHex(text);
  if (bytes === undefined || bytes.length === 0) return "hex";
  if (kind === "pdu") return { transport: "pdu", pdu: bytes };
  const rtu = decodeRtu(bytes);
  if (kind === "rtu" || (kind === undefined && typeof rtu !== "string")) {
    return typeof rtu === "string" ? rtu : { transport: "rtu", ...rtu };
  }
  const tcp = decodeTcp(bytes);
  if (typeof tcp !== "string") {
    // Of a function that nobody knows: rather a damaged RTU frame that looks like one.
    if (kind === undefined && rtu === "crc" && !(((tcp.pdu[0] ?? 0) & 0x7f) in asked)) return rtu;
    return bytes.length === 7 + tcp.pdu.length ? { transport: "tcp", ...tcp } : "length";
  }
  // Neither fits: zeros where TCP has its protocol tell which of the two it was meant to be.
  const meantTcp = kind === "tcp" || (bytes[2] === 0 && bytes[3] === 0 && bytes.length >= 6);
  return meantTcp ? tcp : (rtu as string);
}

function decodeSingle(frame: Frame, isResponse: boolean): DecodedModbus {
  const request = isResponse ? undefined : decodeRequest(frame.pdu);
  if (request) {
    return {
      json: { ...head(frame), request: { ...requestJson(request), ...encodings(frame) } },
      lines: [`${who(frame)} is asked: ${describeRequest(request)}`],
    };
  }
  const behind = requestBehind(frame.pdu);
  if (behind === undefined) return refused("function", frame);
  // An exception names its function; what was asked it does not say.
  const asked = (frame.pdu[0] ?? 0) & 0x80 ? ({ ...behind, function: (frame.pdu[0] ?? 0) & 0x7f } as Request) : behind;
  const answer = decodeAnswer(asked, frame.pdu);
  if (isMismatch(answer)) return refused(answer, frame);
  return {
    json: { ...head(frame), response: { ...answerJson(asked, answer), ...encodings(frame) } },
    lines: [`${who(frame)} answers: ${describeAnswer(answer)}`],
  };
}

function decodePair(frame: Frame, reply: Frame): DecodedModbus {
  const request = decodeRequest(frame.pdu);
  if (request === undefined) return refused("function", frame);
  if (frame.unit !== reply.unit) return refused("unit-mismatch", reply);
  if (frame.transaction !== reply.transaction) return refused("stale-transaction", reply);
  const answer = decodeAnswer(request, reply.pdu);
  if (isMismatch(answer)) return refused(answer, reply);
  return {
    json: {
      ...head(frame),
      request: { ...requestJson(request), ...encodings(frame) },
      response: { ...answerJson(request, answer), ...encodings(reply) },
    },
    lines: [`${who(frame)} is asked: ${describeRequest(request)}`, `${who(frame)} answers: ${describeAnswer(answer)}`],
  };
}

const head = ({ transport, unit, transaction }: Frame) => ({
  transport,
  ...(unit !== undefined && { unit }),
  ...(transaction !== undefined && { transaction }),
});

const who = ({ unit, transport }: Frame) =>
  `${transport.toUpperCase()}, ${unit === undefined ? "the unit" : `unit ${unit}`}`;

/** The vectors say of a late answer what is to be done with it too. */
const errorWords: Readonly<Record<string, string>> = {
  "stale-transaction": "stale-transaction: discard and keep waiting",
};

const refused = (error: string, frame?: Frame): DecodedModbus => ({
  json: { ...(frame && head(frame)), error: errorWords[error] ?? error },
  lines: [`not accepted: ${error === "transport" ? '"transport" is tcp, rtu, ascii or pdu' : faultWords(error)}`],
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex").toUpperCase();

/** The same PDU in every envelope that can be known. */
const encodings = ({ unit, transaction, pdu }: Frame) => ({
  pdu: hex(pdu),
  ...(unit !== undefined && { rtu: hex(encodeRtu(unit, pdu)), ascii: encodeAscii(unit, pdu) }),
  ...(unit !== undefined && transaction !== undefined && { tcp: hex(encodeTcp({ transaction, unit, pdu })) }),
});

const bitText = (bits: readonly boolean[]) => bits.map(bit => (bit ? "1" : "0")).join("");

function requestJson(request: Request): Record<string, unknown> {
  if (request.function === 15) return { ...request, bits: bitText(request.bits) };
  return request.function === 43 ? { ...request, mei: 14 } : { ...request };
}

function answerJson(request: Request, answer: Answer): Record<string, unknown> {
  switch (answer.kind) {
    case "bits":
      return { bits: bitText(answer.bits) };
    case "registers":
      return { registers: answer.registers };
    case "records":
      return { parts: answer.parts };
    case "data":
      return { data: hex(answer.data) };
    case "exception":
      return { exception: answer.code, name: exceptionNames[answer.code] ?? null };
    case "identification": {
      const objects = Object.fromEntries(
        [...answer.objects].map(([id, text]) => [id, Buffer.from(text).toString("latin1")]),
      );
      const more = answer.next === undefined ? {} : { next: answer.next };
      return { conformity: answer.conformity, moreFollows: answer.next !== undefined, ...more, objects };
    }
    case "echo":
      if (request.function === 15) return { address: request.address, quantity: request.bits.length };
      if (request.function === 16) return { address: request.address, quantity: request.values.length };
      return { echo: true };
  }
}

const asked: Readonly<Record<number, string>> = {
  1: "read coils",
  2: "read discrete inputs",
  3: "read holding registers",
  4: "read input registers",
  5: "write coil",
  6: "write holding register",
  8: "diagnostics",
  15: "write coils",
  16: "write holding registers",
  17: "report server id",
  20: "read file records",
  21: "write file records",
  22: "mask write holding register",
  23: "read and write holding registers",
  24: "read FIFO queue",
  43: "read device identification",
};

function describeRequest(request: Request): string {
  const what = `${asked[request.function]} (function ${request.function})`;
  if ("quantity" in request) return `${what}, ${request.quantity} from address ${request.address}`;
  if (request.function === 15) return `${what}, from address ${request.address}: ${bitText(request.bits)}`;
  if (request.function === 16) return `${what}, from address ${request.address}: ${request.values.join(" ")}`;
  if ("value" in request) return `${what} ${request.address}: ${request.value}`;
  return `${what} ${hex(encodeRequest(request).subarray(1))}`.trim();
}

function describeAnswer(answer: Answer): string {
  switch (answer.kind) {
    case "bits":
      return `bits ${bitText(answer.bits)}`;
    case "registers":
      return `registers ${answer.registers.map(word => word.toString(16).padStart(4, "0")).join(" ")} (${answer.registers.join(" ")})`;
    case "records":
      return `records ${answer.parts.map(words => words.map(word => word.toString(16).padStart(4, "0")).join(" ")).join(" | ")}`;
    case "data":
      return `data ${hex(answer.data)}`;
    case "exception":
      return `exception ${answer.code}, ${exceptionNames[answer.code] ?? "not in the standard"}`;
    case "identification":
      return [...answer.objects].map(([id, text]) => `${id} "${Buffer.from(text).toString("latin1")}"`).join(", ");
    case "echo":
      return "done as asked";
  }
}
