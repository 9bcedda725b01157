// What every client does that follows something for a long time: it listens, subscribes, and subscribes again when its time is
// up, when the other side fell silent or went away, and when its own connection was lost. Nothing is followed twice.

import { clientItemsWaitingMax, clientRetryMs } from "#limits.ts";
import type { Element } from "#xml/element.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import type { ClientMessage, Inbox } from "./inbox.ts";

/** Full JID of the appliance as it is now; waits for it, and asks for presence where that is needed. */
export type Whereabouts = (signal: AbortSignal) => Promise<string>;

export interface KeepingDeps {
  readonly inbox: Inbox;
  /** The client has no clock of its own: whoever makes it has. Rejects when aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface Kept<T> {
  readonly ns: string;
  /** Payloads to listen for. */
  readonly names: readonly string[];
  /** What a message means; undefined: it is not of this subscription. Throws what a codec throws. */
  take(payload: Element): readonly T[] | undefined;
  /** Subscribes. `again`: something may have been missed since the last time. Throws `StanzaError` and what a request throws. */
  begin(to: string, again: boolean, signal: AbortSignal): Promise<readonly T[]>;
  /** Once half of it is over, the subscription is renewed. */
  readonly lifeMs?: number;
  renew?(to: string, signal: AbortSignal): Promise<void>;
  /** So long without a message means that the subscription was lost. */
  readonly silenceMs?: number;
  end(to: string): Promise<void>;
}

/** Items until aborted or left. Throws what the first subscription throws, and later what makes going on senseless. */
export async function* keep<T>(
  deps: KeepingDeps,
  where: Whereabouts,
  kept: Kept<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const { inbox, sleep } = deps;
  const queue: T[] = [];
  let to = "";
  let fault: unknown;
  let isLost = true;
  let wake = () => {};
  const lose = () => {
    isLost = true;
    wake();
  };
  const put = (items: readonly T[]) => {
    if (queue.length + items.length > clientItemsWaitingMax)
      fault = new Error("what is followed comes faster than it is read");
    else queue.push(...items);
    wake();
  };
  const take = ({ from, payload }: ClientMessage) => {
    if (from !== to) return;
    try {
      const items = kept.take(payload);
      if (items !== undefined) heard(items);
    } catch (error) {
      fault = error;
      wake();
    }
  };
  let timer = new AbortController();
  const watch = () => {
    timer.abort();
    timer = new AbortController();
    const mine = timer.signal;
    if (kept.silenceMs !== undefined) sleep(kept.silenceMs, mine).then(lose, () => {});
  };
  const heard = (items: readonly T[]) => {
    if (kept.silenceMs !== undefined) watch();
    put(items);
  };

  using taken = new DisposableStack();
  for (const name of kept.names) taken.use(inbox.onMessage(kept.ns, name, take));
  taken.use(inbox.onPresence(({ from, type }) => (from === to && type === "unavailable" ? lose() : undefined)));
  taken.use(inbox.onOnline(resumed => (resumed ? undefined : lose())));
  const renewing = new AbortController();
  const onAbort = () => wake();
  signal.addEventListener("abort", onAbort, { once: true });

  const renewInTime = async () => {
    const { lifeMs, renew } = kept;
    while (lifeMs !== undefined && renew !== undefined) {
      await sleep(lifeMs / 2, renewing.signal);
      if (!isLost) await renew(to, renewing.signal).catch(lose);
    }
  };
  const begin = async (again: boolean) => {
    isLost = false;
    try {
      to = await where(signal);
      // What comes before the answer is of this subscription already.
      put(await kept.begin(to, again, signal));
      watch();
    } catch (error) {
      isLost = true;
      throw error;
    }
  };

  try {
    await begin(false);
    renewInTime().catch(() => {});
    for (;;) {
      const next = queue.shift();
      if (next !== undefined) yield next;
      else if (fault !== undefined) throw fault;
      else if (signal.aborted) throw signal.reason;
      else if (isLost) {
        try {
          await begin(true);
        } catch (error) {
          if (signal.aborted || isFinal(error)) throw error;
          await sleep(clientRetryMs, signal).catch(() => {});
        }
      } else await new Promise<void>(resolve => (wake = resolve));
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    renewing.abort();
    timer.abort();
    if (to !== "" && !isLost) kept.end(to).catch(() => {});
  }
}

/** An answer that will be the same tomorrow: no right, or no such thing. */
const isFinal = (error: unknown): boolean =>
  error instanceof StanzaError &&
  error.type !== "wait" &&
  error.condition !== "service-unavailable" &&
  error.condition !== "recipient-unavailable";
