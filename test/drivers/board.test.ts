import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { formatValue } from "#contract/field.ts";
import { boardDriver } from "#drivers/board/driver.ts";
import { readBoard, thisMachine } from "#drivers/board/facts.ts";
import { driverSuite } from "../support/driver-suite.ts";

const [appliance] = boardDriver.nodeTypes;
if (appliance === undefined) throw new Error("the board driver has the appliance");

driverSuite("board", async () => ({
  nodeType: appliance,
  settings: {},
  clock: systemClock,
  pass: ms => systemClock.sleep(Math.min(ms, 20), new AbortController().signal),
  line: false,
  async [Symbol.asyncDispose]() {},
}));

describe("the appliance as a thing", () => {
  let root = "";
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "isthmus-board-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const read = async (folder = "/") => {
    const fields = await readBoard({ root, version: "1.2.3" }, folder);
    return new Map(fields.map(field => [field.name, formatValue(field.value)]));
  };

  it("tells of this very machine its load, memory, disk and version", async () => {
    const fields = new Map((await readBoard(thisMachine, "/")).map(field => [field.name, field.value]));
    for (const name of ["Uptime", "Memory", "Memory Free", "Disk", "Disk Free"]) {
      expect(fields.get(name)).toMatchObject({ kind: "quantity" });
    }
    expect(fields.get("Software Version")).toMatchObject({ value: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  });

  it("tells temperature, model and clock of a board that has them, the processor's zone before others", async () => {
    write("sys/class/thermal/thermal_zone0/type", "battery\n");
    write("sys/class/thermal/thermal_zone0/temp", "21000\n");
    write("sys/class/thermal/thermal_zone1/type", "cpu-thermal\n");
    write("sys/class/thermal/thermal_zone1/temp", "48312\n");
    write("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\u0000");
    write("proc/meminfo", "MemTotal:        1000000 kB\nMemFree: 1 kB\nMemAvailable:     500000 kB\n");
    mkdirSync(join(root, "run/systemd/timesync"), { recursive: true });
    const before = await read();
    expect(before.get("CPU Temperature")).toBe("48.3 Cel");
    expect(before.get("Model")).toBe("Raspberry Pi 4 Model B Rev 1.4");
    expect(before.get("Memory Free")).toBe("512 MB");
    expect(before.get("Clock Synchronised")).toBe("false");
    write("run/systemd/timesync/synchronized", "");
    expect((await read()).get("Clock Synchronised")).toBe("true");
  });

  it("what it cannot know is missing with a reason, what it has not is left out: never 0", async () => {
    write("sys/class/thermal/thermal_zone0/temp", "nonsense");
    const fields = await read(join(root, "nowhere"));
    expect(fields.get("CPU Temperature")).toBe("no value (the sensor does not tell)");
    expect(fields.get("Memory")).toBe("no value (the kernel does not tell)");
    expect(fields.get("Disk Free")).toContain("(ENOENT)");
    expect(fields.get("Clock Synchronised")).toContain("no time service");
    expect(fields.has("Model")).toBe(false);
    rmSync(join(root, "sys"), { recursive: true });
    expect((await read()).has("CPU Temperature")).toBe(false);
  });
});
