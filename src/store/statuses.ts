// Messages on nodes and the time each source last changed, in history.db: worth keeping over a restart, not worth an
// immediate write each, since a flapping line makes many.

import type { Statuses } from "#concentrator/records.ts";
import type { NodeMessage } from "#contract/node.ts";
import type { Behind } from "./behind.ts";
import type { Database } from "./database.ts";
import { columns } from "./readings.ts";

interface Row {
  source: string;
  node: string;
  partition: string;
  messages: string;
}

export function createStatuses(database: Database, behind: Behind): Statuses {
  const all = database.prepare<[], Row>("SELECT source, node, partition, messages FROM node_messages");
  const keep = database.prepare("INSERT OR REPLACE INTO node_messages VALUES (?, ?, ?, ?)");
  const remove = database.prepare("DELETE FROM node_messages WHERE source = ? AND node = ? AND partition = ?");
  const changes = database.prepare<[], { source: string; at: number }>("SELECT source, at FROM source_changes");
  const keepChange = database.prepare("INSERT OR REPLACE INTO source_changes VALUES (?, ?)");

  return {
    messages: () =>
      all.all().map(row => ({
        node: { nodeId: row.node, sourceId: row.source, partition: row.partition },
        messages: JSON.parse(row.messages) as NodeMessage[],
      })),
    keepMessages(node, messages) {
      const text = JSON.stringify(messages);
      behind.add(() => {
        if (text === "[]") remove.run(...columns(node));
        else keep.run(...columns(node), text);
      });
    },
    sourceChanges: () => new Map(changes.all().map(({ source, at }) => [source, at])),
    keepSourceChange(sourceId, at) {
      behind.add(() => keepChange.run(sourceId, at));
    },
  };
}
