// What a search has found, as nodes and as addresses: ids that stay the same whoever searches, free primary addresses, and who
// shares one with another.

import type { ChildNode, Memory } from "#contract/driver.ts";
import { mbusFoundMax } from "#limits.ts";
import { isSelected, primaryMax } from "./address.ts";
import type { Resident } from "./line.ts";
import { partsOfFace } from "./probing.ts";
import type { Met, Search } from "./search.ts";

/** As `parseAddress` reads it. */
export const addressOf = ({ address, fabrication }: Met): string =>
  address.replace(/(?<=^.{8})F+$/, "") + (fabrication === undefined ? "" : `/${fabrication}`);

/**
 * mbus-12345678: the number on the face. Where two meters on the line have the same number, all sixteen digits; where those are
 * the same too, the fabrication number behind them.
 */
export function nodeIdOf(meter: Met, all: readonly Met[]): string {
  const alike = (digits: number) =>
    all.filter(one => one.address.slice(0, digits) === meter.address.slice(0, digits)).length;
  const name = alike(8) < 2 ? meter.address.slice(0, 8) : meter.address;
  return `mbus-${name}${alike(16) < 2 || meter.fabrication === undefined ? "" : `-${meter.fabrication}`}`;
}

const classes: Readonly<Record<number, string>> = {
  2: "ElectricityMeter",
  3: "GasMeter",
  4: "HeatMeter",
  6: "WaterMeter",
  7: "WaterMeter",
  8: "HeatCostAllocator",
  10: "CoolingMeter",
  11: "CoolingMeter",
  12: "HeatMeter",
  13: "HeatMeter",
  21: "WaterMeter",
  22: "WaterMeter",
};

export function childOf(meter: Met, all: readonly Met[]): ChildNode {
  const { id, manufacturer, medium } = partsOfFace(meter.address);
  const itsClass = medium === undefined ? undefined : classes[medium];
  return {
    type: "mbus.meter",
    id: nodeIdOf(meter, all),
    name: id,
    settings: {
      // Who does not say his manufacturer gives a fixed structure, and such meters are seldom selected by their number.
      address: manufacturer === undefined && meter.primary > 0 ? String(meter.primary) : addressOf(meter),
      serialNumber: id,
      ...(itsClass === undefined ? {} : { class: itsClass }),
      ...(manufacturer === undefined ? {} : { manufacturer }),
    },
  };
}

/** It has a node: by who it says it is, by the number it is selected by, or by a primary address nobody else answers at. */
export function isResident(meter: Met, residents: Iterable<Resident>, all: readonly Met[]): boolean {
  const isAlone = all.every(one => one === meter || one.primary !== meter.primary);
  for (const { address, face } of residents) {
    if (face !== undefined && face === meter.address && meter.fabrication === undefined) return true;
    if (address.kind === "primary") {
      if (face === undefined && isAlone && address.address === meter.primary) return true;
    } else if (
      isSelected(address.digits, { secondaryAddress: meter.address }) &&
      address.fabrication === meter.fabrication
    )
      return true;
  }
  return false;
}

/** Meters that answer at an address another one answers at, or at 0, the address of those that were never set up. */
export const toBeMoved = (all: readonly Met[]): Met[] =>
  all.filter(({ primary }, n) => primary === 0 || all.findIndex(one => one.primary === primary) < n);

/** The next address from `from` on at which none of these answers; undefined when none is left. */
export function freeAddress(taken: ReadonlySet<number>, from: number): number | undefined {
  for (let address = Math.max(1, from); address <= primaryMax; address++) if (!taken.has(address)) return address;
  return undefined;
}

/** What was found on a line since it was opened, and a search that was given up; the latter survives a restart. */
export interface FoundMeters {
  readonly all: readonly Met[];
  add(meter: Met): void;
  unfinished(): Search | undefined;
  /** Undefined: the search is over. */
  keep(search: Search | undefined): void;
}

/** `key`: the line's own, the same after a restart. */
export function createFoundMeters(key: string, memory: Memory | undefined): FoundMeters {
  const all: Met[] = [];
  const name = `search ${key}`;
  let kept = parseSearch(memory?.recall(name));
  for (const one of kept?.met ?? []) all.push(one);
  return {
    all,
    add(meter) {
      const at = all.findIndex(one => one.address === meter.address && one.fabrication === meter.fabrication);
      if (at >= 0) all[at] = meter;
      else if (all.length < mbusFoundMax) all.push(meter);
    },
    unfinished: () => kept,
    keep(search) {
      kept = search === undefined || search.levels.length === 0 ? undefined : search;
      memory?.keep(name, kept === undefined ? "" : JSON.stringify(kept));
    },
  };
}

/** Our own text, unless the file was damaged: then the search begins anew. */
function parseSearch(text: string | undefined): Search | undefined {
  try {
    const search = JSON.parse(text ?? "") as Search;
    return Array.isArray(search.levels) && search.levels.length > 0 && Array.isArray(search.met) ? search : undefined;
  } catch {
    return undefined;
  }
}
