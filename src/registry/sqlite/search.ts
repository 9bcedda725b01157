// Searches as SQL: one criterion leads through its index, the one with the fewest rows, and the others are looked up for
// each of its things. Numbers and texts compare as the interface says: numerically, and by UTF-8 bytes.

import { registrySearchProbeRows } from "#limits.ts";
import type { Database } from "#store/database.ts";
import type { Criterion, Reads } from "../store.ts";
import { asThing, type ThingRow, thingColumns } from "./things.ts";

interface Clause {
  sql: string;
  values: (string | number)[];
}

export function searchRecords(database: Database): Pick<Reads, "search"> {
  const names = database.prepare<[string], { id: number }>("SELECT id FROM tag_name WHERE name GLOB ? LIMIT 1000");
  const name = database.prepare<[string], { id: number }>("SELECT id FROM tag_name WHERE name = ?");

  const nameIds = ({ name: asked, nameWildcard }: Criterion): number[] =>
    (nameWildcard === undefined ? name.all(asked) : names.all(globOf(asked, nameWildcard.toUpperCase()))).map(
      row => row.id,
    );

  /** Rows of the index, counted no further than is needed to compare. */
  const weigh = (clause: Clause): number =>
    (
      database
        .prepare(`SELECT count(*) AS n FROM (SELECT 1 FROM tag WHERE ${clause.sql} LIMIT ?)`)
        .get(...clause.values, registrySearchProbeRows) as { n: number }
    ).n;

  return {
    search(criteria, offset, count) {
      const clauses: Clause[] = [];
      for (const criterion of criteria) {
        const ids = nameIds(criterion);
        if (ids.length === 0) return [];
        clauses.push(clauseOf(criterion, ids));
      }
      const weights = clauses.map(weigh);
      const leader = weights.indexOf(Math.min(...weights));
      const lead = clauses[leader];
      if (lead === undefined || weights[leader] === 0) return [];
      const others = clauses.filter((_, index) => index !== leader);
      const rows = database
        .prepare<(string | number)[], ThingRow>(
          `SELECT ${thingColumns} FROM (SELECT DISTINCT tag.thing FROM tag WHERE ${lead.sql}) AS lead
           CROSS JOIN thing ON thing.id = lead.thing
           WHERE ${[...others.map(one => `EXISTS (SELECT 1 FROM tag WHERE tag.thing = thing.id AND ${one.sql})`), "1"].join(" AND ")}
           ORDER BY thing.id LIMIT ? OFFSET ?`,
        )
        .all(...lead.values, ...others.flatMap(one => one.values), count, offset);
      return rows.map(asThing);
    },
  };
}

function clauseOf(criterion: Criterion, ids: readonly number[]): Clause {
  const which = `listed = 1 AND tag.name IN (${ids.join(",")})`;
  if (criterion.type === "mask") {
    return {
      sql: `${which} AND str IS NOT NULL AND str GLOB ?`,
      values: [globOf(criterion.mask, criterion.wildcard)],
    };
  }
  const column = criterion.type;
  const { min, max, outside } = criterion;
  const tests: string[] = [];
  const values: (string | number)[] = [];
  if (!outside && min !== undefined && max !== undefined && min.value === max.value && min.included && max.included) {
    tests.push(`${column} = ?`);
    values.push(min.value);
  } else {
    if (min !== undefined) {
      tests.push(`${column} ${min.included ? ">=" : ">"} ?`);
      values.push(min.value);
    }
    if (max !== undefined) {
      tests.push(`${column} ${max.included ? "<=" : "<"} ?`);
      values.push(max.value);
    }
  }
  const test = tests.join(" AND ");
  return { sql: `${which} AND ${column} IS NOT NULL AND ${outside ? `NOT (${test})` : test}`, values };
}

/** SQLite's GLOB, in which everything but the wildcard stands for itself. */
const globOf = (mask: string, wildcard: string): string =>
  mask
    .split(wildcard)
    .map(part => part.replace(/[*?[]/g, "[$&]"))
    .join("*");
