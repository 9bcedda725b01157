// Places of a pubsub service for the values of nodes (PUB-NODE): made for readers named one by one, used only where they are
// ours, and each item one whole `resp`.

import type { PublishingPlace } from "#concentrator/publications.ts";
import { Refusal } from "#contract/faults.ts";
import type { NodeRef } from "#contract/node.ts";
import type { Element } from "#xml/element.ts";
import type { Connection } from "../connection.ts";
import { bareJid } from "../jid.ts";
import { StanzaError } from "../stanza.ts";
import { createFragments } from "./fragments.ts";
import { namespace } from "./generations.ts";
import { type Outgoing, payloadBytesOf } from "./payload-size.ts";
import * as wire from "./pubsub.wire.ts";

export interface PubsubDeps extends Outgoing {
  readonly connection: Pick<Connection, "jid" | "request">;
  /** The service found on the own domain. */
  readonly service: () => string | undefined;
}

export function createPubsub(deps: PubsubDeps): PublishingPlace {
  const { connection, service } = deps;
  const ask = async (type: "get" | "set", payload: Element, signal: AbortSignal): Promise<Element | undefined> => {
    const to = service();
    if (to === undefined) throw new Error("there is no pubsub service");
    return await connection.request(type, to, payload, { signal });
  };
  const affiliationsOf = async (node: string, signal: AbortSignal): Promise<readonly wire.Affiliation[]> => {
    const question = wire.affiliations.encode({ affiliations: { node, list: [] } }, wire.ownerNs);
    const answer = await ask("get", question, signal);
    return answer === undefined ? [] : wire.affiliations.decode(answer).affiliations.list;
  };

  /** Off the list is not out of the door: who has subscribed goes on receiving, until his subscription is ended too. */
  const showOut = async (node: string, readers: ReadonlySet<string>, signal: AbortSignal): Promise<void> => {
    const question = wire.subscriptions.encode({ subscriptions: { node, list: [] } }, wire.ownerNs);
    const answer = await ask("get", question, signal);
    const present = answer === undefined ? [] : wire.subscriptions.decode(answer).subscriptions.list;
    const list = present
      .filter(one => one.subscription !== "none" && !readers.has(bareJid(one.jid) ?? ""))
      .map(({ jid }) => ({ jid, subscription: "none" as const }));
    if (list.length === 0) return;
    await ask("set", wire.subscriptions.encode({ subscriptions: { node, list } }, wire.ownerNs), signal);
  };

  /** Ours already from an earlier time, or somebody else's, who would then read what we write (PUB-NODE-02). */
  const takeUp = async (node: string, signal: AbortSignal): Promise<void> => {
    const own = bareJid(connection.jid);
    const list = await affiliationsOf(node, signal).catch(error => {
      if (error instanceof StanzaError && error.condition !== "remote-server-timeout") return [];
      throw error;
    });
    if (!list.some(one => bareJid(one.jid) === own && one.affiliation === "owner")) {
      throw new Refusal("denied", `the place ${node} belongs to somebody else`);
    }
    await ask("set", wire.configuration.encode({ configure: { node, form: config() } }, wire.ownerNs), signal);
  };

  return {
    async open(ref, readers, signal) {
      const node = placeOf(ref);
      try {
        const wish = { create: { node }, configure: { form: config() } };
        await ask("set", wire.creation.encode(wish, wire.pubsubNs), signal);
      } catch (error) {
        if (!(error instanceof StanzaError && error.condition === "conflict")) throw error;
        await takeUp(node, signal);
      }
      const present = (await affiliationsOf(node, signal)).filter(one => one.affiliation !== "owner");
      const wanted = new Set(readers);
      const changes: wire.Affiliation[] = [
        ...present
          .filter(({ jid }) => !wanted.has(bareJid(jid) ?? ""))
          .map(({ jid }) => ({ jid, affiliation: "none" as const })),
        ...readers
          .filter(jid => !present.some(one => bareJid(one.jid) === jid && one.affiliation === "member"))
          .map(jid => ({ jid, affiliation: "member" as const })),
      ];
      // Before, since some services refuse to strike out who is subscribed; and after, since he may have come back in between.
      await showOut(node, wanted, signal);
      if (changes.length === 0) return;
      await ask("set", wire.affiliations.encode({ affiliations: { node, list: changes } }, wire.ownerNs), signal);
      await showOut(node, wanted, signal);
    },
    async publish(ref, readings, signal) {
      const ns = namespace("sensorData", "nf");
      const fragments = createFragments(`pub-${ref.nodeId}`, ns, payloadBytesOf(deps));
      const cut = readings.flatMap(reading => fragments.add(reading));
      if (cut.length > 0) throw new Error("more values than fit into one item");
      const items = [{ id: "current", payload: fragments.take(false) }];
      await ask("set", wire.publishing.encode({ publish: { node: placeOf(ref), items } }, wire.pubsubNs), signal);
    },
    async close(ref, signal) {
      try {
        await ask("set", wire.deletion.encode({ remove: { node: placeOf(ref) } }, wire.ownerNs), signal);
      } catch (error) {
        if (!(error instanceof StanzaError && error.condition === "item-not-found")) throw error;
      }
    },
  };
}

/** PUB-NODE-01. */
export const placeOf = ({ sourceId, partition, nodeId }: NodeRef): string =>
  ["iot", sourceId, partition, nodeId].map(encodeURIComponent).join("/");

const config = (): Element =>
  wire.submitted({
    FORM_TYPE: `${wire.pubsubNs}#node_config`,
    "pubsub#access_model": "whitelist",
    "pubsub#persist_items": "true",
    "pubsub#max_items": "1",
    "pubsub#send_last_published_item": "on_sub",
  });
