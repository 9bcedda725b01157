// Nodes whose history is kept for a shorter time than that of the others: deleted in bounded steps, by the index that reads use.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { type NodeRef, nodeKey } from "#contract/node.ts";
import { historyPruneRows } from "#limits.ts";
import type { Database } from "./database.ts";
import { columns } from "./readings.ts";

export interface RetentionDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly clockTrusted?: () => boolean;
}

export function createRetention(database: Database, { clock, log, clockTrusted }: RetentionDeps) {
  const kept = new Map<string, { node: NodeRef; keepMs: number }>();
  const remove = database.prepare(`
    DELETE FROM samples WHERE id IN (
      SELECT samples.id FROM samples JOIN series ON series.id = samples.series
      WHERE source = ? AND node = ? AND partition = ? AND at < ? ORDER BY at LIMIT ?)`);

  return {
    /** Undefined: as long as that of all others. */
    keepFor(node: NodeRef, keepMs: number | undefined): void {
      if (keepMs === undefined) kept.delete(nodeKey(node));
      else kept.set(nodeKey(node), { node, keepMs });
    },
    /** One bounded step over all of them; true when there is more to do. */
    prune(): boolean {
      if (!(clockTrusted?.() ?? true)) return false;
      let left: number = historyPruneRows;
      try {
        for (const { node, keepMs } of kept.values()) {
          left -= remove.run(...columns(node), clock.now() - keepMs, left).changes;
          if (left === 0) return true;
        }
      } catch (error) {
        log.warning("history-not-pruned", { error });
      }
      return false;
    },
  };
}
