// What the rest of the program knows of a connection to the broker, whether a client session (session.ts) or a component
// (component.ts): it sends, it asks, it hands over what comes in.

import type { Element } from "./xml/element.ts";

/** There is no stream to ask on, or it was lost before the answer came: whether the question was heard is unknown. */
export class Disconnected extends Error {
  override name = "Disconnected";
}

export interface AskOptions {
  readonly signal?: AbortSignal;
  /** Default limits.requestMs. */
  readonly timeoutMs?: number;
  /** Component only: the sender, default the component's own JID. */
  readonly from?: string;
}

export interface Connection {
  /** Full JID of the bound session, or the component's JID. Throws before the first log-in. */
  readonly jid: string;
  readonly online: boolean;
  /**
   * Sends a message or presence, now or when connected again: a message is kept in the bounded outbox until the broker
   * acknowledged it; presence is not kept. Throws `Refusal` busy when the outbox is full. `id` is added where missing.
   */
  send(stanza: Element): void;
  /**
   * Sends an iq and waits for its answer: matched by id *and* sender, ids of 128 random bits (PRES-REP-01). Resolves with
   * the first child of the result, or undefined when it is empty. Throws `StanzaError`, `TimeoutError`, `Disconnected`, `Refusal` busy, the
   * abort reason.
   * Not kept across a lost stream unless the stream is resumed.
   */
  request(
    type: "get" | "set",
    to: string | undefined,
    payload: Element,
    options?: AskOptions,
  ): Promise<Element | undefined>;
}

/** Told of what comes in; must not throw. iq results and errors that answer our own requests are not among them. */
export interface Inbound {
  iq(stanza: Element): void;
  message(stanza: Element): void;
  presence(stanza: Element): void;
  /** A new stream was bound: subscriptions to presence, caps and pending traffic start anew. `resumed` keeps all state. */
  online?(jid: string, resumed: boolean): void;
  offline?(reason: string): void;
}
