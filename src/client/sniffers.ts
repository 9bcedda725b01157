// Listening to a node's line from outside: what is said on it, as it is said, until the sniffer expires or the listener leaves.

import type { NodeRef } from "#contract/node.ts";
import { namespace } from "#iot/generations.ts";
import * as wire from "#iot/sniffers.wire.ts";
import type { Connection } from "#xmpp/connection.ts";
import { type AskingDeps, about, createAsking } from "./asking.ts";
import type { Inbox } from "./inbox.ts";

/** `at`: of the message it came in, milliseconds since 1970 UTC. */
export type SniffedOnWire = wire.SniffMessage["items"][number] & { readonly at: number };

export interface Sniffers {
  /**
   * Ends after `expired`. Leaving early, or aborting, removes the sniffer over there. `expires` undefined: as long as the
   * concentrator grants. Throws `StanzaError`.
   */
  sniff(to: string, ref: NodeRef, expires: number | undefined, signal: AbortSignal): AsyncGenerator<SniffedOnWire>;
}

export interface SniffersDeps extends AskingDeps {
  readonly connection: Connection;
  readonly inbox: Inbox;
}

/** Messages that may come before the answer that says which sniffer they are of. */
const earlyMax = 100;

export function createSniffers(deps: SniffersDeps): Sniffers {
  const { inbox } = deps;
  const ns = namespace("concentrator", deps.generation ?? "nf");
  const { ask, tell } = createAsking(deps, ns);

  return {
    async *sniff(to, ref, expires, signal) {
      const queue: SniffedOnWire[] = [];
      const early: wire.SniffMessage[] = [];
      let id: string | undefined;
      let expired = false;
      let wake = () => {};
      const take = ({ snifferId, at, items }: wire.SniffMessage) => {
        if (snifferId !== id) return;
        for (const item of items) queue.push({ ...item, at });
        expired ||= items.some(({ kind }) => kind === "expired");
        wake();
      };
      const onAbort = () => wake();
      using _taken = inbox.onMessage(ns, "sniff", ({ from, payload }) => {
        if (from !== to) return;
        const message = wire.sniff.decode(payload);
        if (id !== undefined) take(message);
        else if (early.length < earlyMax) early.push(message);
      });
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        const asked = { ...about(ref), expires };
        ({ snifferId: id } = await ask("set", to, wire.registerSniffer, asked, wire.sniffer, signal));
        for (const message of early.splice(0)) take(message);
        for (;;) {
          const next = queue.shift();
          if (next !== undefined) yield next;
          else if (expired) return;
          else if (signal.aborted) throw signal.reason;
          else await new Promise<void>(resolve => (wake = resolve));
        }
      } finally {
        signal.removeEventListener("abort", onAbort);
        if (id !== undefined && !expired) {
          const gone = new AbortController().signal;
          tell("set", to, wire.unregisterSniffer, { ...about(ref), snifferId: id }, gone).catch(() => {});
        }
      }
    },
  };
}
