// The listening face of the concentrator interface: sniffers come and go, and what they hear goes out in messages, a window of
// time each (CON-SNIFF). Who may listen to what and how long is the concentrator's.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Sniffers, StartedSniffer } from "#concentrator/sniffers.ts";
import type { Caller } from "#contract/caller.ts";
import type { Languages } from "#contract/language.ts";
import { sniffItemsMax, sniffWindowMs } from "#limits.ts";
import type { Element } from "#xml/element.ts";
import { formattedBytes } from "#xml/size.ts";
import { bareJid, normalJid } from "#xmpp/jid.ts";
import { type Route, route } from "#xmpp/router.ts";
import { callerOf, resolve } from "./asker.ts";
import { batches, createSender } from "./batches.ts";
import { inEveryGeneration } from "./generations.ts";
import { type Outgoing, partBytesOf, payloadBytesOf } from "./payload-size.ts";
import * as wire from "./sniffers.wire.ts";

export interface SniffersDeps extends Outgoing {
  readonly concentrator: Sniffers;
  /** Sends a payload in a message to a full JID. Throws `Refusal` busy when the outbox is full. */
  readonly send: (to: string, payload: Element) => void;
  readonly languages: Languages;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface SniffersFace {
  readonly routes: readonly Route[];
  gone(fullJid: string): void;
  withdrawn(bareJid: string): void;
}

type Heard = StartedSniffer["items"] extends AsyncIterable<infer T> ? T : never;

export function createSniffers(deps: SniffersDeps): SniffersFace {
  const { concentrator, languages, clock, log, signal } = deps;

  /** Until it expires or is removed. Never rejects. */
  const deliver = async (caller: Caller, sniffer: StartedSniffer, ns: string): Promise<void> => {
    const encode = (items: readonly Heard[]) =>
      wire.sniff.encode({ snifferId: sniffer.id, at: items[0]?.at ?? clock.now(), items: items.map(said) }, ns);
    const said = (item: Heard) =>
      item.kind === "info" || item.kind === "warning"
        ? { ...item, text: languages.localize(caller.language, item.text) }
        : item;
    const send = createSender(
      (payload: Element) => deps.send(caller.fullJid, payload),
      1000 / sniffWindowMs,
      clock,
      signal,
    );
    const how = {
      delayMs: sniffWindowMs,
      weigh: (item: Heard) => formattedBytes(encode([item]), ns),
      weightMax: partBytesOf(deps),
      countMax: sniffItemsMax,
    };
    // Whole or not at all: half a frame would be taken for one.
    const sendable = (item: Heard): Heard => {
      if (how.weigh(item) <= payloadBytesOf(deps)) return item;
      return { kind: "warning", at: item.at, text: "What was said is too large to be shown." };
    };
    try {
      // What is overheard may not overtake the answer to the request.
      await clock.sleep(0, signal);
      for await (const batch of batches(sniffer.items, how, clock, signal)) {
        if (!(await sniffer.mayHear())) return;
        await send(encode(batch.map(sendable)));
      }
    } catch (error) {
      if (!signal.aborted) log.error("sniffer-not-delivered", { to: caller.fullJid, error });
    } finally {
      sniffer.leave();
    }
  };

  return {
    routes: inEveryGeneration("concentrator", ns => [
      route(["set"], ns, wire.registerSniffer, async ({ ref, expires, tokens }, iq) => {
        const caller = callerOf(iq, tokens);
        const sniffer = await concentrator.registerSniffer(caller, resolve(ref), expires, iq.signal);
        void deliver(caller, sniffer, ns);
        return wire.sniffer.encode({ snifferId: sniffer.id, expires: sniffer.expires }, ns);
      }),
      route(["set"], ns, wire.unregisterSniffer, async ({ ref, snifferId, tokens }, iq) => {
        await concentrator.unregisterSniffer(callerOf(iq, tokens), resolve(ref), snifferId, iq.signal);
        return undefined;
      }),
    ]),
    gone(fullJid) {
      const from = normalJid(fullJid);
      if (from !== undefined) concentrator.sniffersGone(from);
    },
    withdrawn(jid) {
      const from = bareJid(jid);
      if (from !== undefined) concentrator.sniffersWithdrawn(from);
    },
  };
}
