// What Linux says of the machine it runs on: proc(5), sysfs thermal zones, statfs(2), and the mark systemd-timesyncd leaves
// when it has set the clock.

import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile, statfs } from "node:fs/promises";
import { loadavg, release, uptime } from "node:os";
import { join } from "node:path";
import { type Category, categories, type Field, type FieldValue } from "#contract/field.ts";

export interface Place {
  /** "/" but for tests. */
  readonly root: string;
  readonly version: string;
}

export const thisMachine: Place = { root: "/", version: ownVersion() };

export async function readBoard({ root, version }: Place, folder: string): Promise<Field[]> {
  const [load] = loadavg();
  const groups = await Promise.all([memory(root), disk(folder), temperature(root), clockState(root), model(root)]);
  return [
    field("Uptime", quantity(Math.floor(uptime()), 0, "s"), "status"),
    field("Load", quantity(load ?? 0, 2, "")),
    ...groups.flat(),
    field("Software Version", { kind: "string", value: version }, "identity"),
    field("Kernel Version", { kind: "string", value: release() }, "identity"),
  ];
}

async function memory(root: string): Promise<Field[]> {
  const text = await readFile(join(root, "proc/meminfo"), "utf8").catch(() => "");
  const kilobytes = (name: string): FieldValue => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
    return found === undefined ? missing("the kernel does not tell") : quantity((Number(found) * 1024) / 1e6, 0, "MB");
  };
  return [field("Memory", kilobytes("MemTotal")), field("Memory Free", kilobytes("MemAvailable"))];
}

async function disk(folder: string): Promise<Field[]> {
  try {
    const { bsize, blocks, bavail } = await statfs(folder);
    return [
      field("Disk", quantity((blocks * bsize) / 1e9, 2, "GB")),
      field("Disk Free", quantity((bavail * bsize) / 1e9, 2, "GB")),
    ];
  } catch (error) {
    const reason = `${folder} cannot be looked at (${(error as NodeJS.ErrnoException).code ?? "unknown reason"})`;
    return [field("Disk", missing(reason)), field("Disk Free", missing(reason))];
  }
}

/** The zone that names the processor, else the first; none is no field: many machines have no such sensor. */
async function temperature(root: string): Promise<Field[]> {
  const folder = join(root, "sys/class/thermal");
  const zones = (await readdir(folder).catch(() => [])).filter(name => name.startsWith("thermal_zone")).sort();
  const typed = await Promise.all(
    zones.map(async zone => ({ zone, type: await readFile(join(folder, zone, "type"), "utf8").catch(() => "") })),
  );
  const found = typed.find(({ type }) => /cpu|x86_pkg|soc/i.test(type)) ?? typed[0];
  if (found === undefined) return [];
  const text = await readFile(join(folder, found.zone, "temp"), "utf8").catch(() => "");
  const value = /^-?\d+$/.test(text.trim())
    ? quantity(Number(text) / 1000, 1, "Cel")
    : missing("the sensor does not tell");
  return [field("CPU Temperature", value)];
}

async function clockState(root: string): Promise<Field[]> {
  const folder = join(root, "run/systemd/timesync");
  const value: FieldValue = existsSync(folder)
    ? { kind: "boolean", value: existsSync(join(folder, "synchronized")) }
    : missing("no time service that says so runs here");
  return [field("Clock Synchronised", value, "status")];
}

async function model(root: string): Promise<Field[]> {
  const text = await readFile(join(root, "proc/device-tree/model"), "utf8").catch(() => "");
  const value = text.replaceAll("\u0000", "").trim();
  return value === "" ? [] : [field("Model", { kind: "string", value }, "identity")];
}

const field = (name: string, value: FieldValue, category: Category = "momentary"): Field => ({
  name,
  value,
  categories: categories(category),
  quality: value.kind === "missing" ? { missing: true } : { automaticReadout: true },
});

const quantity = (value: number, decimals: number, unit: string): FieldValue => ({
  kind: "quantity",
  value: Number(value.toFixed(decimals)),
  decimals,
  unit,
});

const missing = (reason: string): FieldValue => ({ kind: "missing", reason });

function ownVersion(): string {
  const text = readFileSync(join(import.meta.dirname, "../../../package.json"), "utf8");
  return String((JSON.parse(text) as { version?: unknown }).version ?? "unknown");
}
