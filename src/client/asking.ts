// How every client of an interface asks: one request, one answer of the kind that is due, in one generation and language.

import type { Tokens } from "#contract/caller.ts";
import type { NodeRef } from "#contract/node.ts";
import type { Generation } from "#iot/generations.ts";
import type { Codec } from "#xml/codec.ts";
import type { Element } from "#xml/element.ts";
import type { Connection } from "#xmpp/connection.ts";
import { StanzaError } from "#xmpp/stanza.ts";

export interface AskingDeps {
  readonly connection: Pick<Connection, "request">;
  /** nf unless said. */
  readonly generation?: Generation;
  /** Of the texts in answers; "" for what the appliance is set to. */
  readonly language?: string;
}

export const noTokens: Tokens = { service: [], device: [], user: [] };

/** A node with the tokens that every request carries. */
export const about = (ref: NodeRef) => ({ ref, tokens: noTokens });
export const aboutAll = (refs: readonly NodeRef[]) => ({ refs, tokens: noTokens });

export interface Asking {
  /** Throws `StanzaError`, also where the answer is of another kind than it should be. */
  ask<Q, A>(
    type: "get" | "set",
    to: string,
    request: Codec<Q>,
    value: Q,
    answer: Codec<A>,
    signal: AbortSignal,
  ): Promise<A>;
  /** Where the answer is empty. */
  tell<Q>(type: "get" | "set", to: string, request: Codec<Q>, value: Q, signal: AbortSignal): Promise<void>;
}

export function createAsking({ connection, language = "" }: AskingDeps, ns: string): Asking {
  const put = (type: "get" | "set", to: string, payload: Element, signal: AbortSignal) =>
    connection.request(type, to, inLanguage(payload, language), { signal });
  return {
    async ask(type, to, request, value, answer, signal) {
      return decodeAs(answer, await put(type, to, request.encode(value, ns), signal));
    },
    async tell(type, to, request, value, signal) {
      await put(type, to, request.encode(value, ns), signal);
    },
  };
}

/** The request element says the language: stanzas lose theirs on the way through some brokers (COM-LANG-01). */
export function inLanguage(payload: Element, language: string): Element {
  if (language === "") return payload;
  return { ...payload, attrs: Object.assign(Object.create(null), payload.attrs, { "xml:lang": language }) };
}

export function decodeAs<A>(codec: Codec<A>, reply: Element | undefined): A {
  if (reply?.name !== codec.name)
    throw new StanzaError("cancel", "undefined-condition", `${codec.name} expected, got ${reply?.name ?? "nothing"}`);
  return codec.decode(reply);
}
