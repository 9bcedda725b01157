// Sessions for tests: the real session with what came in kept in lists, started in the background and ended on disposal.

import { type Clock, systemClock } from "#base/clock.ts";
import { createLog, type LogEvent } from "#base/log.ts";
import { type Element, element, firstElement } from "#xml/element.ts";
import type { OutboxStore } from "#xmpp/outbox.ts";
import type { CredentialStore } from "#xmpp/registration.ts";
import type { Credentials } from "#xmpp/sasl.ts";
import { createSession, type Session, type SessionOptions } from "#xmpp/session.ts";
import { clientNs } from "#xmpp/stanza.ts";

export interface Peer extends AsyncDisposable {
  readonly session: Session;
  readonly messages: Element[];
  readonly presences: Element[];
  readonly iqs: Element[];
  readonly onlines: { jid: string; resumed: boolean }[];
  readonly offlines: string[];
  readonly logged: LogEvent[];
  readonly credentials: MemoryCredentials;
  stop(): Promise<void>;
}

export interface MemoryCredentials extends CredentialStore {
  readonly saved: Credentials[];
}

export function memoryCredentials(first?: Credentials): MemoryCredentials {
  const saved: Credentials[] = first === undefined ? [] : [first];
  return { saved, load: () => saved.at(-1), save: one => void saved.push(one) };
}

export type PeerOptions = Omit<SessionOptions, "credentials"> & {
  readonly user?: string;
  readonly password?: string;
  readonly credentials?: MemoryCredentials;
  readonly outbox?: OutboxStore;
  /** Answers each iq request; default an empty result. */
  readonly answer?: (iq: Element) => Element;
};

/** `clock`: for a machine whose clock is wrong. */
export function startPeer(options: PeerOptions, clock: Clock = systemClock): Peer {
  const { user, password = "secret", outbox, answer } = options;
  const credentials =
    options.credentials ?? memoryCredentials(user === undefined ? undefined : { username: user, password });
  const stop = new AbortController();
  const logged: LogEvent[] = [];
  const messages: Element[] = [];
  const presences: Element[] = [];
  const iqs: Element[] = [];
  const onlines: { jid: string; resumed: boolean }[] = [];
  const offlines: string[] = [];
  const session: Session = createSession(
    { reconnectFirstMs: 50, ...options, credentials },
    {
      iq(stanza) {
        iqs.push(stanza);
        const { id, from } = stanza.attrs;
        session.send(answer?.(stanza) ?? element("iq", clientNs, { type: "result", id, to: from }));
      },
      message: stanza => void messages.push(stanza),
      presence: stanza => void presences.push(stanza),
      online(jid, resumed) {
        onlines.push({ jid, resumed });
        if (!resumed) session.send(element("presence", clientNs));
      },
      offline: reason => void offlines.push(reason),
    },
    { clock, log: createLog(event => void logged.push(event)), ...(outbox && { outbox }) },
  );
  const running = session.run(stop.signal);
  const end = async () => {
    stop.abort();
    await running;
  };
  return {
    session,
    messages,
    presences,
    iqs,
    onlines,
    offlines,
    logged,
    credentials,
    stop: end,
    [Symbol.asyncDispose]: end,
  };
}

/** An answer with the payload it was asked with. */
export const echo = (iq: Element): Element => {
  const payload = firstElement(iq);
  return element("iq", clientNs, { type: "result", id: iq.attrs.id, to: iq.attrs.from }, payload ? [payload] : []);
};

/** Polls until true; the test's own timeout is the bound, and `what` is named when it is reached. */
export async function until(what: string, test: () => boolean, withinMs = 15_000): Promise<void> {
  const end = systemClock.monotonic() + withinMs;
  while (!test()) {
    if (systemClock.monotonic() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await systemClock.sleep(5, forever);
  }
}

export const forever = new AbortController().signal;

export const text = (to: string, body: string): Element =>
  element("message", clientNs, { to, type: "chat" }, [element("body", clientNs, {}, [body])]);

export const bodies = (messages: readonly Element[]): string[] =>
  messages.flatMap(one => {
    const body = one.children.find(part => typeof part !== "string" && part.name === "body");
    return body !== undefined && typeof body !== "string" ? [body.children.join("")] : [];
  });
