// Learned decisions in edge.db, written when one is learned or forgotten and never when one is used. Left out of backups:
// a restored appliance asks anew.

import { createHash } from "node:crypto";
import type { Decision, DecisionKey, DecisionKind, DecisionStore } from "#concentrator/decision-cache.ts";
import type { NodeRef } from "#contract/node.ts";
import type { Database } from "./database.ts";

interface Row {
  kind: DecisionKind;
  source: string;
  node: string;
  partition: string;
  caller: string;
  tokens: string;
  categories: number;
  names_digest: string;
  names: string;
  allow: number;
  granted_categories: number;
  granted_names: string | null;
  fetched_at: number;
  expires_at: number;
  denials: number;
}

export function createDecisionStore(database: Database): DecisionStore {
  const select = database.prepare<[], Row>("SELECT * FROM decisions ORDER BY fetched_at");
  const meta = database.prepare<[], { service: string; account: string; epoch: number }>(
    "SELECT service, account, epoch FROM decision_epoch WHERE id = 1",
  );
  const retarget = database.prepare("UPDATE decision_epoch SET service = ?, account = ? WHERE id = 1");
  const bump = database.prepare("UPDATE decision_epoch SET epoch = epoch + 1 WHERE id = 1");
  const insert = database.prepare(`
    INSERT OR REPLACE INTO decisions
      (kind, source, node, partition, caller, tokens, categories, names_digest, names, allow, granted_categories,
       granted_names, fetched_at, expires_at, denials)
    VALUES
      (@kind, @source, @node, @partition, @caller, @tokens, @categories, @names_digest, @names, @allow,
       @granted_categories, @granted_names, @fetched_at, @expires_at, @denials)`);
  const remove = database.prepare(`
    DELETE FROM decisions WHERE kind = @kind AND source = @source AND node = @node AND partition = @partition
      AND caller = @caller AND tokens = @tokens AND categories = @categories AND names_digest = @names_digest`);
  const removeAll = database.prepare("DELETE FROM decisions");
  const removeNode = database.prepare(
    "DELETE FROM decisions WHERE kind = 'isFriend' OR (source = ? AND node = ? AND partition = ?)",
  );
  const atOnce = <A extends unknown[]>(work: (...args: A) => void) => {
    const transaction = database.transaction(work);
    return (...args: A) => transaction.immediate(...args);
  };

  return {
    open(service, account) {
      const known = meta.get();
      if (known?.service !== service || known.account !== account) {
        atOnce(() => {
          removeAll.run();
          retarget.run(service, account);
          bump.run();
        })();
      }
      return select.all().map(decisionOf);
    },
    put: atOnce((decisions: readonly Decision[]) => {
      for (const decision of decisions) insert.run(rowOf(decision));
    }),
    delete: atOnce((keys: readonly DecisionKey[]) => {
      for (const key of keys) remove.run(keyOf(key));
    }),
    clear: atOnce((node?: NodeRef) => {
      if (node === undefined) removeAll.run();
      else removeNode.run(node.sourceId, node.nodeId, node.partition);
      bump.run();
    }),
    get epoch() {
      return meta.get()?.epoch ?? 0;
    },
  };
}

/** Names are what callers choose: a key has one length all the same. */
const digest = (names: readonly string[]): string =>
  names.length === 0 ? "" : createHash("sha256").update(JSON.stringify(names)).digest("base64url");

const keyOf = ({ kind, node, caller, tokens, categories, names }: DecisionKey) => ({
  kind,
  source: node.sourceId,
  node: node.nodeId,
  partition: node.partition,
  caller,
  tokens,
  categories,
  names_digest: digest(names),
});

const rowOf = (decision: Decision): Row => ({
  ...keyOf(decision),
  names: JSON.stringify(decision.names),
  allow: Number(decision.allow),
  granted_categories: decision.grantedCategories,
  granted_names: decision.grantedNames === undefined ? null : JSON.stringify(decision.grantedNames),
  fetched_at: decision.fetchedAt,
  expires_at: decision.expiresAt,
  denials: decision.denials,
});

const decisionOf = (row: Row): Decision => ({
  kind: row.kind,
  node: { nodeId: row.node, sourceId: row.source, partition: row.partition },
  caller: row.caller,
  tokens: row.tokens,
  categories: row.categories,
  names: JSON.parse(row.names) as string[],
  allow: row.allow === 1,
  grantedCategories: row.granted_categories,
  grantedNames: row.granted_names === null ? undefined : (JSON.parse(row.granted_names) as string[]),
  fetchedAt: row.fetched_at,
  expiresAt: row.expires_at,
  denials: row.denials,
});
