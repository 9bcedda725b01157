// Finding out how a value is held, on a unit behind a real socket, and the field that is made of what was chosen.

import { afterEach, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { ChildNode, Device } from "#contract/driver.ts";
import { askAll, type Sample } from "#contract/field.ts";
import { modbusDriver } from "#drivers/modbus/driver.ts";
import { startModbusServer } from "#lab/modbus-server.ts";
import { createLabUnit } from "#lab/modbus-unit.ts";
import { ask, commandOf } from "../report-log.ts";

const never = new AbortController().signal;
const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

const typeOf = (name: string) => {
  const type = modbusDriver.nodeTypes.find(one => one.name === name);
  if (type === undefined) throw new Error(name);
  return type;
};

async function bench(present: readonly string[] = []) {
  const server = await startModbusServer(systemClock);
  const unit = createLabUnit();
  server.units.set(3, unit);
  // 1843.7 as a float with its low word first.
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, 1843.7);
  unit.setWords("input", 72, [view.getUint16(2), view.getUint16(0), 0, 7]);
  const added: ChildNode[] = [];
  const env = {
    clock: systemClock,
    log: silentLog,
    timeZone: "UTC",
    own: () => ({ [Symbol.dispose]() {} }),
    addBelow: (children: readonly ChildNode[]) => {
      const fresh = children.filter(({ id }) => !present.includes(id));
      added.push(...fresh);
      return {
        created: fresh.map(({ id }) => id),
        present: children.map(({ id }) => id).filter(id => present.includes(id)),
      };
    },
  };
  const open = async (name: string, settings: object, parent?: Device): Promise<Device> => {
    const type = typeOf(name);
    return type.open(type.settings.parse(settings), { ...env, parent }, never);
  };
  const line = await open("modbus.tcp", { host: "127.0.0.1", port: server.port, timeoutMs: 500 });
  opened.push(server, line);
  return { added, open, unit, device: await open("modbus.unit", { address: 3 }, line) };
}

const take = async (device: Device, given: object) => {
  const command = commandOf(device, "AddFoundValue");
  if (command.kind !== "parameterized") throw new Error(command.kind);
  await command.execute(command.settings.parse(given), never);
};

it("every reading side by side, the one that the display shows first, and a field made of it that reads the same", async () => {
  const it = await bench();
  const report = await ask(it.device, "FindValue", { table: "input", address: "3x0073", shown: "1843,7 kWh" });
  const float = report.rows.find(row => row[0] === 72 && row[2] === "float32");
  expect(float?.[4]).toBe("1843.7");
  const first = report.rows.find(row => row[0] === 1);
  expect(first).toEqual([1, "1843.7", 99, 72, "float32", "CDAB", "1"]);
  await take(it.device, { choice: 1, fieldName: "Energy", unit: "kWh" });
  const [child] = it.added;
  expect(child).toMatchObject({ type: "modbus.register", id: "energy-3-72", name: "Energy" });
  const register = await it.open("modbus.register", child?.settings ?? {}, it.device);
  const samples: Sample[] = [];
  for await (const sample of register.read?.(askAll, never) ?? []) samples.push(sample);
  expect(samples[0]?.fields[0]).toMatchObject({
    name: "Energy",
    value: { kind: "quantity", value: 1843.7, unit: "kWh" },
  });
});

it("what fits nothing is said to, and a choice nobody offered is refused", async () => {
  const it = await bench();
  const report = await ask(it.device, "FindValue", { table: "input", address: "72", shown: "555.5" });
  expect(report.messages[0]).toMatch(/^Nothing here reads like what the display shows/);
  await expect(take(it.device, { choice: 1, fieldName: "Energy" })).rejects.toMatchObject({ kind: "not-acceptable" });
  await expect(ask(it.device, "FindValue", { address: "72", shown: "lots" })).rejects.toThrow(
    /a number as a display shows it/,
  );
  await expect(ask(it.device, "FindValue", { address: "4x0073", table: "input" })).rejects.toThrow(
    /that is a holding register/,
  );
  await expect(ask(it.device, "FindValue", { table: "holding", address: "72" })).rejects.toThrow(/exception 2/);
});

it("without a display all readings are ranked by how they look; a name that is taken is told", async () => {
  const it = await bench(["energy-3-72"]);
  const report = await ask(it.device, "FindValue", { table: "input", address: "0x0048", count: 2 });
  expect(report.rows.find(row => row[0] === 1)?.slice(1, 6)).toEqual(["1843.7", 79, 72, "float32", "CDAB"]);
  await expect(take(it.device, { choice: 1, fieldName: "Energy" })).rejects.toThrow(
    "There is a node energy-3-72 already",
  );
  await take(it.device, { choice: 1, fieldName: "Energy", nodeId: "other" });
  expect(it.added.map(({ id }) => id)).toEqual(["other"]);
});
