// Rows of pushes that wait for an acknowledgement, and of the component's roster.

import type { Dialect } from "#iot/old-discovery.ts";
import type { Database } from "#store/database.ts";
import type { Peer, Pending, PushKind, Reads, Writes } from "../store.ts";

interface PendingRow {
  id: number;
  jid: string;
  what: string;
  node: string;
  source: string;
  partition: string;
  owner: string | null;
  is_public: number;
  tries: number;
}

interface PeerRow {
  jid: string;
  generation: string;
  presence_to: string;
  presence_from: number;
}

type PendingMethods =
  | "pendingOf"
  | "pendingDue"
  | "nextDue"
  | "putPending"
  | "deletePending"
  | "deletePendingOf"
  | "deferPending"
  | "clearEveryDevice";
type PeerMethods = "peer" | "peersAfter" | "putPeer";

export const trafficRecords = (database: Database): Pick<Reads & Writes, PendingMethods | PeerMethods> => ({
  ...pendingRecords(database),
  ...peerRecords(database),
});

function pendingRecords(database: Database): Pick<Reads & Writes, PendingMethods> {
  const ofJid = database.prepare<[string], PendingRow>("SELECT * FROM pending WHERE jid = ? ORDER BY id");
  const due = database.prepare<[number, number], { jid: string }>(
    "SELECT jid FROM pending WHERE due <= ? GROUP BY jid ORDER BY min(due) LIMIT ?",
  );
  const next = database.prepare<[], { due: number | null }>(
    "SELECT min(due) AS due FROM pending WHERE due IS NOT NULL",
  );
  // OR REPLACE gives a new id: a flag set again while its push is on the way is not cleared by the old acknowledgement.
  const put = database.prepare(
    `INSERT OR REPLACE INTO pending (jid, what, node, source, partition, owner, is_public, tries, due)
     VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)`,
  );
  const drop = database.prepare("DELETE FROM pending WHERE id = ?");
  const dropOf = database.prepare(
    "DELETE FROM pending WHERE jid = ? AND what = ? AND node = ? AND source = ? AND partition = ?",
  );
  const defer = database.prepare("UPDATE pending SET tries = ?, due = ? WHERE jid = ?");
  const clearAll = database.prepare(
    `INSERT INTO pending (jid, what, node, source, partition, is_public, tries)
     SELECT DISTINCT thing.jid, 'clearCache', '', '', '', 0, 0 FROM thing LEFT JOIN peer ON peer.jid = thing.jid
     WHERE thing.owner IS NOT NULL AND thing.state <> 'selfOwned' AND coalesce(peer.generation, 'nf') <> 'nfi'
     ON CONFLICT DO NOTHING`,
  );

  return {
    pendingOf: jid => ofJid.all(jid).map(asPending),
    pendingDue: (by, count) => due.all(by, count).map(row => row.jid),
    nextDue: () => next.get()?.due ?? undefined,
    putPending({ jid, what, ref, owner, isPublic }, at) {
      put.run(jid, what, ref.nodeId, ref.sourceId, ref.partition, owner ?? null, isPublic ? 1 : 0, at ?? null);
    },
    deletePending(ids) {
      for (const id of ids) drop.run(id);
    },
    deletePendingOf(jid, ref, what) {
      for (const one of what) dropOf.run(jid, one, ref.nodeId, ref.sourceId, ref.partition);
    },
    deferPending: (jid, tries, at) => void defer.run(tries, at ?? null, jid),
    clearEveryDevice: () => void clearAll.run(),
  };
}

function peerRecords(database: Database): Pick<Reads & Writes, PeerMethods> {
  const one = database.prepare<[string], PeerRow>("SELECT * FROM peer WHERE jid = ?");
  const after = database.prepare<[string, number], PeerRow>(
    "SELECT * FROM peer WHERE presence_to = 'both' AND jid > ? ORDER BY jid LIMIT ?",
  );
  const put = database.prepare(
    `INSERT INTO peer (jid, generation, presence_to, presence_from) VALUES (?, ?, ?, ?)
     ON CONFLICT (jid) DO UPDATE SET generation = excluded.generation, presence_to = excluded.presence_to,
       presence_from = excluded.presence_from`,
  );
  return {
    peer(jid) {
      const row = one.get(jid);
      return row && asPeer(row);
    },
    peersAfter: (jid, count) => after.all(jid, count).map(asPeer),
    putPeer: ({ jid, generation, to, from }) => void put.run(jid, generation, to, from ? 1 : 0),
  };
}

const asPending = (row: PendingRow): Pending => ({
  id: row.id,
  jid: row.jid,
  what: row.what as PushKind,
  ref: { nodeId: row.node, sourceId: row.source, partition: row.partition },
  owner: row.owner ?? undefined,
  isPublic: row.is_public === 1,
  tries: row.tries,
});

const asPeer = (row: PeerRow): Peer => ({
  jid: row.jid,
  generation: row.generation as Dialect,
  to: row.presence_to as Peer["to"],
  from: row.presence_from === 1,
});
