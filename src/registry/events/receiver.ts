// The receiver of events (XEP-0337), beside the registry where it is wanted: from those on its list alone, at a bounded rate, each
// event cut to what one may have. What they say is kept as they said it, and is their word (LOG-RCV-01…03).

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createRate } from "#base/rate.ts";
import { type EventLogEntry, eventLogNs, log as logCodec } from "#iot/event-log.wire.ts";
import {
  countedSendersMax,
  eventLogStackBytesMax,
  eventLogTagsMax,
  eventLogTextBytesMax,
  receivedAtOnceMax,
  receivedGapMs,
  receivedNameCharsMax,
} from "#limits.ts";
import { domainOf } from "#xmpp/jid.ts";
import type { MessageRoute } from "#xmpp/router.ts";
import { type EventStore, eventsFile, openEventStore } from "./store.ts";

export interface ReceiverDeps {
  readonly store: Pick<EventStore, "add">;
  /** Bare JIDs, and domains with all accounts in them. */
  readonly senders: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

export function receiverRoutes({ store, senders, clock, log }: ReceiverDeps): MessageRoute[] {
  const allowed = new Set(senders);
  const rate = createRate(clock, receivedAtOnceMax, receivedGapMs, countedSendersMax);
  return [
    {
      ns: eventLogNs,
      name: logCodec.name,
      access: "anyone",
      handle({ fromBare, payload }) {
        // Others get no answer: who is refused would learn that somebody listens here.
        if (!allowed.has(fromBare) && !allowed.has(domainOf(fromBare))) {
          log.info("event-not-taken", { sender: fromBare });
          return;
        }
        if (!rate.take(fromBare)) {
          log.warning("RateLimited", { sender: fromBare, element: "log" });
          return;
        }
        store.add({ received: clock.now(), sender: fromBare, entry: bounded(logCodec.decode(payload)) });
      },
    },
  ];
}

/** With its file beside the registry's; undefined where nobody's events are wanted. Throws `DatabaseFault`. */
export function openReceiver(settings: {
  readonly database: string;
  readonly eventLogSenders: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}): (Disposable & { readonly messages: readonly MessageRoute[] }) | undefined {
  const { eventLogSenders: senders, clock, log } = settings;
  if (senders.length === 0) return undefined;
  const store = openEventStore(eventsFile(settings.database), log);
  return {
    messages: receiverRoutes({ store, senders, clock, log }),
    [Symbol.dispose]: () => store[Symbol.dispose](),
  };
}

/** What one event may have, whoever sent it. */
function bounded(entry: EventLogEntry): EventLogEntry {
  const name = (text: string | undefined) => text?.slice(0, receivedNameCharsMax);
  return {
    ...entry,
    type: { ...entry.type, ...(entry.type.said !== undefined && { said: name(entry.type.said) }) },
    level: { ...entry.level, ...(entry.level.said !== undefined && { said: name(entry.level.said) }) },
    id: name(entry.id),
    object: name(entry.object),
    subject: name(entry.subject),
    facility: name(entry.facility),
    module: name(entry.module),
    message: { text: entry.message.text.slice(0, eventLogTextBytesMax) },
    tags: entry.tags.slice(0, eventLogTagsMax).map(one => ({
      name: one.name.slice(0, receivedNameCharsMax),
      value: one.value.slice(0, receivedNameCharsMax),
      type: name(one.type),
    })),
    stackTrace: entry.stackTrace?.slice(0, eventLogStackBytesMax),
  } as EventLogEntry;
}
