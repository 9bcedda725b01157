// Searches over a full registry: three operators each, the easy ones and the nasty ones, with other values each time, from a
// hundred searchers in turn. What each shape finds is told, so that a fast nothing is not taken for a find.

import { type Figure, percentile } from "./figures.ts";
import { cityOf, countryOf, makerOf, pick, tagsOf } from "./registry-mass.ts";
import type { Wire } from "./registry-wire.ts";
import { processorMs } from "./scene.ts";

const times = 200;
const warmUp = 10;

type Shape = (n: number, things: number) => string;

const eq = (name: string, value: string) => `<strEq name='${name}' value='${value}'/>`;
const numRange = (name: string, min: number, max: number) => `<numRange name='${name}' min='${min}' max='${max}'/>`;
const mask = (name: string, value: string) => `<strMask name='${name}' value='${value}' wildcard='*'/>`;
const serial = (n: number, things: number) =>
  String(tagsOf(pick(n, 99, things)).find(({ name }) => name === "SN")?.value);

/** By what they are called in the figures. */
const shapes: Readonly<Record<string, Shape>> = {
  "serial number, class, country": (n, things) =>
    `${eq("SN", serial(n, things))}<strNEq name='CLASS' value='none'/><strNEq name='COUNTRY' value='none'/>`,
  "class, city, maker": n => eq("CLASS", "HeatMeter") + eq("CITY", cityOf(n)) + eq("MAN", makerOf(n)),
  "class in a square of one degree": n =>
    eq("CLASS", "HeatMeter") + numRange("LAT", 40 + (n % 25), 41 + (n % 25)) + numRange("LON", n % 25, (n % 25) + 1),
  "class in a square of thirty degrees": n =>
    eq("CLASS", "Valve") + numRange("LAT", 38 + (n % 2), 68) + numRange("LON", -5, 25 - (n % 2)),
  "often each, never together": n =>
    eq("CLASS", "HeatMeter") + eq("MAN", `Pumps ${n % 3}`) + eq("COUNTRY", countryOf(n)),
  "never together, all three unequal or wide": n =>
    `<strNEq name='CLASS' value='Pump'/>${mask("MAN", "Pumps *")}${numRange("V", 1, 4 + (n % 2))}`,
  "unequal, unequal, unequal": n =>
    `<strNEq name='CLASS' value='HeatMeter'/><strNEq name='CITY' value='${cityOf(n)}'/><numNEq name='V' value='1'/>`,
  "outside of ranges": n =>
    `<numNRange name='LAT' min='${37 + (n % 3)}' max='69.5'/><numNRange name='LON' min='-8.9' max='29.8'/><strNRange name='CITY' min='A' max='V'/>`,
  "leading wildcard on a model": n => mask("MODEL", `*${n % 10}-A`) + eq("CLASS", "Pump") + numRange("LAT", 50, 51),
  "leading wildcard on a serial number": (n, things) =>
    mask("SN", `*${serial(n, things).slice(3, 7)}*`) + eq("CLASS", "HeatMeter") + eq("COUNTRY", countryOf(n)),
  "two digits of a serial number": (n, things) =>
    mask("SN", `*${serial(n, things).slice(3, 5)}*`) + eq("CLASS", "HeatMeter") + numRange("V", 1, 2),
  "half of all serial numbers": n =>
    `<strGt name='SN' value='${50 + (n % 9)}'/>${eq("CLASS", "WaterMeter")}${eq("CITY", cityOf(n))}`,
  "wildcard in the name": n =>
    `<numRange name='L*' nameWildcard='*' min='${n % 20}' max='${(n % 20) + 0.01}'/>` +
    eq("CLASS", "Sensor") +
    eq("COUNTRY", countryOf(n)),
  "regular expression on a model": n =>
    `<strRegEx name='MODEL' value='M[1-3]${n % 10}-(A|C)'/>${eq("CLASS", "Gateway")}${numRange("LAT", 60, 62)}`,
  "regular expression on a serial number": (n, things) =>
    `<strRegEx name='SN' value='[0-9]*${serial(n, things).slice(2, 6)}[0-9]+'/>` +
    eq("CLASS", "HeatMeter") +
    eq("ROOM", `Room ${n % 60}`),
  "the last page": n =>
    `${eq("CLASS", "HeatMeter") + numRange("V", 1, 4.9)}<strNEq name='ROOM' value='Room ${n % 60}'/>`,
};

export async function searchFigures(
  wire: Wire,
  pid: number,
  ns: string,
  things: number,
  domain: string,
  note: (text: string) => void,
  signal: AbortSignal,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  const spentBefore = processorMs(pid);
  let asked = 0;
  for (const [text, shape] of Object.entries(shapes)) {
    const offset = text === "the last page" ? Math.floor(things * 0.2) : 0;
    const took = new Float64Array(times);
    let found = 0;
    const before = processorMs(pid);
    for (let at = -warmUp; at < times; at++) {
      signal.throwIfAborted();
      const payload = `<search xmlns='${ns}' offset='${offset}'>${shape(at + warmUp, things)}</search>`;
      const sent = performance.now();
      const answer = await wire.ask("get", `searcher${asked++}@${domain}/q`, payload);
      if (at >= 0) took[at] = performance.now() - sent;
      if (!answer.includes("<found")) throw new Error(`${text}: ${answer}`);
      found += answer.split("<thing").length - 1;
    }
    const spent = (processorMs(pid) - before) / (times + warmUp);
    const p50 = percentile(took, 0.5);
    const p99 = percentile(took, 0.99);
    note(
      `${text}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, processor ${spent.toFixed(1)} ms, ${(found / (times + warmUp)).toFixed(1)} things a page`,
    );
    figures.push({
      name: `registry.search.${text.replaceAll(/[^a-z]+/g, "-")}`,
      text: `search, ${text}: p99`,
      value: p99,
      unit: "ms",
      ...(things >= 1_000_000 ? { target: { below: 50 } } : {}),
    });
  }
  const each = (processorMs(pid) - spentBefore) / Object.keys(shapes).length / (times + warmUp);
  return [
    ...figures,
    { name: "registry.search.processor", text: "search, all of them: processor", value: each, unit: "ms" },
  ];
}
