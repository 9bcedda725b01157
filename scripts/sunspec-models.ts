// Makes src/drivers/modbus/sunspec-models of the model definitions that the SunSpec Alliance publishes (Apache-2.0): the same
// facts without descriptions, a point a line. Usage: node scripts/sunspec-models.ts FOLDER, with the model_*.json in FOLDER.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface PublishedPoint {
  name: string;
  label?: string;
  type: string;
  size: number;
  sf?: string | number;
  units?: string;
  access?: string;
  symbols?: { name: string; value: number }[];
}

interface PublishedGroup {
  name: string;
  label?: string;
  count?: number | string;
  points?: PublishedPoint[];
  groups?: PublishedGroup[];
}

const [from = ""] = process.argv.slice(2);
if (from === "") throw new Error("Say in which folder the published model_*.json are.");
const to = join(import.meta.dirname, "../src/drivers/modbus/sunspec-models");
mkdirSync(to, { recursive: true });

const names = readdirSync(from).filter(name => /^model_\d+\.json$/.test(name));
for (const name of names) {
  const { id, group } = JSON.parse(readFileSync(join(from, name), "utf8")) as { id: number; group: PublishedGroup };
  writeFileSync(join(to, `${id}.json`), `${groupText(group, `"id":${id},`)}\n`);
}
copyFileSync(join(from, "LICENSE"), join(to, "LICENSE"));

function groupText({ name, label, count, points = [], groups = [] }: PublishedGroup, id = ""): string {
  const head = JSON.stringify({ name, label, count }).slice(1, -1);
  const rows = points.map(point => JSON.stringify(pointOf(point))).join(",\n");
  const below = groups.length === 0 ? "" : `,"groups":[\n${groups.map(group => groupText(group)).join(",\n")}]`;
  return `{${id}${head},"points":[\n${rows}]${below}}`;
}

/** What reading and writing need. A label that only repeats the name says nothing. */
function pointOf({ name, label, type, size, sf, units, access, symbols }: PublishedPoint) {
  return {
    name,
    label: label === name ? undefined : label,
    type,
    size,
    sf,
    units: units?.trim(),
    access: access === "RW" ? access : undefined,
    symbols: symbols && Object.fromEntries(symbols.map(one => [one.value, one.name])),
  };
}
