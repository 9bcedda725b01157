// What is left to do when an owner is gone, in edge.db.

import type { Parted, PartingStore } from "#concentrator/ownership.ts";
import type { Database } from "./database.ts";

interface Row {
  source: string;
  node: string;
  partition: string;
  owner: string;
}

export function createPartingStore(database: Database): PartingStore {
  const all = database.prepare<[], Row>("SELECT * FROM partings ORDER BY source, node, partition, owner");
  const insert = database.prepare("INSERT OR IGNORE INTO partings VALUES (@source, @node, @partition, @owner)");
  const remove = database.prepare(
    "DELETE FROM partings WHERE source = @source AND node = @node AND partition = @partition AND owner = @owner",
  );
  const farewells = database.prepare<[], string>("SELECT jid FROM farewells ORDER BY jid").pluck();
  const addFarewell = database.prepare("INSERT OR IGNORE INTO farewells VALUES (?)");
  const removeFarewell = database.prepare("DELETE FROM farewells WHERE jid = ?");
  return {
    begin(parted) {
      insert.run(rowOf(parted));
    },
    partings: () => all.all().map(partedOf),
    done(parted) {
      remove.run(rowOf(parted));
    },
    farewells: () => farewells.all(),
    addFarewell(jid) {
      addFarewell.run(jid);
    },
    removeFarewell(jid) {
      removeFarewell.run(jid);
    },
  };
}

const rowOf = ({ thing, owner }: Parted): Row => ({
  source: thing.sourceId,
  node: thing.nodeId,
  partition: thing.partition,
  owner,
});

const partedOf = ({ source, node, partition, owner }: Row): Parted => ({
  thing: { nodeId: node, sourceId: source, partition },
  owner,
});
