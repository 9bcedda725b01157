// Publishing of values put together: whose word it is, who may read at this moment, and the pubsub service of the own broker.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Task } from "#base/supervise.ts";
import type { Concentrator } from "#concentrator/concentrator.ts";
import type { TreeNode } from "#concentrator/forest.ts";
import { createPublishing, type Publishing } from "#concentrator/publishing.ts";
import { publishingCommands } from "#concentrator/publishing-commands.ts";
import type { Owners } from "#concentrator/rules.ts";
import type { Tree } from "#concentrator/tree.ts";
import { type Caller, noTokens } from "#contract/caller.ts";
import type { Command } from "#contract/command.ts";
import { Refusal } from "#contract/faults.ts";
import { type Ask, askAll, categories, covers } from "#contract/field.ts";
import type { NodeRef } from "#contract/node.ts";
import { createPubsub } from "#iot/pubsub.ts";
import type { Connection } from "#xmpp/connection.ts";
import type { Service } from "#xmpp/disco.ts";
import { bareJid } from "#xmpp/jid.ts";
import type { Stores } from "./stores.ts";

export interface ValuePublishingDeps {
  readonly stores: Pick<Stores, "publications">;
  readonly tree: Pick<Tree, "whenChanged">;
  readonly owners: Owners;
  readonly admitRead: Concentrator["admitRead"];
  readonly connection: Pick<Connection, "jid" | "request">;
  /** What the broker takes in one stanza. */
  readonly stanzaBytes: () => number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ValuePublishing extends Pick<Publishing, "heard" | "reconsider" | "online" | "removed"> {
  readonly commands: (node: TreeNode, caller: Caller) => readonly Command[];
  serviceFound(service: Service): void;
  readonly run: Task;
}

/** What is published: whoever may not read all of it, whatever its name, reads none (PUB-NODE-03). */
const wanted: Ask = { ...askAll, categories: categories("momentary", "peak", "computed") };

export function createValuePublishing(deps: ValuePublishingDeps): ValuePublishing {
  const { stores, tree, owners, connection, clock, log } = deps;
  let service: string | undefined;

  const mayRead = async (jid: string, node: NodeRef, signal: AbortSignal): Promise<boolean> => {
    const caller: Caller = { bareJid: jid, fullJid: jid, tokens: noTokens, language: "" };
    try {
      const { targets } = await deps.admitRead(caller, [node], wanted, signal);
      return targets.some(({ ask }) => ask.names.length === 0 && covers(ask.categories, wanted.categories));
    } catch (error) {
      if (error instanceof Refusal) return false;
      throw error;
    }
  };
  const place = createPubsub({ connection, service: () => service, stanzaBytes: deps.stanzaBytes });
  const publishing = createPublishing({ ...owners, store: stores.publications, place, mayRead, clock, log });
  tree.whenChanged(({ kind, node, old }) => {
    if (kind === "removed") publishing.removed(node);
    // Under another name it is another place: its owner enables it anew.
    if (old !== undefined) publishing.removed(old);
  });
  return {
    ...publishing,
    commands: (node, caller) => publishingCommands(publishing, bareJid, node, caller),
    serviceFound({ jid }) {
      if (service === jid) return;
      service = jid;
      publishing.online();
    },
  };
}
