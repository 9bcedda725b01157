// The program itself over every vector, a vector a line on standard input, one JSON object a line out: as somebody outside
// would check it. Compared key by key; what is told beyond a vector, or a vector says beyond the octets, is named here.

import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../lab/scene.ts";

const root = join(import.meta.dirname, "../..");
const load = (path: string) => JSON.parse(readFileSync(join(root, "test/vectors", path), "utf8"));
// biome-ignore lint/suspicious/noExplicitAny: the vectors are of many shapes, each looked at below.
type Json = any;

interface Run {
  readonly out: Json[];
  readonly text: string;
  readonly errors: string;
  readonly code: number | null;
}

function decode(words: readonly string[], lines: readonly string[]): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, "src/cli/main.ts"), "decode", ...words, "--json"]);
    let text = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", chunk => (text += chunk));
    child.stderr.setEncoding("utf8").on("data", chunk => (errors += chunk));
    child.once("error", reject);
    child.once("close", code => {
      const out = text.split("\n").filter(line => line !== "");
      resolve({ out: out.map(line => JSON.parse(line)), text, errors, code });
    });
    child.stdin.end(`${lines.join("\n")}\n`);
  });
}

/** What a vector says of itself: where it comes from, what is special, which octets and key. */
const about = ["name", "source", "licence", "hex", "key", "note", "referenceDisagrees", "byteOrder"];
const without = (vector: Json, names: readonly string[]): Json =>
  Object.fromEntries(Object.entries(vector).filter(([name]) => !names.includes(name)));

/** Reals are as exact as their 32 bits; all else is equal to the letter. */
function same(got: Json, wanted: Json, path: string): void {
  if (wanted === null || typeof wanted !== "object") {
    if (typeof wanted === "number" && got !== wanted) {
      expect(Math.abs(got - wanted), path).toBeLessThanOrEqual(Math.abs(wanted) * 1e-6);
    } else expect(got, path).toEqual(wanted);
    return;
  }
  expect(Object.keys(got ?? {}).sort(), path).toEqual(Object.keys(wanted).sort());
  for (const [name, value] of Object.entries(wanted)) same(got[name], value, `${path}.${name}`);
}

/** Vectors that say less than the rest of their set: every key they have is there and equal. */
function holds(got: Json, wanted: Json, path: string): void {
  if (wanted === null || typeof wanted !== "object") {
    same(got, wanted, path);
    return;
  }
  if (Array.isArray(wanted)) expect(got, path).toHaveLength(wanted.length);
  for (const [name, value] of Object.entries(wanted)) holds(got?.[name], value, `${path}.${name}`);
}

describe("decode mbus", () => {
  const telegrams = ["frames", "errors"].flatMap(folder =>
    readdirSync(join(root, "test/vectors/mbus", folder))
      .filter(name => name.endsWith(".json"))
      .map(name => ({
        vector: load(`mbus/${folder}/${name}`),
        hex: readFileSync(join(root, "test/vectors/mbus", folder, name.replace(".json", ".hex")), "utf8"),
      })),
  );

  it("1.1-1.10: every telegram and every error of libmbus has the shape of its vector, no key more or less", async () => {
    const { out, code } = await decode(
      ["mbus"],
      telegrams.map(({ hex }) => hex.replace(/\s+/g, " ")),
    );
    expect(out).toHaveLength(telegrams.length);
    for (const [n, { vector, hex }] of telegrams.entries()) {
      // A refusal says its word under a second name, and keeps the octets.
      const beyond =
        vector.expectError === undefined
          ? {}
          : { error: vector.expectError, hex: hex.replace(/\s+/g, "").toUpperCase() };
      same(out[n], { ...without(vector, about), ...beyond }, vector.name);
    }
    expect(code).toBe(1);
  });

  it("1.11: the fixed structure", async () => {
    const { items } = load("mbus/fixed.json");
    const { out, code } = await decode(
      ["mbus"],
      items.map(({ hex }: Json) => hex),
    );
    expect(out).toHaveLength(items.length);
    for (const [n, item] of items.entries()) same(out[n], without(item, about), item.name);
    expect(code).toBe(0);
  });

  it("1.5: other structures, of which the vectors of pyMeterBus say only some keys", async () => {
    const { items } = load("mbus/extra.json");
    const { out } = await decode(
      ["mbus"],
      items.map(({ hex }: Json) => hex),
    );
    expect(out).toHaveLength(items.length);
    for (const [n, item] of items.entries()) {
      // This one leaves "automatic-readout" out of its quality words.
      const records = item.records.map((record: Json) =>
        item.name === "hydrometer-flow-error" ? without(record, ["quality"]) : record,
      );
      holds(out[n], { ...without(item, about), records }, item.name);
    }
  });

  it("1.12: encrypted telegrams, each with its meter's key from a file, which is not told again", async () => {
    await using folder = await temporaryFolder();
    const { items } = load("mbus/mode5.json");
    const idOf = (hex: string) => (/^.{14}(..)(..)(..)(..)/.exec(hex) ?? []).slice(1, 5).reverse().join("");
    const run = async (some: Json[]) => {
      const file = join(folder.path, "keys");
      const lines = some.filter(({ key }) => key !== undefined).map(({ hex, key }) => `${idOf(hex)} ${key}`);
      writeFileSync(file, ["# of this house", ...lines].join("\n"));
      const ended = await decode(
        ["mbus", "--key-file", file],
        some.map(({ hex }) => hex),
      );
      expect(ended.out).toHaveLength(some.length);
      for (const { key } of some) {
        if (key !== undefined) expect(`${ended.text}${ended.errors}`.toLowerCase()).not.toContain(key);
      }
      return ended.out;
    };
    const told = items.filter(({ frame }: Json) => frame !== undefined);
    expect(told.length).toBeGreaterThan(4);
    for (const [n, got] of (await run(told)).entries()) same(got, without(told[n], about), told[n].name);
    const wrong = items.filter(({ expectError }: Json) => expectError !== undefined);
    expect(await run(wrong)).toMatchObject([{ error: "decrypt-check", expectError: "decrypt-check" }]);
    // "header decoded, records withheld, quality error/missing, reason encrypted"
    expect(await run(items.filter(({ name }: Json) => name === "mode5-no-key"))).toMatchObject([
      {
        header: { id: "10474078" },
        records: [],
        withheld: "encrypted",
        quality: ["automatic-readout", "missing"],
      },
    ]);
  });

  it("1.7-1.9: lone records, in both byte orders", async () => {
    const { records } = load("mbus/records.json");
    for (const order of ["lsb", "msb"]) {
      const some = records.filter(({ byteOrder }: Json) => byteOrder === order);
      expect(some.length).toBeGreaterThan(0);
      const { out, code } = await decode(
        ["mbus", "--record", ...(order === "msb" ? ["--msb"] : [])],
        some.map(({ hex }: Json) => hex),
      );
      expect(out).toHaveLength(some.length);
      for (const [n, { id, expect: wanted }] of some.entries()) same(out[n], wanted, id);
      expect(code).toBe(0);
    }
  });

  it("1.1: link frames that must be refused, with their reason", async () => {
    const { reject, build } = load("mbus/link.json");
    const { out } = await decode(
      ["mbus"],
      [...reject, ...build].map(({ hex }: Json) => hex),
    );
    expect(out.slice(0, reject.length).map(({ error }) => error)).toEqual(reject.map(({ error }: Json) => error));
    expect(out.slice(reject.length).filter(({ error }) => error !== undefined)).toEqual([]);
  });

  it("1.3: streams in chunks, and readouts over several telegrams", async () => {
    const { stream, multi } = load("mbus/session.json");
    const { out } = await decode(
      ["mbus", "--stream"],
      stream.map(({ chunks }: Json) => chunks.join(" | ")),
    );
    expect(out).toEqual(stream.map(({ expect: wanted }: Json) => ({ found: wanted })));
    for (const { exchanges, expectRecords } of multi) {
      const joined = await decode(
        ["mbus", "--join"],
        exchanges.map(({ response }: Json) => response),
      );
      expect(joined.out).toHaveLength(1);
      same(joined.out[0].records, expectRecords, "records");
      expect(joined.out[0].moreRecordsFollow).toBe(false);
    }
  });
});

describe("decode modbus", () => {
  const frames = load("modbus/frames.json");

  it("2.1-2.3: every transaction from each envelope", async () => {
    for (const kind of ["tcp", "rtu", "ascii"]) {
      const { out, code } = await decode(
        ["modbus"],
        frames.transactions.map(({ request, response }: Json) => `${request[kind].trim()} > ${response[kind].trim()}`),
      );
      expect(out).toHaveLength(frames.transactions.length);
      for (const [n, { name, ...vector }] of frames.transactions.entries()) {
        const { transport, ...got } = out[n];
        expect(transport).toBe(kind);
        // The transaction number is of TCP alone; of what was asked before an exception the vectors give the octets only.
        const lost = kind === "tcp" ? [] : ["transaction"];
        const wanted = without(vector, lost);
        if (kind !== "tcp") for (const side of ["request", "response"]) wanted[side] = without(vector[side], ["tcp"]);
        if (vector.response.exception === undefined) same(got, wanted, name);
        else holds(got, wanted, name);
      }
      expect(code).toBe(0);
    }
  });

  it("2.5: every conversion, and every worked example of the register maps", async () => {
    const { out } = await decode(
      ["modbus"],
      frames.conversions.map((conversion: Json) => JSON.stringify(without(conversion, ["value"]))),
    );
    for (const [n, conversion] of frames.conversions.entries()) {
      // Where there is no value, why is told beside it.
      const { reason, ...got } = out[n];
      expect(got, JSON.stringify(conversion)).toEqual(conversion);
      expect(typeof reason).toBe(conversion.value === null ? "string" : "undefined");
    }
    const examples = load("modbus/maps.json").meters.flatMap(({ registers, examples: some }: Json) =>
      some.map((example: Json) => ({ ...registers.find(({ name }: Json) => name === example.name), ...example })),
    );
    const mapped = await decode(
      ["modbus"],
      examples.map((example: Json) => JSON.stringify(without(example, ["value"]))),
    );
    expect(mapped.out).toHaveLength(examples.length);
    for (const [n, example] of examples.entries()) {
      const { reason: _, ...got } = mapped.out[n];
      same(got, example, `${example.name} ${example.registers}`);
    }
  });

  it("2.1, 2.2: what must not be accepted, with its reason; streams with their outcome", async () => {
    const inputs = [...frames.reject, ...frames.streams];
    const { out } = await decode(
      ["modbus"],
      inputs.map((one: Json) => JSON.stringify(without(one, ["error", "expect"]))),
    );
    expect(out).toHaveLength(inputs.length);
    for (const [n, { error }] of frames.reject.entries()) expect(out[n].error).toBe(error);
    for (const [n, { expect: wanted }] of frames.streams.entries()) {
      holds(out[frames.reject.length + n].expect, wanted, `stream ${n}`);
    }
  });

  it("2.5: register words from the command line, with the options a map would say", async () => {
    const { out } = await decode(["modbus", "--type", "int32", "--order", "CDAB", "--scale", "0.1", "A27B 7F22"], []);
    expect(out).toEqual([
      { type: "int32", order: "CDAB", scale: 0.1, registers: ["A27B", "7F22"], value: 213297625.1 },
    ]);
  });
});

describe("traces and mistakes", () => {
  it("a trace keeps its times and directions; what cannot be read ends nothing", async () => {
    const lines = [
      "# isthmus trace of a line",
      "2026-11-20T12:00:00.123Z tx 10 7B 05 80 16",
      "2026-11-20T12:00:00.323Z rx E5 E5",
      "2026-11-20T12:00:01Z rx 10 7B 05 81 16",
      "yesterday tx 10 7B 05 80 16",
      "",
      "zz",
      "10 40 05 45 16",
    ];
    const { out, code } = await decode(["mbus"], lines);
    expect(out).toMatchObject([
      { time: "2026-11-20T12:00:00.123Z", traced: "tx", frame: { c: "7B", a: 5 } },
      { time: "2026-11-20T12:00:00.323Z", traced: "rx", frame: { type: "ack" } },
      { time: "2026-11-20T12:00:00.323Z", traced: "rx", frame: { type: "ack" } },
      { time: "2026-11-20T12:00:01.000Z", traced: "rx", error: "checksum" },
      { error: "time" },
      { error: "hex" },
      { frame: { c: "40", a: 5 } },
    ]);
    expect(code).toBe(1);
  });
});
