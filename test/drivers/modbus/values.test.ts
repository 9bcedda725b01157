// What registers mean and how they are told: addresses in every notation, packed dates, and writing by each function with reading
// back, against a simulated unit behind a real socket.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { ControlValue } from "#contract/control.ts";
import type { Device } from "#contract/driver.ts";
import { askAll, categories, formatValue } from "#contract/field.ts";
import { addressOf } from "#drivers/modbus/address.ts";
import { modbusDriver } from "#drivers/modbus/driver.ts";
import { encodeText, encodeTime } from "#drivers/modbus/encoding.ts";
import type { ModbusLine } from "#drivers/modbus/line.ts";
import { controlKind, type Point, wordsFor } from "#drivers/modbus/point.ts";
import { decodeRegisters, type RegisterType, wordsOf } from "#drivers/modbus/registers.ts";
import type { ModbusUnit } from "#drivers/modbus/unit.ts";
import { startModbusServer } from "#lab/modbus-server.ts";
import { createLabUnit } from "#lab/modbus-unit.ts";

const never = new AbortController().signal;
const nodeType = (name: string) => {
  const found = modbusDriver.nodeTypes.find(type => type.name === name);
  if (!found) throw new Error(`no node type ${name}`);
  return found;
};

async function open<D extends Device>(name: string, settings: object, parent?: Device): Promise<D> {
  const type = nodeType(name);
  const env = { clock: systemClock, log: silentLog, parent, timeZone: "UTC", own: () => ({ [Symbol.dispose]() {} }) };
  return (await type.open(type.settings.parse(settings), env, never)) as D;
}

async function bench() {
  const server = await startModbusServer(systemClock);
  const lab = createLabUnit();
  server.units.set(1, lab);
  const line = await open<ModbusLine>("modbus.tcp", { host: "127.0.0.1", port: server.port, timeoutMs: 200 });
  const unit = await open<ModbusUnit>("modbus.unit", { address: 1 }, line);
  return {
    lab,
    unit,
    async parameter(settings: object, type = "modbus.register") {
      const node = await open(type, { fieldName: "Value", writable: true, ...settings }, unit);
      const [parameter] = node.parameters ?? [];
      if (!parameter) throw new Error("not writable");
      return parameter;
    },
    async [Symbol.asyncDispose]() {
      await line[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe("addresses", () => {
  it.each([
    ["17", "wire", "holding", 17],
    ["40001", "wire", "holding", 40_000 + 1],
    ["17", "from1", "holding", 16],
    ["0x11", "wire", "input", 17],
    ["0xFFFF", "wire", "input", 65_535],
    ["0x0011", "from1", "input", 16],
    ["40001", "modicon", "holding", 0],
    ["49999", "modicon", "holding", 9_998],
    ["30018", "modicon", "input", 17],
    ["10018", "modicon", "discrete", 17],
    ["18", "modicon", "coil", 17],
    ["400001", "wire", "holding", 0],
    ["465536", "modicon", "holding", 65_535],
    ["300018", "from1", "input", 17],
    ["4x0018", "wire", "holding", 17],
    ["3X00018", "from1", "input", 17],
    ["0x00018", "wire", "coil", 17],
    ["1x0018", "wire", "discrete", 17],
    ["000018", "wire", "coil", 17],
    [" 17 ", "wire", "coil", 17],
  ] as const)("%s, counted %s, is %s %i on the wire", (text, numbering, table, address) => {
    expect(addressOf(text, numbering, table)).toMatchObject({ address });
  });

  it.each([
    ["0", "from1", "holding"],
    ["4x0000", "wire", "holding"],
    ["65536", "wire", "holding"],
    ["20001", "modicon", "holding"],
    ["475537", "wire", "holding"],
    ["-1", "wire", "holding"],
    ["1.5", "wire", "holding"],
    ["0x1G", "wire", "holding"],
    ["", "wire", "holding"],
    ["30001", "modicon", "holding"],
    ["3x0001", "wire", "holding"],
  ] as const)("%s, counted %s, is no address of a %s register, and the form says so", (text, numbering, table) => {
    expect(typeof addressOf(text, numbering, table)).toBe("string");
    const { settings } = nodeType("modbus.register");
    const parsed = settings.safeParse({ fieldName: "F", address: text, numbering, table });
    expect(parsed.error?.issues[0]?.path).toEqual(["address"]);
  });

  it("any text gives an address on the wire or words", () => {
    const text = fc.oneof(fc.string({ maxLength: 12 }), fc.stringMatching(/^[0-4]x?[0-9a-f]{1,6}$/));
    fc.assert(
      fc.property(text, fc.constantFrom("wire", "from1", "modicon"), (written, numbering) => {
        const found = addressOf(written, numbering as "wire", "holding");
        if (typeof found !== "string") expect(found.address).toSatisfy((at: number) => at >= 0 && at <= 65_535);
      }),
    );
  });

  it("a number in a site file is an address too; the node says which one it is on the wire", async () => {
    await using it = await bench();
    it.lab.set("holding", 17, 77);
    for (const [address, numbering] of [
      [17, "wire"],
      ["40018", "modicon"],
      [400_018, "wire"],
    ]) {
      const node = await open("modbus.register", { fieldName: "F", address, numbering }, it.unit);
      for await (const { fields } of node.read?.(askAll, never) ?? []) {
        expect(fields.map(({ value }) => formatValue(value))).toEqual(["77"]);
      }
      expect(node.describe?.()[0]?.value).toMatchObject({
        value: `17 (0x0011, 40018 where counting begins at 1); written ${address}`,
      });
      await node[Symbol.asyncDispose]();
    }
  });
});

describe("dates", () => {
  const at = (text: string) => new Date(text).getTime();
  it.each([
    ["datetime48", [0x1a0b, 0x140c, 0x1e2d], "2026-11-20T12:30:45"],
    ["datetime96", [2026, 11, 20, 12, 30, 45], "2026-11-20T12:30:45"],
    ["datetime96", [26, 11, 20, 12, 30, 45], "2026-11-20T12:30:45"],
    ["datetime64", [0x001a, 0x0bb4, 0x0c1e, 45_250], "2026-11-20T12:30:45.250"],
    ["unix32", [0x6a6d, 0xe8d0], "2026-08-01T12:38:40Z"],
  ] as const)("%s %j is %s", (type, registers, text) => {
    expect(decodeRegisters({ type }, registers)).toEqual({ kind: "time", at: at(text) });
  });

  it.each([
    ["datetime48", [0, 0, 0]],
    ["datetime48", [0xffff, 0xffff, 0xffff]],
    ["datetime48", [0x1a02, 0x1e0c, 0]],
    ["datetime96", [2026, 13, 1, 0, 0, 0]],
    ["datetime96", [2026, 2, 29, 0, 0, 0]],
    ["datetime96", [2026, 2, 28, 24, 0, 0]],
    ["datetime64", [0x001a, 0x0bb4, 0x0c9e, 0]],
  ] as const)("%s %j is no date, and is not made one", (type, registers) => {
    expect(decodeRegisters({ type }, registers)).toMatchObject({ kind: "none" });
  });

  it("what is written is what is read", () => {
    const types = fc.constantFrom<RegisterType>("datetime48", "datetime64", "datetime96", "unix32");
    // Not the hour that comes twice.
    const second = fc.integer({ min: at("2000-01-01T00:00:00") / 1000, max: at("2099-12-31T00:00:00") / 1000 });
    const order = fc.constantFrom("ABCD" as const, "CDAB" as const, "BADC" as const, "DCBA" as const);
    fc.assert(
      fc.property(types, second, order, (type, seconds, wordOrder) => {
        const layout = { type, order: wordOrder };
        const words = encodeTime(layout, seconds * 1000);
        if (typeof words === "string") throw new Error(words);
        expect(words).toHaveLength(wordsOf(layout));
        const read = decodeRegisters(layout, words);
        if (read.kind !== "time") throw new Error(read.kind);
        expect([0, 3_600_000]).toContain(Math.abs(read.at - seconds * 1000));
      }),
    );
    expect(encodeTime({ type: "datetime48" }, at("1999-01-01T00:00:00"))).toContain("cannot hold");
  });
});

describe("numbers and texts that are not simply binary", () => {
  const point = (type: RegisterType, more: Partial<Point> = {}): Point => ({
    field: "F",
    table: "holding",
    address: 0,
    words: wordsOf({ type, ...more }),
    type,
    unit: "",
    categories: categories("momentary"),
    ...more,
  });
  const int = (value: number): ControlValue => ({ kind: "int32", value });

  it.each([
    ["bcd16", 1234, [0x1234]],
    ["bcd32", 12_345_678, [0x1234, 0x5678]],
    ["mod10k-32", 12_345_678, [1234, 5678]],
  ] as const)("%s %i", (type, value, words) => {
    expect(wordsFor(point(type), int(value))).toEqual(words);
    expect(typeof wordsFor(point(type), int(100_000_000))).toBe("string");
    expect(typeof wordsFor(point(type), int(-1))).toBe("string");
  });

  it("a text is filled with noughts, its characters swapped where the unit swaps them; a longer one is refused", () => {
    expect(encodeText({ type: "string", words: 3 }, "ABC")).toEqual([0x4142, 0x4300, 0]);
    expect(encodeText({ type: "string", words: 2, order: "BADC" }, "ABC")).toEqual([0x4241, 0x0043]);
    expect(encodeText({ type: "string", words: 1 }, "ABC")).toContain("longer than 2");
    expect(encodeText({ type: "string", words: 2 }, "日")).toContain("cannot hold");
    expect(controlKind(point("string", { words: 2 }))).toBe("string");
  });

  it("range and step are checked before anything is sent, whoever asks", () => {
    const stepped = point("int16", { scale: 0.1, unit: "Cel", writable: { min: 5, max: 30, step: 0.5 } });
    const double = (value: number): ControlValue => ({ kind: "double", value });
    expect(wordsFor(stepped, double(21.5))).toEqual([215]);
    expect(wordsFor(stepped, double(21.3))).toBe("21.3 is not a multiple of 0.5 from 5");
    expect(wordsFor(stepped, double(4.5))).toBe("4.5 is less than 5");
    expect(wordsFor(stepped, double(30.5))).toBe("30.5 is more than 30");
  });
});

describe("writing by the function that is declared", () => {
  const double = (value: number): ControlValue => ({ kind: "double", value });
  const functions = (lab: { requests: readonly Uint8Array[] }) => lab.requests.map(([code]) => code);

  it.each([
    ["any", [6, 3]],
    ["6", [6, 3]],
    ["16", [16, 3]],
    ["23", [23]],
  ])("register, %s", async (writeBy, expected) => {
    await using it = await bench();
    it.lab.set("holding", 5, 0);
    const parameter = await it.parameter({ address: 5, unit: "W", writeBy });
    expect(await parameter.set(double(7), never)).toBe("confirmed");
    expect(it.lab.get("holding", 5)).toBe(7);
    expect(functions(it.lab)).toEqual(expected);
  });

  it("a unit that does not know the declared function is not written by another", async () => {
    await using it = await bench();
    it.lab.set("holding", 5, 0);
    it.lab.unknownFunctions.add(16);
    const parameter = await it.parameter({ address: 5, unit: "W", writeBy: "16" });
    await expect(parameter.set(double(7), never)).rejects.toMatchObject({ kind: "refused" });
    expect(it.lab.get("holding", 5)).toBe(0);
  });

  it.each([
    ["any", [5, 1]],
    ["15", [15, 1]],
  ])("coil, %s", async (writeBy, expected) => {
    await using it = await bench();
    it.lab.set("coil", 5, 0);
    const parameter = await it.parameter({ address: 5, writeBy }, "modbus.coil");
    expect(await parameter.set({ kind: "boolean", value: true }, never)).toBe("confirmed");
    expect(functions(it.lab)).toEqual(expected);
  });

  it("a bit field leaves its neighbours alone: by mask, or by reading and writing where the unit knows no masks", async () => {
    for (const unknown of [[], [22], [22, 6]]) {
      await using it = await bench();
      it.lab.set("holding", 5, 0xabcd);
      for (const code of unknown) it.lab.unknownFunctions.add(code);
      const parameter = await it.parameter({ address: 5, type: "bitfield", mask: 0x0ff0, shift: 4 });
      expect(await parameter.get?.(never)).toEqual({ kind: "int32", value: 0xbc });
      expect(await parameter.set({ kind: "int32", value: 0x12 }, never)).toBe("confirmed");
      expect(it.lab.get("holding", 5)).toBe(0xa12d);
      await expect(parameter.set({ kind: "int32", value: 0x100 }, never)).rejects.toThrow("does not fit into its bits");
    }
  });

  it("a text and a time", async () => {
    await using it = await bench();
    it.lab.setWords("holding", 5, [0, 0, 0]);
    const text = await it.parameter({ address: 5, type: "string", words: 3 });
    expect(await text.set({ kind: "string", value: "Attic" }, never)).toBe("confirmed");
    expect(await text.get?.(never)).toEqual({ kind: "string", value: "Attic" });
    const time = await it.parameter({ address: 5, type: "datetime48" });
    const value = { kind: "dateTime", value: new Date("2026-11-20T12:30:45").getTime() } as const;
    expect(await time.set(value, never)).toBe("confirmed");
    expect(await time.get?.(never)).toEqual(value);
  });
});
