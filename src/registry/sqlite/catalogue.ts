// Keeps the listing in memory like the file: reads it at the start, in pieces, follows every commit, and reads another
// column when one is searched for. The tags that many things have are held; what few have is found by its index.

import { Refusal } from "#contract/faults.ts";
import { searchBlockRows, searchColumnsMax, searchFewRows } from "#limits.ts";
import type { Database } from "#store/database.ts";
import { type Cell, createListing, type Listing } from "./listing.ts";
import { listedReader, listedSql } from "./things.ts";

export interface Catalogue {
  readonly listing: Listing;
  /** This thing, or its tags, were changed in the transaction that is under way. */
  touched(id: number): void;
  committed(): void;
  /** Resolves when every listed thing is in memory, with columns of these names. */
  ready(names: readonly number[], signal: AbortSignal): Promise<void>;
  /** Ends the reading. */
  close(): void;
}

export interface Sizes {
  /** Names that more things have get a column at the start. */
  readonly fewRows: number;
  /** At most 65,535: places are numbers of 16 bits. */
  readonly blockRows: number;
}

export const standardSizes: Sizes = { fewRows: searchFewRows, blockRows: searchBlockRows };

interface CellRow extends Cell {
  readonly thing: number;
}

/** Things read in one turn: some three milliseconds, for others are answered meanwhile. */
const piece = 250;
/** Before anybody is answered. */
const piecesAtOnce = 20;
/** Names looked at for columns at the start; the usual ones are seen first. */
const namesLookedAt = 200;

/** `settled`: resolves when no transaction is under way. */
export function createCatalogue(database: Database, sizes: Sizes, settled: () => Promise<void>): Catalogue {
  const listing = createListing(sizes.blockRows);
  const touched = new Set<number>();
  /** By name, oldest use first. */
  const columns = new Map<number, Promise<void>>();
  let readTo = 0;
  let isOpen = true;

  const page = database
    .prepare<[number, number], number>(`SELECT id FROM thing WHERE id > ? AND ${listedSql} ORDER BY id LIMIT ?`)
    .pluck();
  const isListed = listedReader(database);
  const cells = database.prepare<[number, number], CellRow>(
    "SELECT thing, name, term, num FROM tag WHERE thing BETWEEN ? AND ? ORDER BY thing",
  );
  const cellsOfName = database.prepare<[number, number, number], CellRow>(
    "SELECT thing, name, term, num FROM tag WHERE thing BETWEEN ? AND ? AND name = ?",
  );

  const rest = async () => {
    await new Promise(resolve => setImmediate(resolve));
    await settled();
  };
  /** The next things; false when there are no more. */
  const readPiece = (): boolean => {
    const ids = page.all(readTo, piece);
    const [first, last] = [ids[0], ids.at(-1)];
    if (first === undefined || last === undefined) {
      readTo = Number.POSITIVE_INFINITY;
      return false;
    }
    const byThing = Map.groupBy(cells.iterate(first, last), ({ thing }) => thing);
    for (const id of ids) listing.put(id, byThing.get(id) ?? []);
    readTo = last;
    return true;
  };
  const readAll = async () => {
    while (isOpen && readPiece()) await rest();
  };
  const readColumn = async (name: number) => {
    await all;
    listing.addName(name);
    let id = 0;
    for (let block = listing.after(id); block !== undefined && isOpen; block = listing.after(id)) {
      const last = block.ids[block.count - 1] ?? 0;
      for (const cell of cellsOfName.iterate(block.ids[0] ?? 0, last, name)) listing.set(cell.thing, cell);
      id = last;
      await rest();
    }
  };
  const follow = (id: number) => {
    // What was not read yet is read with the rest.
    if (id > readTo) return;
    if (isListed(id)) listing.put(id, cells.all(id, id));
    else listing.drop(id);
  };
  const columnOf = (name: number): Promise<void> => {
    const known = columns.get(name);
    columns.delete(name);
    const one = known ?? readColumn(name);
    columns.set(name, one);
    return one;
  };

  for (const name of frequentNames(database, sizes.fewRows)) {
    listing.addName(name);
    columns.set(name, Promise.resolve());
  }
  // A registry of ordinary size is in memory at once.
  for (let pieces = 0; pieces < piecesAtOnce && readPiece(); ) pieces++;
  const all = readAll();
  // Who needs it waits for it and hears why it failed; nobody may need it.
  all.catch(() => {});

  return {
    listing,
    touched: id => void touched.add(id),
    committed() {
      for (const id of touched) follow(id);
      touched.clear();
    },
    async ready(names, signal) {
      const needed = [all, ...names.map(columnOf)];
      for (const name of columns.keys()) {
        if (columns.size <= searchColumnsMax) break;
        if (names.includes(name)) continue;
        columns.delete(name);
        listing.dropName(name);
      }
      if (columns.size > searchColumnsMax) throw new Refusal("busy", "this search needs too many different tags");
      await Promise.race([Promise.all(needed), aborted(signal)]);
    },
    close() {
      isOpen = false;
    },
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function frequentNames(database: Database, few: number): number[] {
  const count = (rows: string) =>
    database.prepare<[number, number], number>(`SELECT count(*) FROM (SELECT 1 FROM ${rows} LIMIT ?)`).pluck();
  const texts = count("term CROSS JOIN tag ON tag.term = term.id WHERE term.name = ?");
  const nums = count("tag WHERE name = ? AND num IS NOT NULL");
  const names = database.prepare<[number], number>("SELECT id FROM tag_name ORDER BY id LIMIT ?").pluck();
  return names
    .all(namesLookedAt)
    .filter(name => (texts.get(name, few + 1) ?? 0) + (nums.get(name, few + 1) ?? 0) > few)
    .slice(0, searchColumnsMax);
}
