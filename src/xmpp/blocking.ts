// The broker's own list of who is kept out (XEP-0191): what he sends does not even reach us. Used where the broker offers it;
// what another client of our account blocks is heard of.

import { attr, element, many } from "#xml/codec.ts";
import { text } from "#xml/scalars.ts";
import type { Connection } from "./connection.ts";
import { askService } from "./disco.ts";
import { bareJid, domainOf } from "./jid.ts";
import { type Route, route } from "./router.ts";
import { StanzaError } from "./stanza.ts";

export const blockingNs = "urn:xmpp:blocking";

const shape = { items: many(element("item", { jid: attr("jid", text) })) };
const block = element("block", shape);
const unblock = element("unblock", shape);
const blocklist = element("blocklist", shape);

export interface BlockingDeps {
  readonly connection: Pick<Connection, "jid" | "request">;
  /** The list at the broker was changed, by us or by another client of the account. `undefined`: it is empty now. */
  readonly changed: (jids: readonly string[] | undefined, blocked: boolean) => void;
}

export interface Blocking {
  readonly routes: readonly Route[];
  /** False when the broker has no such list. Throws what `request` throws. */
  put(jid: string, blocked: boolean, signal: AbortSignal): Promise<boolean>;
  /** What is on it; undefined when there is none. Throws what `request` throws. */
  list(signal: AbortSignal): Promise<readonly string[] | undefined>;
}

export function createBlocking({ connection, changed }: BlockingDeps): Blocking {
  const isOffered = async (signal: AbortSignal): Promise<boolean> =>
    (await askService(connection, domainOf(connection.jid), signal)).features.has(blockingNs);
  const jidsIn = (items: readonly { jid: string }[]): string[] => items.flatMap(({ jid }) => bareJid(jid) ?? []);

  const pushed = (codec: typeof block, blocked: boolean): Route =>
    route(["set"], blockingNs, codec, async ({ items }, { from }) => {
      // From our own server alone: anybody else would choose whom we hear.
      if (from !== bareJid(connection.jid)) throw new StanzaError("cancel", "service-unavailable");
      changed(items.length === 0 ? undefined : jidsIn(items), blocked);
      return undefined;
    });

  return {
    routes: [pushed(block, true), pushed(unblock, false)],
    async put(jid, blocked, signal) {
      if (!(await isOffered(signal))) return false;
      const payload = (blocked ? block : unblock).encode({ items: [{ jid }] }, blockingNs);
      await connection.request("set", undefined, payload, { signal });
      return true;
    },
    async list(signal) {
      if (!(await isOffered(signal))) return undefined;
      const answer = await connection.request("get", undefined, blocklist.encode({ items: [] }, blockingNs), {
        signal,
      });
      return answer === undefined ? [] : jidsIn(blocklist.decode(answer).items);
    },
  };
}
