// The configured nodes, in edge.db: what was said yes to is on the disk before it is applied.

import type { NodeRecord, NodeStore } from "#concentrator/records.ts";
import type { NodeRef } from "#contract/node.ts";
import type { Database } from "./database.ts";

interface Row {
  source: string;
  node: string;
  partition: string;
  parent: string | null;
  /** Of the parent. */
  parentPartition: string | null;
  type: string;
  settings: string;
  displayName: string;
  tags: string;
  options: string;
  position: number;
  createdAt: number;
  changedAt: number;
}

export function createNodeStore(database: Database): NodeStore {
  // By level, so that parents come before their children.
  const all = database.prepare<[], Row>(`
    WITH RECURSIVE level AS (
      SELECT source, node, 0 AS depth FROM nodes WHERE parent IS NULL
      UNION ALL
      SELECT child.source, child.node, level.depth + 1
      FROM level JOIN nodes AS child ON child.source = level.source AND child.parent = level.node
    )
    SELECT nodes.source, nodes.node, nodes.partition, nodes.parent, parents.partition AS parentPartition, nodes.type,
      nodes.settings, nodes.display_name AS displayName, nodes.tags, nodes.options, nodes.position, nodes.created_at AS createdAt,
      nodes.changed_at AS changedAt
    FROM level JOIN nodes ON nodes.source = level.source AND nodes.node = level.node
    LEFT JOIN nodes AS parents ON parents.source = nodes.source AND parents.node = nodes.parent
    ORDER BY level.depth, nodes.position, nodes.node`);
  const insert = database.prepare(`
    INSERT INTO nodes VALUES (@source, @node, @partition, @parent, @type, @settings, @displayName, @tags, @position,
      @createdAt, @changedAt, @options)`);
  const update = database.prepare(`
    UPDATE nodes SET type = @type, settings = @settings, display_name = @displayName, tags = @tags,
      options = @options, position = @position, changed_at = @changedAt
    WHERE source = @source AND node = @node`);
  const rename = database.prepare("UPDATE nodes SET node = ? WHERE source = ? AND node = ?");
  const follow = database.prepare("UPDATE nodes SET parent = ? WHERE source = ? AND parent = ?");
  const hang = database.prepare("UPDATE nodes SET parent = ? WHERE source = ? AND node = ?");
  const remove = database.prepare("DELETE FROM nodes WHERE source = ? AND node = ?");

  return {
    load: () => all.all().map(asRecord),
    insert: database.transaction((records: readonly NodeRecord[]) => {
      for (const record of records) insert.run(asRow(record));
    }),
    update: record => {
      update.run(asRow(record));
    },
    replace: database.transaction((changes: readonly { ref: NodeRef; record: NodeRecord }[]) => {
      // A name is changed at the node before it is changed at its children.
      database.pragma("defer_foreign_keys = ON");
      for (const { ref, record } of changes) {
        if (ref.nodeId !== record.ref.nodeId) {
          rename.run(record.ref.nodeId, ref.sourceId, ref.nodeId);
          follow.run(record.ref.nodeId, ref.sourceId, ref.nodeId);
        }
        hang.run(record.parent?.nodeId ?? null, record.ref.sourceId, record.ref.nodeId);
        update.run(asRow(record));
      }
    }),
    remove: database.transaction((refs: readonly NodeRef[]) => {
      // Whatever the order given: a parent may go before its child, as long as both go.
      database.pragma("defer_foreign_keys = ON");
      for (const ref of refs) remove.run(ref.sourceId, ref.nodeId);
    }),
  };
}

const asRow = (record: NodeRecord): Omit<Row, "parentPartition"> => ({
  source: record.ref.sourceId,
  node: record.ref.nodeId,
  partition: record.ref.partition,
  parent: record.parent?.nodeId ?? null,
  type: record.type,
  settings: JSON.stringify(record.settings),
  displayName: record.displayName,
  tags: JSON.stringify(record.tags),
  options: JSON.stringify(record.options ?? {}),
  position: record.position,
  createdAt: record.createdAt,
  changedAt: record.changedAt,
});

const asRecord = (row: Row): NodeRecord => ({
  ref: { nodeId: row.node, sourceId: row.source, partition: row.partition },
  parent:
    row.parent === null
      ? undefined
      : { nodeId: row.parent, sourceId: row.source, partition: row.parentPartition ?? "" },
  type: row.type,
  settings: JSON.parse(row.settings),
  displayName: row.displayName,
  tags: JSON.parse(row.tags),
  ...(row.options === "{}" ? {} : { options: JSON.parse(row.options) }),
  position: row.position,
  createdAt: row.createdAt,
  changedAt: row.changedAt,
});
