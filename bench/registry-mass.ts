// A registry as after years: many things of many gateways, with the tags real things have, nine of ten claimed and public.
// Written by the registry's own store, the fast way; what is measured afterwards goes the way of every stanza.

import { createHash } from "node:crypto";
import { silentLog } from "#base/log.ts";
import type { Tag } from "#contract/node.ts";
import { openRegistryStore } from "#registry/sqlite/store.ts";
import { claimDigest } from "#registry/tags.ts";

export const perGateway = 200;
const atOnce = 1_000;

const classes = [
  "HeatMeter",
  "HeatMeter",
  "HeatMeter",
  "WaterMeter",
  "WaterMeter",
  "PowerMeter",
  "Pump",
  "Valve",
  "Gateway",
  "Sensor",
];
const makers = Array.from({ length: 30 }, (_, n) => `Maker ${String.fromCharCode(65 + (n % 26))}${n}`);
const cities = Array.from(
  { length: 500 },
  (_, n) =>
    `${["Sunds", "Norr", "Väster", "Karls", "Öster"][n % 5]}${["vall", "köping", "vik", "stad", "hamn"][(n >> 3) % 5]} ${n}`,
);
const countries = ["SE", "NO", "DK", "FI", "DE", "AT", "CH", "NL", "FR", "ES"];

/** Pseudo-random and the same in each run: a number below `below` for that thing and purpose. */
export function pick(n: number, purpose: number, below: number): number {
  let x = (n * 2_654_435_761 + purpose * 40_503) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 2_246_822_507) >>> 0;
  x = Math.imul(x ^ (x >>> 13), 3_266_489_909) >>> 0;
  return ((x ^ (x >>> 16)) >>> 0) % below;
}
const one = <T>(list: readonly T[], n: number, purpose: number): T => list[pick(n, purpose, list.length)] as T;

/** Pumps are made by makers who make nothing else: there are conditions that each hold often and never together. */
export function tagsOf(n: number): Tag[] {
  const thingClass = one(classes, n, 1);
  const maker = thingClass === "Pump" ? `Pumps ${pick(n, 2, 3)}` : one(makers, n, 2);
  return [
    { name: "CLASS", value: thingClass },
    { name: "MAN", value: maker },
    { name: "MODEL", value: `M${10 + pick(n, 3, 90)}-${"ABCD"[pick(n, 4, 4)]}` },
    { name: "SN", value: String(10_000_000 + ((n * 7_919) % 89_999_981)) },
    { name: "CITY", value: one(cities, n, 5) },
    { name: "COUNTRY", value: one(countries, n, 6) },
    { name: "ROOM", value: `Room ${pick(n, 7, 60)}` },
    { name: "V", value: 1 + pick(n, 8, 40) / 10 },
    { name: "LAT", value: 36 + pick(n, 9, 340_000) / 10_000 },
    { name: "LON", value: -9 + pick(n, 10, 390_000) / 10_000 },
  ];
}

export const keyOf = (n: number): string => createHash("sha256").update(`key ${n}`).digest("hex");
export const cityOf = (n: number): string => cities[n % cities.length] as string;
export const makerOf = (n: number): string => makers[n % makers.length] as string;
export const countryOf = (n: number): string => countries[n % countries.length] as string;

export const gatewayOf = (n: number, domain: string): string => `gw${Math.floor(n / perGateway)}@${domain}`;
export const nodeOf = (n: number) => ({ nodeId: `meter-${n}`, sourceId: "MeteringTopology", partition: "" });
export const ownerOf = (n: number, domain: string): string => `owner${Math.floor(n / perGateway) % 5_000}@${domain}`;
/** Every tenth waits to be claimed. */
export const isClaimed = (n: number): boolean => n % 10 !== 9;
/** Whom the owners of the first gateway have let read. */
export const reader = (domain: string): string => `reader@${domain}`;

export async function fill(
  path: string,
  count: number,
  domain: string,
  note: (text: string) => void,
  signal: AbortSignal,
) {
  await using store = openRegistryStore(path, silentLog);
  for (let from = 0; from < count; from += atOnce) {
    signal.throwIfAborted();
    await store.change(async records => {
      for (let n = from; n < Math.min(count, from + atOnce); n++) {
        const tags = tagsOf(n);
        const digest = isClaimed(n) ? undefined : claimDigest([...tags, { name: "KEY", value: keyOf(n) }]);
        const owner = isClaimed(n) ? ownerOf(n, domain) : undefined;
        const id = await records.insertThing(
          gatewayOf(n, domain),
          nodeOf(n),
          owner === undefined ? "unclaimed" : "public",
          owner,
          digest,
          n,
        );
        await records.replaceTags(id, tags);
        if (n < perGateway && owner !== undefined) {
          const origin = { kind: "caller", value: reader(domain) } as const;
          await records.putRule(id, "read", { origin, allow: true, categories: 63, names: undefined }, "", n);
        }
      }
    });
    if ((from + atOnce) % 100_000 === 0) note(`${from + atOnce} things are there`);
  }
}
