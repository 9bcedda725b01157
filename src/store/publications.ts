// Nodes that publish their values, in edge.db: one row a node.

import type { Publication, PublicationStore } from "#concentrator/publications.ts";
import type { Database } from "./database.ts";

interface Row {
  source: string;
  node: string;
  partition: string;
  owner: string;
  readers: string;
  min_seconds: number;
  max_seconds: number;
  deadband_percent: number;
}

export function createPublicationStore(database: Database): PublicationStore {
  const all = database.prepare<[], Row>("SELECT * FROM publications ORDER BY source, node, partition");
  const put = database.prepare(`
    INSERT OR REPLACE INTO publications
      (source, node, partition, owner, readers, min_seconds, max_seconds, deadband_percent)
    VALUES (@source, @node, @partition, @owner, @readers, @min_seconds, @max_seconds, @deadband_percent)`);
  const remove = database.prepare("DELETE FROM publications WHERE source = ? AND node = ? AND partition = ?");
  return {
    all: () => all.all().map(publicationOf),
    put(publication) {
      put.run(rowOf(publication));
    },
    delete({ sourceId, nodeId, partition }) {
      remove.run(sourceId, nodeId, partition);
    },
  };
}

const publicationOf = (row: Row): Publication => ({
  node: { nodeId: row.node, sourceId: row.source, partition: row.partition },
  by: row.owner,
  readers: JSON.parse(row.readers) as string[],
  minSeconds: row.min_seconds,
  maxSeconds: row.max_seconds,
  deadbandPercent: row.deadband_percent,
});

const rowOf = ({ node, by, readers, minSeconds, maxSeconds, deadbandPercent }: Publication): Row => ({
  source: node.sourceId,
  node: node.nodeId,
  partition: node.partition,
  owner: by,
  readers: JSON.stringify(readers),
  min_seconds: minSeconds,
  max_seconds: maxSeconds,
  deadband_percent: deadbandPercent,
});
