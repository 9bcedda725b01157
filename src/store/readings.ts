// Readings in history.db: one row a sample, the latest value of each field beside it, kept for a bounded time and number.

import type { LatestField, Readings } from "#concentrator/records.ts";
import type { Field, Sample } from "#contract/field.ts";
import { type NodeRef, nodeKey } from "#contract/node.ts";
import { fieldsPerNodeMax, historyPageRows, latestNodesMax } from "#limits.ts";
import type { Behind } from "./behind.ts";
import type { Database } from "./database.ts";
import { formatFields, formatLatest, parseFields, parseLatest } from "./field-text.ts";

type Latest = Map<string, LatestField>;

interface Page {
  id: number;
  at: number;
  fields: string;
}

export function createReadings(database: Database, behind: Behind): Omit<Readings, "keepFor"> {
  const keepSeries = database
    .prepare<[string, string, string, string], number>(
      `INSERT INTO series (source, node, partition, latest) VALUES (?, ?, ?, ?)
       ON CONFLICT (source, node, partition) DO UPDATE SET latest = excluded.latest RETURNING id`,
    )
    .pluck();
  const insert = database.prepare("INSERT INTO samples (series, at, fields) VALUES (?, ?, ?)");
  const findLatest = database
    .prepare<string[], string>("SELECT latest FROM series WHERE source = ? AND node = ? AND partition = ?")
    .pluck();
  const page = database.prepare<(string | number)[], Page>(`
    SELECT samples.id, at, fields FROM samples JOIN series ON series.id = series
    WHERE source = ? AND node = ? AND partition = ? AND (at, samples.id) > (?, ?) AND at <= ?
    ORDER BY at, samples.id LIMIT ${historyPageRows}`);
  const rename = database.prepare(
    "UPDATE OR REPLACE series SET source = ?, node = ?, partition = ? WHERE source = ? AND node = ? AND partition = ?",
  );
  const remove = database.prepare("DELETE FROM series WHERE source = ? AND node = ? AND partition = ?");

  /** Least recently used first. */
  const cache = new Map<string, Latest>();
  /** Nodes whose latest values wait to be written: not to be read back from the disk before. */
  const unsaved = new Set<string>();

  const latestOf = (node: NodeRef): Latest => {
    const key = nodeKey(node);
    let found = cache.get(key);
    if (found === undefined) {
      if (unsaved.has(key)) behind.flush();
      found = new Map(parseLatest(findLatest.get(...columns(node)) ?? "[]").map(one => [one.field.name, one]));
    }
    cache.delete(key);
    cache.set(key, found);
    if (cache.size > latestNodesMax) cache.delete(cache.keys().next().value as string);
    return found;
  };

  const remember = (node: NodeRef, { at, fields }: Sample): Latest => {
    const latest = latestOf(node);
    for (const field of fields) {
      const known = latest.get(field.name);
      // An older sample that comes late does not replace a newer one; a new name beyond the bound is not kept.
      if (known === undefined ? latest.size < fieldsPerNodeMax : known.at <= at) latest.set(field.name, { at, field });
    }
    return latest;
  };

  return {
    remember: (node, sample) => {
      remember(node, sample);
    },
    record(node, sample) {
      const latest = remember(node, sample);
      const text = formatFields(sample.fields.filter(isHistory));
      const key = nodeKey(node);
      unsaved.add(key);
      behind.add(() => {
        const series = keepSeries.get(...columns(node), formatLatest(latest.values())) as number;
        if (text !== "[]") insert.run(series, Math.round(sample.at), text);
        unsaved.delete(key);
      });
    },
    latest: node => [...latestOf(node).values()],
    *between(node, from, to) {
      // Rows that still wait are part of the answer; they would be written within a second anyway.
      behind.flush();
      let after: [number, number] = [Math.ceil(Math.max(from, -(2 ** 53))), -1];
      const until = Math.floor(Math.min(to, 2 ** 53));
      for (;;) {
        const rows = page.all(...columns(node), ...after, until);
        for (const row of rows) yield { at: row.at, fields: parseFields(row.fields) };
        const last = rows.at(-1);
        if (last === undefined || rows.length < historyPageRows) return;
        after = [last.at, last.id];
      }
    },
    forget(node) {
      const key = nodeKey(node);
      cache.delete(key);
      unsaved.add(key);
      behind.add(() => {
        remove.run(...columns(node));
        unsaved.delete(key);
      });
    },
    rename(from, to) {
      // Everything up to now is written under the old name first; a failing disk keeps the order.
      const latest = latestOf(from);
      cache.delete(nodeKey(from));
      cache.set(nodeKey(to), latest);
      unsaved.add(nodeKey(to));
      behind.add(() => {
        rename.run(...columns(to), ...columns(from));
        unsaved.delete(nodeKey(to));
      });
    },
  };
}

/** Identities do not change, and what a device keeps of its own past is its own to tell: neither is worth a row a poll. */
const isHistory = ({ value, categories }: Field): boolean =>
  value.kind !== "missing" &&
  (categories.momentary || categories.peak || categories.status || categories.computed) &&
  !categories.historical;

export const columns = (node: NodeRef): [source: string, node: string, partition: string] => [
  node.sourceId,
  node.nodeId,
  node.partition,
];
