// Roles in edge.db: one row a grant.

import type { Grant, GrantStore, Role } from "#concentrator/grants.ts";
import type { Database } from "./database.ts";

interface Row {
  jid: string;
  role: Role;
  source: string;
  node: string;
  partition: string;
  giver: string;
  given_as: Grant["as"];
  given_at: number;
  until: number | null;
}

export function createGrantStore(database: Database): GrantStore {
  const all = database.prepare<[], Row>("SELECT * FROM grants ORDER BY given_at, jid, role, source, node");
  const put = database.prepare(`
    INSERT OR REPLACE INTO grants (jid, role, source, node, partition, giver, given_as, given_at, until)
    VALUES (@jid, @role, @source, @node, @partition, @giver, @given_as, @given_at, @until)`);
  const remove = database.prepare(`
    DELETE FROM grants WHERE jid = @jid AND role = @role AND source = @source AND node = @node
      AND partition = @partition AND giver = @giver`);
  const removeAll = database.transaction((grants: readonly Grant[]) => {
    for (const { jid, role, giver, source, node, partition } of grants.map(rowOf)) {
      remove.run({ jid, role, giver, source, node, partition });
    }
  });

  return {
    all: () => all.all().map(grantOf),
    put(grant) {
      put.run(rowOf(grant));
    },
    delete: grants => removeAll(grants),
  };
}

const grantOf = (row: Row): Grant => ({
  jid: row.jid,
  role: row.role,
  node: { nodeId: row.node, sourceId: row.source, partition: row.partition },
  by: row.giver,
  as: row.given_as,
  at: row.given_at,
  until: row.until ?? undefined,
});

const rowOf = (grant: Grant): Row => ({
  jid: grant.jid,
  role: grant.role,
  source: grant.node.sourceId,
  node: grant.node.nodeId,
  partition: grant.node.partition,
  giver: grant.by,
  given_as: grant.as,
  given_at: grant.at,
  until: grant.until ?? null,
});
