// From {type, namespace, name} to a handler. One lookup, one reply an iq (COM-STZ-04): refusals become stanza errors here,
// and what is routed is what disco announces.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { english, type Languages } from "#contract/language.ts";
import { inOneGeneration } from "./iot/generations.ts";
import { bareJid, normalJid } from "./jid.ts";
import { createReplays } from "./replays.ts";
import { asStanzaError, encodeError, StanzaError } from "./stanza.ts";
import type { Codec } from "./xml/codec.ts";
import { type Element, element, firstElement } from "./xml/element.ts";

export interface IqRequest {
  readonly type: "get" | "set";
  /** As stamped by the broker, normalised. */
  readonly from: string;
  readonly fromBare: string;
  readonly to: string;
  readonly id: string;
  readonly payload: Element;
  /** Asked for on the request element, else on the stanza, else spoken by default, of those that are spoken (COM-LANG-01). */
  readonly language: string;
  readonly signal: AbortSignal;
}

/** Who may use a route at all, before any right is looked at: see `Gate`. */
export type Access = "contact" | "anyone";

export interface Route {
  readonly types: readonly ("get" | "set")[];
  readonly ns: string;
  readonly name: string;
  /** "contact" unless said otherwise: senders outside the roster get `forbidden` unread (PRES-IQ-01). */
  readonly access?: Access;
  /** Changes something though it may be a `get`: repeated, it is answered and not done again. A `set` always is. */
  readonly changes?: true;
  /** The result's payload, or undefined for an empty result. Throws `WireError`, `Refusal`, `StanzaError`. */
  handle(request: IqRequest): Promise<Element | undefined>;
}

export interface InboundMessage {
  readonly from: string;
  readonly fromBare: string;
  readonly type: string;
  readonly payload: Element;
  readonly stanza: Element;
}

export interface MessageRoute {
  readonly ns: string;
  readonly name: string;
  readonly access?: Access;
  handle(message: InboundMessage): void | Promise<void>;
}

/** True when this sender may use what is open to contacts: roster item, own server, known service, ourselves. */
export type Gate = (fromBare: string) => boolean;

/** A route with its codec: bad XML is refused here, once, with the path of the fault. */
export const route = <T>(
  types: readonly ("get" | "set")[],
  ns: string,
  codec: Codec<T>,
  handle: (value: T, request: IqRequest) => Promise<Element | undefined>,
  access: Access = "contact",
): Route => ({
  types,
  ns,
  name: codec.name,
  access,
  handle: request => handle(codec.decode(inOneGeneration(request.payload)), request),
});

export interface RouterDeps {
  readonly routes: readonly Route[];
  readonly messages: readonly MessageRoute[];
  readonly gate: Gate;
  /** Sends the reply to an iq. */
  readonly reply: (stanza: Element) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Default: English, and what languages are asked for is handed on as it is. */
  readonly languages?: Languages;
  /** Requests being answered at once; more are refused. */
  readonly concurrentMax: number;
  /** Of one bare JID: who asks slow things of many devices must not be all that is answered. Default: as many as there are. */
  readonly concurrentPerCallerMax?: number;
  /** How long a reply is remembered for a repeated request (COM-STZ-12). */
  readonly replayMs: number;
  readonly replaysMax: number;
  /** Of all replies that are remembered, as they would be written; the oldest are forgotten first. Default: no bound. */
  readonly replayBytesMax?: number;
}

export interface Router {
  iq(stanza: Element): Promise<void>;
  message(stanza: Element): Promise<void>;
  /** Namespaces served, for disco. */
  readonly features: readonly string[];
}

const key = (ns: string, name: string) => `${ns} ${name}`;

export function createRouter(deps: RouterDeps): Router {
  const routes = new Map<string, Route>();
  const served = new Set<string>();
  for (const one of deps.routes) {
    if (routes.has(key(one.ns, one.name))) throw new Error(`two routes for ${one.ns} ${one.name}`);
    routes.set(key(one.ns, one.name), one);
    served.add(one.ns);
  }
  const messages = new Map(deps.messages.map(one => [key(one.ns, one.name), one]));
  const replays = createReplays(deps);
  const changes = (stanza: Element): boolean => {
    const payload = firstElement(stanza);
    return (
      stanza.attrs.type === "set" ||
      (payload !== undefined && routes.get(key(payload.ns, payload.name))?.changes === true)
    );
  };
  const places = createPlaces(deps);

  const languages = deps.languages ?? english;
  const languageOf = (stanza: Element, payload: Element | undefined): string => {
    const asked = payload?.attrs["xml:lang"] || stanza.attrs["xml:lang"] || "";
    return deps.languages?.effective(asked) ?? asked;
  };

  const refused = (stanza: Element, said: StanzaError, language: string): Element => {
    const { text, language: spoken } = languages.say(language, said.text);
    const error = new StanzaError(said.type, said.condition, text, said.details);
    return replyTo(stanza, "error", encodeError(error, stanza.ns, spoken));
  };

  const find = (type: string, payload: Element, fromBare: string): Route => {
    const found = routes.get(key(payload.ns, payload.name));
    if (found?.access !== "anyone" && !deps.gate(fromBare)) {
      deps.log.info("stranger-refused", { from: fromBare, element: payload.name, ns: payload.ns });
      throw new StanzaError("auth", "forbidden");
    }
    if (found === undefined) {
      throw new StanzaError("cancel", served.has(payload.ns) ? "feature-not-implemented" : "service-unavailable");
    }
    if (!found.types.includes(type as "get" | "set")) throw new StanzaError("cancel", "feature-not-implemented");
    return found;
  };

  const answer = async (stanza: Element, from: string, fromBare: string): Promise<Element> => {
    const payload = firstElement(stanza);
    try {
      if (stanza.attrs.type !== "get" && stanza.attrs.type !== "set") {
        throw new StanzaError("modify", "bad-request", "an iq is of type get, set, result or error");
      }
      if (payload === undefined) throw new StanzaError("modify", "bad-request", "an iq without payload");
      const found = find(stanza.attrs.type ?? "", payload, fromBare);
      places.take(fromBare);
      try {
        const result = await found.handle({
          type: stanza.attrs.type as "get" | "set",
          from,
          fromBare,
          to: stanza.attrs.to ?? "",
          id: stanza.attrs.id ?? "",
          payload,
          language: languageOf(stanza, payload),
          signal: deps.signal,
        });
        return replyTo(stanza, "result", result);
      } finally {
        places.give(fromBare);
      }
    } catch (error) {
      const said = asStanzaError(error);
      if (said.condition === "resource-constraint")
        deps.log.warning("RateLimited", { from: fromBare, element: payload?.name, why: said.text });
      // What our own end cuts short is no failure; nothing is said of it either.
      if (said.condition === "internal-server-error" && !deps.signal.aborted) {
        deps.log.error("request-failed", { element: payload?.name, ns: payload?.ns, from: fromBare, error });
      }
      return refused(stanza, said, languageOf(stanza, payload));
    }
  };

  const send = (reply: Element) => {
    if (deps.signal.aborted) return;
    try {
      deps.reply(reply);
    } catch (error) {
      // Nothing can be said any more, not even that: the asker's own timeout tells him.
      deps.log.warning("reply-lost", { to: reply.attrs.to, error });
    }
  };

  return {
    features: [...served].sort(),

    async iq(stanza) {
      const { type, id } = stanza.attrs;
      // Without an id no answer would find its question.
      if (type === "result" || type === "error" || id === undefined) return;
      const from = normalJid(stanza.attrs.from);
      const fromBare = bareJid(stanza.attrs.from);
      if (from === undefined || fromBare === undefined) {
        // Nobody who may ask anything (COM-STZ-11); the broker itself is stamped by the session.
        send(replyTo(stanza, "error", encodeError(new StanzaError("auth", "forbidden"), stanza.ns)));
      } else {
        const work = () => answer(stanza, from, fromBare);
        // Reads change nothing: they are done again, so that readings are not kept in memory.
        send(await (changes(stanza) ? replays.once(from, id, stanza, work) : work()));
      }
    },

    async message(stanza) {
      const from = normalJid(stanza.attrs.from);
      const fromBare = bareJid(stanza.attrs.from);
      if (from === undefined || fromBare === undefined || stanza.attrs.type === "error") return;
      for (const payload of stanza.children) {
        if (typeof payload === "string") continue;
        const found = messages.get(key(payload.ns, payload.name));
        if (found === undefined) continue;
        if (found.access !== "anyone" && !deps.gate(fromBare)) {
          deps.log.info("stranger-ignored", { from: fromBare, element: payload.name, ns: payload.ns });
          continue;
        }
        try {
          await found.handle({ from, fromBare, type: stanza.attrs.type ?? "normal", payload, stanza });
        } catch (error) {
          deps.log.warning("message-ignored", { element: payload.name, ns: payload.ns, from: fromBare, error });
        }
      }
    },
  };
}

const replyTo = (stanza: Element, type: "result" | "error", payload: Element | undefined): Element =>
  element(
    "iq",
    stanza.ns,
    { type, id: stanza.attrs.id, to: stanza.attrs.from, from: stanza.attrs.to },
    payload === undefined ? [] : [payload],
  );

/** Requests being answered, all together and of each bare JID. */
function createPlaces({ concurrentMax, concurrentPerCallerMax = concurrentMax }: RouterDeps) {
  const taken = new Map<string, number>();
  let all = 0;
  return {
    take(jid: string) {
      const mine = taken.get(jid) ?? 0;
      if (all >= concurrentMax || mine >= concurrentPerCallerMax)
        throw new StanzaError("wait", "resource-constraint", "too many requests at once");
      taken.set(jid, mine + 1);
      all++;
    },
    give(jid: string) {
      const left = (taken.get(jid) ?? 1) - 1;
      if (left > 0) taken.set(jid, left);
      else taken.delete(jid);
      all--;
    },
  };
}
