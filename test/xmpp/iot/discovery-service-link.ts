// A scripted peer for the talk with registry and provisioning: real bytes, real router and codecs on both directions, only
// the broker between is left out. The script answers our requests; `push` and `tell` are what the peer sends unasked.

import { createLog, type LogEvent } from "#base/log.ts";
import { type Element, element, firstElement, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import type { Connection } from "#xmpp/connection.ts";
import { createRouter, type MessageRoute, type Route } from "#xmpp/router.ts";
import { clientNs, decodeError, StanzaError } from "#xmpp/stanza.ts";
import type { ManualClock } from "../../support/manual-clock.ts";

export const edgeJid = "gw9@hub.example/e";
export const edgeBare = "gw9@hub.example";

/** A request of ours as it went over the wire. */
export interface Sent {
  readonly type: "get" | "set";
  readonly to: string;
  readonly payload: Element;
  readonly text: string;
}

/** Answers with a payload's text, "" for an empty result, or throws a StanzaError or any other error. */
export type Script = (sent: Sent) => string | Promise<string>;

export interface ServiceLink {
  readonly connection: Connection;
  readonly sent: Sent[];
  readonly events: LogEvent[];
  readonly log: ReturnType<typeof createLog>;
  script: Script;
  online: boolean;
  serve(routes: readonly Route[], messages?: readonly MessageRoute[]): void;
  /** An iq set to us; resolves with the condition of the error, or "result". */
  push(from: string, payload: string): Promise<string>;
  tell(from: string, payload: string): Promise<void>;
  /** An iq get to us; resolves with the whole reply. */
  ask(from: string, payload: string): Promise<Element>;
  /** Told how long each request of ours would wait. */
  waits: (timeoutMs: number | undefined) => void;
}

export function createServiceLink(clock: ManualClock): ServiceLink {
  const events: LogEvent[] = [];
  const sent: Sent[] = [];
  let router: ReturnType<typeof createRouter> | undefined;
  let ids = 0;
  const replies = new Map<string, (stanza: Element) => void>();
  const log = createLog(event => events.push(event));

  const link: ServiceLink = {
    sent,
    events,
    log,
    script: () => {
      throw new StanzaError("wait", "service-unavailable");
    },
    online: true,
    waits() {},
    connection: {
      jid: edgeJid,
      get online() {
        return link.online;
      },
      send() {
        throw new Error("nothing is sent but requests");
      },
      async request(type, to, payload, how) {
        link.waits(how?.timeoutMs);
        if (!link.online) throw new Error("not connected");
        const text = format(payload);
        const one = { type, to: to ?? "", payload: parse(text), text };
        sent.push(one);
        const answer = await link.script(one);
        return answer === "" ? undefined : parse(answer);
      },
    },
    serve(routes, messages = []) {
      router = createRouter({
        routes,
        messages,
        gate: () => true,
        reply: stanza => replies.get(stanza.attrs.id ?? "")?.(parse(format(stanza))),
        clock,
        log,
        signal: new AbortController().signal,
        concurrentMax: 16,
        replayMs: 1_000,
        replaysMax: 16,
      });
    },
    async push(from, payload) {
      const id = `p${++ids}`;
      const answered = new Promise<Element>(resolve => replies.set(id, resolve));
      await router?.iq(
        parse(format(element("iq", clientNs, { type: "set", id, from, to: edgeJid }, [parse(payload)]))),
      );
      const reply = await answered;
      if (reply.attrs.type === "error") return decodeError(reply).condition;
      return firstElement(reply) === undefined ? "result" : `result ${firstElement(reply)?.name}`;
    },
    async ask(from, payload) {
      const id = `p${++ids}`;
      const answered = new Promise<Element>(resolve => replies.set(id, resolve));
      await router?.iq(
        parse(format(element("iq", clientNs, { type: "get", id, from, to: edgeJid }, [parse(payload)]))),
      );
      return await answered;
    },
    async tell(from, payload) {
      await router?.message(parse(format(element("message", clientNs, { from, to: edgeJid }, [parse(payload)]))));
    },
  };
  return link;
}
