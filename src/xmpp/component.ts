// A component of the broker (XEP-0114): one stream for a whole domain of ours, opened with a shared secret. The protocol has
// neither TLS nor SASL, so it belongs on the loopback interface or in a tunnel (PRES-CMP-01).

import { createHash } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import { backoff } from "#base/delays.ts";
import { describe, type Log } from "#base/log.ts";
import { connectMs, reconnectFirstMs, reconnectMsMax, stanzaBytesMax, streamHealthyMs } from "#limits.ts";
import type { Connection, Inbound } from "./connection.ts";
import { connectTcp, DialError } from "./dial.ts";
import type { Negotiated } from "./negotiate.ts";
import { createOutbox, noOutboxStore } from "./outbox.ts";
import { createServing, type ServingOptions } from "./serving.ts";
import { componentNs } from "./stanza.ts";
import { createStream, StreamEnded } from "./stream.ts";
import { connectFailure } from "./tls.ts";

export interface ComponentOptions extends Pick<ServingOptions, "pingMs" | "pingAnswerMs"> {
  readonly host: string;
  readonly port: number;
  /** The domain it serves, as the broker knows it. */
  readonly jid: string;
  readonly secret: string;
  /** Defaults in limits.ts. */
  readonly connectMs?: number;
  readonly reconnectFirstMs?: number;
}

export interface ComponentDeps {
  readonly clock: Clock;
  readonly log: Log;
}

/** To try again would not help: the secret is wrong, or another process has this domain. A sentence. */
export class ComponentRefused extends Error {
  override name = "ComponentRefused";
}

export interface Component extends Connection {
  /** Until aborted; rejects with `ComponentRefused`. Once only. */
  run(signal: AbortSignal): Promise<void>;
}

/** Messages sent while offline wait in memory; what must outlive the process is kept by the one who sends it. */
export function createComponent(options: ComponentOptions, inbound: Inbound, deps: ComponentDeps): Component {
  const { clock, log } = deps;
  const { jid } = options;
  const life = new AbortController();
  const outbox = createOutbox(noOutboxStore, clock, log, life.signal);
  let online = false;
  const serving = createServing(
    { ...options, ns: componentNs, pingTo: jid, from: jid },
    {
      ...inbound,
      online(bound, resumed) {
        online = true;
        log.info("component-online", { jid: bound });
        inbound.online?.(bound, resumed);
      },
      offline(reason) {
        online = false;
        inbound.offline?.(reason);
      },
    },
    { clock, log, outbox, signal: life.signal },
  );

  /** Resolves with why the stream ended. Rejects with `ComponentRefused` or a sentence about the connection. */
  const attempt = async (signal: AbortSignal): Promise<StreamEnded> => {
    const session = await within(
      clock,
      options.connectMs ?? connectMs,
      `${options.host}:${options.port}`,
      signal,
      inner => shakeHands(options, clock, inner),
    );
    const ended = await serving.serve(session, signal);
    if (ended.byPeer && ended.condition === "conflict") throw new ComponentRefused(taken(jid));
    return ended;
  };

  const run = async (signal: AbortSignal) => {
    let delays = backoff(options.reconnectFirstMs ?? reconnectFirstMs, reconnectMsMax);
    while (!signal.aborted) {
      const began = clock.monotonic();
      let reason: string;
      try {
        reason = (await attempt(signal)).message;
      } catch (error) {
        if (error instanceof ComponentRefused) throw error;
        if (!signal.aborted && !isExpected(error)) log.error("component-failed", { error });
        reason = describe(error);
      }
      if (signal.aborted) return;
      if (clock.monotonic() - began >= streamHealthyMs) {
        delays = backoff(options.reconnectFirstMs ?? reconnectFirstMs, reconnectMsMax);
      }
      const nextMs = delays.next().value as number;
      log.warning("component-offline", { reason, nextMs });
      await clock.sleep(nextMs, signal).catch(() => {});
    }
  };

  return {
    jid,
    get online() {
      return online;
    },
    send: stanza =>
      serving.send(stanza.attrs.from === undefined ? { ...stanza, attrs: { ...stanza.attrs, from: jid } } : stanza),
    request: serving.request,
    run: signal => run(signal).finally(() => life.abort()),
  };
}

async function shakeHands(options: ComponentOptions, clock: Clock, signal: AbortSignal): Promise<Negotiated> {
  const { host, port, jid, secret } = options;
  const where = `${host}:${port}`;
  const socket = await connectTcp({ host, port }, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    throw new DialError(connectFailure(error, where, jid, clock));
  });
  const stream = createStream(socket, { ns: componentNs, to: jid }, clock);
  const onAbort = () => stream.destroy("the broker did not answer the handshake");
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const { id = "" } = (await stream.restart()).attrs;
    // The protocol asks for SHA-1 in lower-case hexadecimal; the secret itself never leaves.
    const proof = createHash("sha1")
      .update(id + secret)
      .digest("hex");
    stream.write(`<handshake>${proof}</handshake>`);
    const answer = await stream.read();
    if (answer.name !== "handshake") throw new StreamEnded(`the broker answered the handshake with <${answer.name}/>`);
    return { stream, jid, resumed: false, stanzaBytes: stanzaBytesMax, early: [] };
  } catch (error) {
    stream.destroy("the handshake failed");
    if (error instanceof StreamEnded && error.byPeer) {
      if (error.condition === "conflict") throw new ComponentRefused(taken(jid));
      if (error.condition === "not-authorized") {
        throw new ComponentRefused(`the broker does not accept the secret of the component ${jid}`);
      }
      if (error.condition === "host-unknown") {
        throw new ComponentRefused(`the broker knows no component ${jid}: it must be declared in its configuration`);
      }
    }
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

const taken = (jid: string): string =>
  `another process is connected as the component ${jid}: only one may be, so this one stops`;

const isExpected = (error: unknown): boolean =>
  error instanceof StreamEnded || error instanceof DialError || error instanceof TimeoutError;
