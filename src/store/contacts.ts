// Who is kept out, and pairing codes, in edge.db.

import type { Blocked, ContactStore, Pairing } from "#concentrator/contacts.ts";
import type { Database } from "./database.ts";

export function createContactStore(database: Database): ContactStore {
  const blocked = database.prepare<[], Blocked>("SELECT jid, at, giver AS by FROM blocked ORDER BY at, jid");
  const block = database.prepare("INSERT OR REPLACE INTO blocked (jid, at, giver) VALUES (@jid, @at, @by)");
  const unblock = database.prepare("DELETE FROM blocked WHERE jid = ?");
  const pairings = database.prepare<[], Pairing>(
    "SELECT digest, until, giver AS by FROM pairings ORDER BY until, digest",
  );
  const add = database.prepare("INSERT OR REPLACE INTO pairings (digest, until, giver) VALUES (@digest, @until, @by)");
  const take = database.prepare("DELETE FROM pairings WHERE digest = ?");
  return {
    blocked: () => blocked.all(),
    block(one) {
      block.run(one);
    },
    unblock(jid) {
      unblock.run(jid);
    },
    pairings: () => pairings.all(),
    addPairing(one) {
      add.run(one);
    },
    takePairing: digest => take.run(digest).changes > 0,
  };
}
