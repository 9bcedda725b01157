// The other decoders that take octets of strangers: SunSpec register images, XML of the stream, MQTT payloads, lines of traces.

import { readFileSync } from "node:fs";
import { definitionOf } from "#drivers/modbus/sunspec-definition.ts";
import { layoutOf } from "#drivers/modbus/sunspec-layout.ts";
import { pointValueOf } from "#drivers/modbus/sunspec-value.ts";
import { identityIn } from "#drivers/modbus/sunspec-walk.ts";
import { absent, fieldValue, parsePayload, pointTo, timeOf } from "#drivers/mqtt/payload.ts";
import { formatTraceFrame, parseTraceLine } from "#drivers/trace.ts";
import { createParser, type XmlLimits } from "#xml/parser.ts";
import { XmlError } from "#xml/tags.ts";
import { type Decoder, require, sizeOf } from "./decoder.ts";
import { pieces } from "./octets.ts";

const characters = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");

const images = (): Uint8Array[] => {
  const url = new URL("../vectors/modbus/sunspec.json", import.meta.url);
  const { devices } = JSON.parse(readFileSync(url, "utf8")) as { devices: { registers: string }[] };
  return devices.map(({ registers }) => Uint8Array.from(Buffer.from(registers, "hex")));
};
const models = [1, 101, 103, 111, 112, 113, 120, 122, 123, 124, 160, 201, 203, 213, 701, 704, 802, 803];

const sunspec: Decoder = {
  name: "sunspec",
  perOctet: 400,
  corpus: images,
  run(bytes, random) {
    const words = Array.from(
      { length: bytes.length >> 1 },
      (_, n) => ((bytes[2 * n] ?? 0) << 8) | (bytes[2 * n + 1] ?? 0),
    );
    let yielded = sizeOf(identityIn(words));
    const definition = definitionOf(random.pick(models));
    if (definition === undefined) return yielded;
    const from = random.below(words.length + 1);
    const registerAt = (offset: number) => words[from + offset];
    const length = random.below(2) === 0 ? (words[from + 1] ?? 0) : words.length - from;
    const placed = layoutOf(definition, length, registerAt);
    for (const point of placed) {
      require(point.offset + point.point.size <= length + 2, "a point stands beyond its model");
      if (point.offset < words.length) yielded += sizeOf(pointValueOf(point, registerAt));
    }
    return yielded;
  },
};

const limits: XmlLimits = { charsMax: 2_000, depthMax: 8, elementsMax: 60, attributesMax: 8 };

const xml: Decoder = {
  name: "xml",
  perOctet: 4,
  corpus: () =>
    [
      "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='a'><iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq></stream:stream>",
      "<?xml version='1.0'?><a xmlns='u' b=\"1\" c='&lt;&#x41;&amp;'>t&gt;<![CDATA[<x>]]><p:d xmlns:p='v' p:e='f'/></a>",
      "<message from='a@b/c' to='d@e'><body>ä€😀</body><x xmlns='jabber:x:data' type='form'><field var='a'><value>1</value></field></x></message>",
      `<a>${"<b>".repeat(9)}${"</b>".repeat(9)}</a>`,
    ].map(characters),
  run(bytes, random) {
    let yielded = 0;
    const handler = {
      opened: (root: unknown) => (yielded += sizeOf(root)),
      element: (node: unknown) => (yielded += sizeOf(node)),
      ...(random.below(2) === 0 && { tooLarge: (node: unknown) => (yielded += sizeOf(node)) }),
    };
    const parser = createParser(handler, limits, random.below(2) === 0 ? 0 : 1);
    try {
      for (const piece of pieces(bytes, random)) parser.write(Buffer.from(piece).toString("latin1"));
    } catch (error) {
      if (!(error instanceof XmlError)) throw error;
    }
    return yielded;
  },
};

const mqtt: Decoder = {
  name: "mqtt-payload",
  perOctet: 40,
  corpus: () =>
    [
      '{"Time":"2026-11-20T12:00:00","ENERGY":{"Total":12.30,"Power":[1,2,3],"Factor":null},"TempUnit":"C"}',
      '{"a/b":{"~c":[{"d":9007199254740993}]},"on":true,"1e400":1e400,"n":-0}',
      "21.50",
      "ON",
      " 1e3 ",
      "nan",
      '"text"',
    ].map(characters),
  run(bytes, random) {
    const parsed = parsePayload(bytes);
    let yielded = 0;
    for (const pointer of [
      "",
      "/ENERGY/Total",
      "/a~1b/~0c/0/d",
      "/ENERGY/Power/1",
      "/n",
      "/1e400",
      "/constructor",
      "/on",
    ]) {
      const raw = pointTo(parsed, pointer);
      if (raw === absent) continue;
      for (const kind of ["number", "boolean", "text"] as const) {
        const decimals = random.below(2) === 0 ? { decimals: random.below(9) } : {};
        const map = {
          kind,
          unit: "W",
          factor: random.pick([1, 0.001, 1000, -1]),
          onText: "",
          offText: "",
          ...decimals,
        };
        yielded += sizeOf(fieldValue(raw, map));
      }
      const time = timeOf(raw);
      require(time === undefined || Number.isFinite(time), "a time that is none");
    }
    return yielded;
  },
};

const trace: Decoder = {
  name: "trace",
  perOctet: 4,
  corpus: () =>
    ["2026-11-20T12:00:00.123Z tx 10 5B 05 60 16", "2026-11-20T12:00:00+01:00 RX 68", "# remark", "", "E5"].map(
      characters,
    ),
  run(bytes) {
    const line = parseTraceLine(textOf(bytes));
    if (line.kind === "frame") {
      const again = formatTraceFrame(line).map(parseTraceLine);
      require(again.every(one => one.kind === "frame"), "a frame that was read is none when written");
    }
    return sizeOf(line);
  },
};

export const otherDecoders: readonly Decoder[] = [sunspec, xml, mqtt, trace];
