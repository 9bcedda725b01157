// Ownership in edge.db: one row a thing, one row a known service.

import type { KnownService, OwnershipStore, ThingRecord, ThingState } from "#concentrator/ownership.ts";
import type { NodeRef, Tag } from "#contract/node.ts";
import type { Database } from "./database.ts";

interface Row {
  source: string;
  node: string;
  partition: string;
  state: ThingState;
  owner: string | null;
  is_public: number | null;
  in_registry: number;
  claim_key: string | null;
  registry: string | null;
  tags: string;
  leaving: number;
}

export function createOwnershipStore(database: Database): OwnershipStore {
  const all = database.prepare<[], Row>("SELECT * FROM things ORDER BY source, node, partition");
  const put = database.prepare(`
    INSERT OR REPLACE INTO things
      (source, node, partition, state, owner, is_public, in_registry, claim_key, registry, tags, leaving)
    VALUES
      (@source, @node, @partition, @state, @owner, @is_public, @in_registry, @claim_key, @registry, @tags, @leaving)`);
  const remove = database.prepare("DELETE FROM things WHERE source = ? AND node = ? AND partition = ?");
  const service = database.prepare<[string], KnownService>("SELECT jid, generation FROM services WHERE role = ?");
  const remember = database.prepare("INSERT OR REPLACE INTO services (role, jid, generation) VALUES (?, ?, ?)");

  return {
    all: () => all.all().map(recordOf),
    put(record) {
      put.run(rowOf(record));
    },
    delete({ sourceId, nodeId, partition }: NodeRef) {
      remove.run(sourceId, nodeId, partition);
    },
    service: role => service.get(role),
    rememberService(role, { jid, generation }) {
      remember.run(role, jid, generation);
    },
    atomically: work => database.transaction(work).immediate(),
  };
}

const recordOf = (row: Row): ThingRecord => ({
  ref: { nodeId: row.node, sourceId: row.source, partition: row.partition },
  state: row.state,
  owner: row.owner ?? undefined,
  isPublic: row.is_public === null ? undefined : row.is_public === 1,
  inRegistry: row.in_registry === 1,
  key: row.claim_key ?? undefined,
  registry: row.registry ?? undefined,
  tags: JSON.parse(row.tags) as Tag[],
  leaving: row.leaving === 1,
});

const rowOf = (record: ThingRecord): Row => ({
  source: record.ref.sourceId,
  node: record.ref.nodeId,
  partition: record.ref.partition,
  state: record.state,
  owner: record.owner ?? null,
  is_public: record.isPublic === undefined ? null : Number(record.isPublic),
  in_registry: Number(record.inRegistry),
  claim_key: record.key ?? null,
  registry: record.registry ?? null,
  tags: JSON.stringify(record.tags),
  leaving: Number(record.leaving),
});
