// `isthmus decode modbus` against the vectors, as a person or a program outside would check them.

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { createModbusTrace, decodeModbus } from "#cli/commands/decode-modbus.ts";

// biome-ignore lint/suspicious/noExplicitAny: the vectors are of many shapes.
type Vector = any;
const frames: Vector = JSON.parse(readFileSync(new URL("../vectors/modbus/frames.json", import.meta.url), "utf8"));
const options = (as?: string, response = false) => ({ text: () => as, flag: () => response });

it("prints every transaction of the vectors in their shape, from each envelope", () => {
  for (const { request, response, unit, transaction } of frames.transactions) {
    for (const kind of ["tcp", "rtu", "ascii"]) {
      const { json } = decodeModbus(`${request[kind]} > ${response[kind]}`, options());
      const { tcp: _request, ...wantedRequest } = request;
      const { tcp: _response, ...wantedResponse } = response;
      expect(json).toMatchObject({ unit, request: wantedRequest, response: wantedResponse, transport: kind });
      if (kind === "tcp") expect(json).toMatchObject({ transaction, request, response });
    }
  }
});

it("prints every conversion of the vectors with its value", () => {
  for (const vector of frames.conversions) {
    const { value, ...input } = vector;
    expect(decodeModbus(JSON.stringify(input), options()).json, JSON.stringify(input)).toMatchObject(vector);
  }
});

it("refuses what the vectors reject, with their reason word", () => {
  for (const { transport, hex, text, request, error } of frames.reject) {
    const octets = text ?? hex;
    const { json } = decodeModbus(request ? `${request} > ${octets}` : octets, options(transport));
    expect(json.error, octets).toBe(error);
  }
});

it("says in words what a frame means, and does not stumble over nonsense", () => {
  expect(decodeModbus("07 03 00 00 00 02 C4 6D", options()).lines).toEqual([
    "RTU, unit 7 is asked: read holding registers (function 3), 2 from address 0",
  ]);
  expect(decodeModbus(":C183063\r\n", options()).json).toEqual({ error: "incomplete" });
  expect(decodeModbus("C183 06C10E", options()).lines).toEqual([
    "RTU, unit 193 answers: exception 6, server device busy",
  ]);
  for (const text of ["", "zz", "{", "{}", "> >", "00", ":", "000100000002"]) {
    expect(decodeModbus(text, options()).json, text).toHaveProperty("error");
  }
});

it("2.1: says in words why a frame is not taken, and shows a float as the unit meant it", () => {
  const line = (text: string) => decodeModbus(text, options()).lines[0];
  // It would do for a TCP frame of a function that nobody knows.
  expect(line("010300000002C40C")).toBe("not accepted: its check sum (CRC) is wrong");
  expect(line("010300000002C40B > 018302C0F1")).toBe(
    "RTU, unit 1 is asked: read holding registers (function 3), 2 from address 0",
  );
  expect(line("zz")).toBe("not accepted: it is not hexadecimal");
  expect(line('{"type":"float32","registers":["4366","3333"]}')).toBe("230.2");
  expect(line('{"type":"floot","registers":["0000"]}')).toContain("must be one of int16, uint16");
});

it("2.2: in a trace an answer is read as that to the request before it", () => {
  const trace = createModbusTrace(undefined);
  const octets = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
  expect(trace("tx", octets("070300000002C46D")).json).toMatchObject({
    unit: 7,
    request: { function: 3, quantity: 2 },
  });
  expect(trace("rx", octets("08030400010002B332")).json).toMatchObject({ error: "unit-mismatch" });
  expect(trace("tx", octets("070300000001846C")).lines[0]).toContain("1 from address 0");
  expect(trace("rx", octets("0703020009F042")).json).toMatchObject({ unit: 7, response: { registers: [9] } });
  // Nobody was asked: read for itself.
  expect(trace("rx", octets("C18306C10E")).json).toMatchObject({ response: { exception: 6 } });
  const ascii = (text: string) => new TextEncoder().encode(text);
  expect(trace("tx", ascii(":070300000001F5\r\n")).json).toMatchObject({
    transport: "ascii",
    request: { quantity: 1 },
  });
  expect(trace("rx", ascii(":0703020009EB\r\n")).json).toMatchObject({ response: { registers: [9] } });
});

it("0.3: an answer that says nothing was written is no answer to any request", () => {
  for (const pdu of ["1066640000", "0F00010000", "10666400FF", "0F0001FFFF"]) {
    expect(decodeModbus(pdu, options("pdu", true)).json, pdu).toMatchObject({ error: "write-echo-mismatch" });
  }
});

it("0.3: an object that is none of those known is refused with what is wrong", () => {
  const error = (given: unknown) => decodeModbus(JSON.stringify(given), options()).json.error;
  expect(error({ transport: "rtux", hex: "0803" })).toBe("transport");
  expect(error({ transport: 5, hex: "0803" })).toBe("transport");
  expect(error({ transport: "rtu" })).toBe("json");
  expect(error({ request: "zz", chunks: ["00"] })).toBe("hex");
  expect(error({ request: "070300000002C46D", chunks: [null] })).toBe("hex");
  expect(error({ request: "070300000002C46D", chunks: [] })).toBe("incomplete");
  expect(error({ type: "int16", registers: [] })).toBe("registers");
  expect(error({ type: "int16", registers: ["12"] })).toBe("registers");
  expect(error({ type: "int16", order: "AB", registers: ["1234"] })).toBe("order");
  expect(decodeModbus('{"transport":"rtux","hex":"08"}', options()).lines).toEqual([
    'not accepted: "transport" is tcp, rtu, ascii or pdu',
  ]);
});
