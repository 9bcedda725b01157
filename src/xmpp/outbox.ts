// Messages on their way to the broker: in order, bounded, kept until the broker acknowledged them, over lost connections and
// restarts. What a healthy link acknowledges at once never reaches the disk; what waits does, one transaction a turn.

import type { Clock } from "#base/clock.ts";
import { describe, type Log } from "#base/log.ts";
import { Refusal } from "#contract/faults.ts";
import { outboxBytesMax, outboxSettleMs, outboxStanzasMax } from "#limits.ts";

/** A message as it waits. `seq` counts up over the life of the account and orders them. */
export interface StoredMessage {
  readonly seq: number;
  /** Wall clock when it was handed over. */
  readonly at: number;
  /** The stanza in the stream's namespace. */
  readonly text: string;
}

/** Where messages wait over a restart. Calls are rare and may throw: the disk may be full. */
export interface OutboxStore {
  load(): StoredMessage[];
  /** All or none. */
  add(messages: readonly StoredMessage[]): void;
  remove(seqs: readonly number[]): void;
}

/** Nothing is kept over a restart: for components and tests. */
export const noOutboxStore: OutboxStore = { load: () => [], add: () => {}, remove: () => {} };

export interface Outbox {
  /** Throws `Refusal` busy when full. */
  add(text: string): StoredMessage;
  /** The next that was not taken since the last `rewind`; it stays until `done`. */
  take(): StoredMessage | undefined;
  /** The broker has it. */
  done(seq: number): void;
  /** What waits for this bare JID, or for anybody, is not sent any more, and not kept. */
  drop(bareJid?: string): void;
  /** All that are not done are to be taken again, in order: a new stream knows nothing of them. */
  rewind(): void;
  /** While offline every message goes to disk at once, not only after `outboxSettleMs`. */
  setOnline(online: boolean): void;
  /** Writes to the store what is not there yet, now. */
  flush(): void;
  readonly waiting: number;
  readonly bytes: number;
}

export interface OutboxLimits {
  readonly stanzasMax: number;
  readonly bytesMax: number;
}

const standard: OutboxLimits = { stanzasMax: outboxStanzasMax, bytesMax: outboxBytesMax };

interface Entry extends StoredMessage {
  readonly bytes: number;
  readonly since: number;
  stored: boolean;
}

export function createOutbox(
  store: OutboxStore,
  clock: Clock,
  log: Log,
  signal: AbortSignal,
  limits: OutboxLimits = standard,
): Outbox {
  // In order of insertion, which is the order of `seq`.
  const entries = new Map<number, Entry>();
  const gone: number[] = [];
  let taken = -1;
  let bytes = 0;
  let online = false;
  let flushing = false;
  let settling = false;

  for (const one of load(store, log)) {
    const size = Buffer.byteLength(one.text);
    entries.set(one.seq, { ...one, bytes: size, since: 0, stored: true });
    bytes += size;
  }
  let last = Math.max(0, ...entries.keys());

  const flush = () => {
    flushing = false;
    const fresh = [...entries.values()].filter(one => !one.stored);
    try {
      if (fresh.length > 0) store.add(fresh.map(({ seq, at, text }) => ({ seq, at, text })));
      for (const one of fresh) one.stored = true;
      if (gone.length > 0) store.remove(gone);
      gone.length = 0;
    } catch (error) {
      // They still wait in memory: worth a warning, not the messages.
      log.error("outbox-not-stored", { messages: fresh.length, reason: describe(error) });
    }
  };
  const flushSoon = () => {
    if (flushing) return;
    flushing = true;
    setImmediate(flush);
  };
  const settle = () => {
    if (settling) return;
    settling = true;
    clock.sleep(outboxSettleMs, signal).then(
      () => {
        settling = false;
        const late = clock.monotonic() - outboxSettleMs;
        const unstored = [...entries.values()].filter(one => !one.stored);
        if (unstored.some(one => one.since <= late)) flush();
        else if (unstored.length > 0) settle();
      },
      () => {},
    );
  };

  const done = (seq: number) => {
    const entry = entries.get(seq);
    if (entry === undefined) return;
    entries.delete(seq);
    bytes -= entry.bytes;
    if (!entry.stored) return;
    gone.push(seq);
    flushSoon();
  };

  return {
    add(text) {
      const size = Buffer.byteLength(text);
      if (entries.size >= limits.stanzasMax || bytes + size > limits.bytesMax) {
        throw new Refusal("busy", `${entries.size} messages are waiting for the broker already`);
      }
      const entry: Entry = { seq: ++last, at: clock.now(), text, bytes: size, since: clock.monotonic(), stored: false };
      entries.set(entry.seq, entry);
      bytes += size;
      if (online) settle();
      else flushSoon();
      return entry;
    },
    take() {
      const oldest: number | undefined = entries.keys().next().value;
      if (oldest === undefined) return undefined;
      for (let seq = Math.max(taken + 1, oldest); seq <= last; seq++) {
        const entry = entries.get(seq);
        if (entry === undefined) continue;
        taken = seq;
        return entry;
      }
      return undefined;
    },
    done,
    drop(jid) {
      for (const { seq, text } of [...entries.values()]) if (jid === undefined || isTo(text, jid)) done(seq);
      if (gone.length > 0) flush();
    },
    rewind() {
      taken = -1;
    },
    setOnline(now) {
      online = now;
      if (!now && entries.size > 0) flushSoon();
    },
    flush,
    get waiting() {
      return entries.size;
    },
    get bytes() {
      return bytes;
    },
  };
}

/** As our own formatter writes addresses. */
const isTo = (text: string, jid: string): boolean => {
  const to = /^<message[^>]*? to='([^']*)'/.exec(text)?.[1];
  return to === jid || to?.startsWith(`${jid}/`) === true;
};

function load(store: OutboxStore, log: Log): StoredMessage[] {
  try {
    return store.load().sort((a, b) => a.seq - b.seq);
  } catch (error) {
    log.error("outbox-not-read", { reason: describe(error) });
    return [];
  }
}

/** With the time it was handed over (XEP-0203), for a message that waited: its receiver may care. */
export function delayed(message: StoredMessage, from: string): string {
  const stamp = `<delay xmlns='urn:xmpp:delay' from='${from}' stamp='${new Date(message.at).toISOString()}'/>`;
  const end = "</message>";
  return message.text.endsWith(end) ? message.text.slice(0, -end.length) + stamp + end : message.text;
}
