// Rows of things: who they are, whose they are, in which state.

import type { NodeRef } from "#contract/node.ts";
import type { Database } from "#store/database.ts";
import type { Reads, Thing, ThingState, Writes } from "../store.ts";
import type { TagIndex } from "./tags.ts";
import type { remembered } from "./terms.ts";

export interface ThingRow {
  id: number;
  jid: string;
  node: string;
  source: string;
  partition: string;
  state: string;
  prior: string | null;
  owner: string | null;
}

export const thingColumns = "thing.id, jid, node, source, partition, state, prior, owner";

export const asThing = (row: ThingRow): Thing => ({
  id: row.id,
  jid: row.jid,
  ref: { nodeId: row.node, sourceId: row.source, partition: row.partition },
  state: row.state as ThingState,
  owner: row.owner ?? undefined,
  prior: (row.prior as ThingState | null) ?? undefined,
});

type ThingMethods =
  | "thing"
  | "thingById"
  | "thingsOf"
  | "thingsOwned"
  | "claimable"
  | "countThings"
  | "hasThings"
  | "ownsAnything"
  | "friendThing"
  | "insertThing"
  | "setThing"
  | "beginDisown"
  | "restoreDisown"
  | "restoreDisowns"
  | "deleteThing";

/** `counts`: things of a JID, as far as they were counted. `touched` is told of each thing that may be found now, or no longer. */
export function thingRecords(
  database: Database,
  index: TagIndex,
  counts: ReturnType<typeof remembered<string>>,
  touched: (id: number) => void,
): Pick<Reads & Writes, ThingMethods> {
  const select = (where: string) =>
    database.prepare<unknown[], ThingRow>(`SELECT ${thingColumns} FROM thing WHERE ${where}`);
  const byAddress = select("jid = ? AND node = ? AND source = ? AND partition = ?");
  const byId = select("id = ?");
  const byOwnerAt = select("jid = ? AND owner = ? ORDER BY id");
  const byOwner = select(
    "owner = ? AND state IN ('public','private','removed','disowning') ORDER BY id LIMIT ? OFFSET ?",
  );
  const byDigest = select("claim_digest = ? AND state = 'unclaimed' LIMIT 2");
  // Each part of an address that is given narrows by itself (DISCO-MINE-01).
  const byDigestAt = select(
    "claim_digest = ? AND state = 'unclaimed' AND ? IN ('', node) AND ? IN ('', source) AND ? IN ('', partition) LIMIT 2",
  );
  const count = database.prepare<[string], { n: number }>("SELECT count(*) AS n FROM thing WHERE jid = ?");
  const anyOf = database.prepare("SELECT 1 FROM thing WHERE jid = ? LIMIT 1");
  const anyOwned = database.prepare("SELECT 1 FROM thing WHERE owner = ? LIMIT 1");
  const firstClaimed = select(
    "jid = ? AND owner IS NOT NULL AND state IN ('public','private','removed','disowning') ORDER BY claimed_at, id LIMIT 1",
  );
  const insert = database.prepare(
    `INSERT INTO thing (jid, node, source, partition, state, owner, claim_digest, registered_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const set = database.prepare(
    `UPDATE thing SET state = ?, prior = NULL, owner = ?, claim_digest = ?, claimed_at = coalesce(?, claimed_at)
     WHERE id = ?`,
  );
  const begin = database.prepare("UPDATE thing SET prior = state, state = 'disowning' WHERE id = ?");
  const restore = database.prepare("UPDATE thing SET state = prior, prior = NULL WHERE id = ? AND state = 'disowning'");
  const restoreAll = database.prepare("UPDATE thing SET state = prior, prior = NULL WHERE state = 'disowning'");
  const drop = database.prepare("DELETE FROM thing WHERE id = ?");
  const dropPending = database.prepare(
    "DELETE FROM pending WHERE jid = ? AND node = ? AND source = ? AND partition = ?",
  );
  const isListed = listedReader(database);
  const one = (row: ThingRow | undefined) => row && asThing(row);
  const address = (ref: NodeRef) => [ref.nodeId, ref.sourceId, ref.partition];

  return {
    thing: (jid, ref) => one(byAddress.get(jid, ...address(ref))),
    thingById: id => one(byId.get(id)),
    thingsOf: (jid, owner) => byOwnerAt.all(jid, owner).map(asThing),
    thingsOwned: (owner, offset, rows) => byOwner.all(owner, rows, offset).map(asThing),
    claimable: (digest, ref) =>
      (ref === undefined ? byDigest.all(digest) : byDigestAt.all(digest, ...address(ref))).map(asThing),
    // Counting ten thousand with each registration would be the most of it.
    countThings: jid => counts.get(jid, () => count.get(jid)?.n ?? 0),
    hasThings: jid => anyOf.get(jid) !== undefined,
    ownsAnything: owner => anyOwned.get(owner) !== undefined,
    friendThing(jid) {
      const root = byAddress.get(jid, "", "", "");
      return one(root !== undefined && root.owner !== null ? root : firstClaimed.get(jid));
    },
    insertThing(jid, ref, state, owner, digest, at) {
      const row = insert.run(jid, ...address(ref), state, owner ?? null, digest ?? null, at);
      touched(Number(row.lastInsertRowid));
      counts.change(jid, 1);
      return Number(row.lastInsertRowid);
    },
    setThing(id, state, owner, digest, claimedAt) {
      const was = isListed(id);
      set.run(state, owner ?? null, digest ?? null, claimedAt ?? null, id);
      const is = state === "public" || state === "selfOwned";
      if (is && !was) index.list(id);
      if (was && !is) index.unlist(id);
      touched(id);
    },
    beginDisown: id => void begin.run(id),
    restoreDisown: id => void restore.run(id),
    restoreDisowns: () => void restoreAll.run(),
    deleteThing(thing) {
      index.unlist(thing.id);
      drop.run(thing.id);
      counts.forget(thing.jid);
      touched(thing.id);
      dropPending.run(thing.jid, ...address(thing.ref));
    },
  };
}

/** Strangers may find it (DISCO-SEARCH-01); also while its disowning waits for its answer, for it may be restored. */
export const listedSql =
  "(CASE thing.state WHEN 'disowning' THEN prior ELSE thing.state END) IN ('public','selfOwned')";

/** Whether strangers may find the thing. */
export function listedReader(database: Database): (id: number) => boolean {
  const listed = database.prepare<[number]>(`SELECT 1 FROM thing WHERE id = ? AND ${listedSql}`);
  return id => listed.get(id) !== undefined;
}
