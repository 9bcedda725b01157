// What one account does on its streams, one after the other: what comes in is counted and handed over, what goes out is
// counted and kept, questions find their answers, and a link that is dead is given up.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import { requestMs, slowestAnswerMsMax } from "#limits.ts";
import { type Connection, Disconnected, type Inbound } from "./connection.ts";
import { bareJid } from "./jid.ts";
import { createLiveness } from "./liveness.ts";
import type { Before, Negotiated } from "./negotiate.ts";
import type { Outbox } from "./outbox.ts";
import { createRequests } from "./requests.ts";
import { answerText, askText, CountError, isManagement } from "./resume.ts";
import { clientNs, encodeError, StanzaError } from "./stanza.ts";
import type { StreamEnded, XmlStream } from "./stream.ts";
import { createTraffic } from "./traffic.ts";
import { type Element, element, firstElement } from "./xml/element.ts";

export const pingNs = "urn:xmpp:ping";

export interface ServingOptions {
  /** Content namespace: client or component. */
  readonly ns: string;
  /** Whom to ask for a sign of life; for a component itself, so that the question passes the broker. */
  readonly pingTo: string;
  /** Component only: the sender where none is said. */
  readonly from?: string;
  readonly pingMs?: number;
  readonly pingAnswerMs?: number;
}

export interface ServingDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly outbox: Outbox;
  /** The life of the account's task. */
  readonly signal: AbortSignal;
}

export interface Serving extends Pick<Connection, "send" | "request"> {
  /** Until the stream ends or the signal does; resolves with why. */
  serve(session: Negotiated, signal: AbortSignal): Promise<StreamEnded>;
  readonly before: Before;
  /** Ends the stream in order; the next one is a new session, whatever could be resumed. */
  renew(): void;
  /** What the broker takes in one stanza. */
  readonly stanzaBytes: number;
  readonly answersDropped: number;
}

/** Streams in a row that end over the question to resume, after which a new session is bound. */
const resumptionsMax = 3;

/** The broker ended the stream over something we sent: to send it again on the same session would end it again. */
const blaming = new Set([
  "bad-format",
  "bad-namespace-prefix",
  "invalid-namespace",
  "invalid-xml",
  "not-well-formed",
  "policy-violation",
  "restricted-xml",
  "unsupported-stanza-type",
]);

export function createServing(options: ServingOptions, inbound: Inbound, deps: ServingDeps): Serving {
  const { clock, log, outbox } = deps;
  const { ns, pingTo } = options;
  let jid: string | undefined;
  let ownBare: string | undefined;
  let live: XmlStream | undefined;
  let resumptions = 0;
  let renewing = false;

  const requests = createRequests(
    clock,
    from => from === undefined || from === ownBare || from === pingTo || bareJid(from) === ownBare,
    undefined,
    (from, asked) => log.warning("SpoofedStanza", { element: "iq", from, asked: asked ?? "the broker" }),
  );
  const ping = () => request("get", pingTo, element("ping", pingNs), { timeoutMs: slowestAnswerMsMax });
  const liveness = createLiveness({
    clock,
    ...(options.pingMs !== undefined && { pingMs: options.pingMs }),
    ...(options.pingAnswerMs !== undefined && { pingAnswerMs: options.pingAnswerMs }),
    heardAt: () => live?.heardAt ?? clock.monotonic(),
    outstanding: () => traffic.management.unacknowledgedChars,
    ping: () => {
      if (traffic.management.on) live?.write(askText);
      ping().then(liveness.answered, error => {
        if (error instanceof StanzaError) liveness.answered();
      });
    },
    dead: reason => live?.destroy(reason),
  });
  const traffic = createTraffic({
    ns,
    clock,
    log,
    outbox,
    signal: deps.signal,
    roundTrip: () => ping().catch(error => (error instanceof StanzaError ? undefined : Promise.reject(error))),
    asked: () => liveness.asked(),
  });

  const request: Connection["request"] = (type, to, payload, how = {}) =>
    requests.ask({ to, what: to ?? "the broker", timeoutMs: how.timeoutMs ?? requestMs, signal: how.signal }, id =>
      traffic.send(element("iq", ns, { type, id, to, from: how.from ?? options.from }, [payload])),
    );

  const give = (what: keyof Inbound, hand: () => void) => {
    try {
      hand();
    } catch (error) {
      log.error("inbound-failed", { what, error });
    }
  };

  const onStanza = (stanza: Element) => {
    // Without a sender it is from our own account (RFC 6120 section 8.1.2.1); the broker stamps everybody else.
    const { type, from } = stanza.attrs;
    if (stanza.name === "iq" && (type === "result" || type === "error")) {
      requests.settle(stanza);
      return;
    }
    if (stanza.name === "iq" && from !== undefined && from === options.from && firstElement(stanza)?.ns === pingNs) {
      // A component's own ping has come round.
      return traffic.send(element("iq", ns, { type: "result", id: stanza.attrs.id, to: from, from }));
    }
    const signed =
      from === undefined && ns === clientNs
        ? { ...stanza, attrs: Object.assign(Object.create(null), stanza.attrs, { from: ownBare }) }
        : stanza;
    if (stanza.name === "iq") give("iq", () => inbound.iq(signed));
    else if (stanza.name === "message") give("message", () => inbound.message(signed));
    else if (stanza.name === "presence") give("presence", () => inbound.presence(signed));
  };

  const onElement = (node: Element) => {
    if (node.ns === ns) {
      traffic.management.received();
      onStanza(node);
    } else if (isManagement(node, "r")) live?.write(answerText(traffic.management.handled));
    else if (isManagement(node, "a")) {
      liveness.answered();
      // Brokers leave Nagle's delay on: what follows this little packet waits there until we confirm it, which our kernel
      // puts off for 40 ms unless something goes out. A blank goes out. Without it 32 questions at once ran at 700/s, not 6 000.
      live?.write(" ");
      try {
        traffic.acknowledged(traffic.management.acknowledge(node.attrs.h));
      } catch (error) {
        if (!(error instanceof CountError)) throw error;
        traffic.lost();
        live?.fail("undefined-condition", error.message);
      }
    }
  };

  const onTooLarge = (node: Element, why: string) => {
    traffic.management.received();
    log.warning("stanza-too-large", { from: node.attrs.from, why });
    if (node.name !== "iq") return;
    const error = encodeError(new StanzaError("modify", "policy-violation", why), ns);
    const { id, from, to, type } = node.attrs;
    if (type === "get" || type === "set") {
      traffic.send(element("iq", ns, { type: "error", id, to: from, from: options.from && to }, [error]));
    } else requests.settle({ ...node, attrs: { ...node.attrs, type: "error" }, children: [error] });
  };

  const before: Before = {
    management: traffic.management,
    get jid() {
      return jid;
    },
    acknowledged: traffic.acknowledged,
    mayResume: () => !renewing && ++resumptions <= resumptionsMax,
    lost() {
      traffic.lost();
      requests.rejectAll(new Disconnected("the connection to the broker was lost before the answer came"));
    },
  };

  /** Until the stream ends; then says why. */
  const serve: Serving["serve"] = async ({ stream, resumed, early, jid: bound, stanzaBytes }, signal) => {
    using scope = createScope(signal);
    live = stream;
    resumptions = 0;
    renewing = false;
    jid = bound;
    ownBare = bareJid(bound);
    const watching = liveness.run(scope.signal);
    traffic.open(stream, resumed, bound, () => give("online", () => inbound.online?.(bound, resumed)), stanzaBytes);
    early.forEach(onStanza);
    stream.listen(onElement, onTooLarge);
    const left = Promise.withResolvers<void>();
    scope.signal.addEventListener("abort", () => left.resolve(), { once: true });
    await Promise.race([stream.ended, left.promise]);
    if (stream.over === undefined) {
      // Farewell: each side says what it has, so that nothing is kept and delivered again.
      if (traffic.management.on) stream.write(answerText(traffic.management.handled) + askText);
      await stream.close();
    }
    const reason = await stream.ended;
    scope.abort();
    await watching;
    live = undefined;
    if (reason.byPeer && blaming.has(reason.condition ?? "")) traffic.blamed();
    // Replaced by another session of ours, or we could not bear what came: resumed, the same would come again.
    else if (renewing || reason.condition === "conflict" || (!reason.byPeer && reason.condition !== undefined))
      traffic.lost();
    traffic.close();
    if (traffic.management.previous === undefined) before.lost();
    give("offline", () => inbound.offline?.(reason.message));
    return reason;
  };
  return {
    serve,
    before,
    request,
    send: traffic.send,
    renew() {
      renewing = true;
      void live?.close();
    },
    get stanzaBytes() {
      return traffic.stanzaBytes;
    },
    get answersDropped() {
      return requests.dropped;
    },
  };
}
