// The client's session at the broker: one task that connects, logs in, serves, and comes back by itself; a Connection for
// the rest of the program. The stream is ours (docs/decisions/0001-own-xmpp-stream.md).

import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import { backoff } from "#base/delays.ts";
import { describe, type Log } from "#base/log.ts";
import {
  connectMs,
  loginRefusedMs,
  reconnectFirstMs,
  reconnectMsMax,
  registrationAgainMs,
  registrationAgainMsMax,
  streamHealthyMs,
} from "#limits.ts";
import { type Connection, Disconnected, type Inbound } from "./connection.ts";
import { type DialDeps, type DialOptions, dial } from "./dial.ts";
import { type Memory, type Negotiated, type NegotiateOptions, negotiate, requireAccount } from "./negotiate.ts";
import { createOutbox, noOutboxStore, type OutboxStore } from "./outbox.ts";
import { RegistrationError } from "./registration-form.ts";
import { LoginError } from "./sasl.ts";
import { createServing, type ServingOptions } from "./serving.ts";
import { clientNs } from "./stanza.ts";
import { StreamEnded } from "./stream.ts";

export interface SessionOptions extends DialOptions, NegotiateOptions, Pick<ServingOptions, "pingMs" | "pingAnswerMs"> {
  /** Default in limits.ts. */
  readonly reconnectFirstMs?: number;
}

export interface SessionDeps extends DialDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Without it messages do not outlive the process. */
  readonly outbox?: OutboxStore;
}

export interface SessionState {
  /** waiting: not connected, trying again later; `reason` says why. */
  readonly phase: "connecting" | "online" | "waiting" | "stopped";
  /** Wall clock. */
  readonly since: number;
  /** A sentence, "" when all is well. */
  readonly reason: string;
  readonly messagesWaiting: number;
  /** Answers that came late, twice or from the wrong sender. */
  readonly answersDropped: number;
}

export interface Session extends Connection {
  /** Until aborted; never rejects. The farewell takes at most limits.streamCloseMs. Once only. */
  run(signal: AbortSignal): Promise<void>;
  state(): SessionState;
  /** Logs in anew, which gives another resource: who knew the one before knows nothing of this one (PRES-SUB-04). */
  renew(): void;
  /** Messages that wait for this bare JID, or for anybody, are not sent any more. */
  drop(bareJid?: string): void;
  /** What the broker takes in one stanza: what it last announced, else limits.stanzaBytesMax. */
  readonly stanzaBytes: number;
  /** Resolves when a session is bound, at once if it is; rejects with the abort reason. */
  whenOnline(signal: AbortSignal): Promise<void>;
}

export function createSession(options: SessionOptions, inbound: Inbound, deps: SessionDeps): Session {
  const { clock, log } = deps;
  const life = new AbortController();
  const outbox = createOutbox(deps.outbox ?? noOutboxStore, clock, log, life.signal);
  const memory: Memory = {};
  const waiters = new Set<() => void>();
  let phase: SessionState["phase"] = "waiting";
  let reason = "not started";
  let since = clock.now();

  const enter = (next: SessionState["phase"], why: string) => {
    phase = next;
    reason = why;
    since = clock.now();
  };

  const serving = createServing(
    { ...options, ns: clientNs, pingTo: options.domain },
    {
      ...inbound,
      online(jid, resumed) {
        enter("online", "");
        log.info("xmpp-online", { jid, resumed });
        for (const wake of [...waiters]) wake();
        inbound.online?.(jid, resumed);
      },
    },
    { clock, log, outbox, signal: life.signal },
  );
  const { before } = serving;

  const connect = async (signal: AbortSignal): Promise<Negotiated> => {
    requireAccount(options);
    const socket = await dial(options, deps, signal);
    return await within(clock, options.connectMs ?? connectMs, "the broker, during log-in", signal, inner =>
      negotiate(socket, options, memory, before, deps, inner),
    );
  };

  const waits = createWaits(options.reconnectFirstMs ?? reconnectFirstMs);

  /** One connection from dialling to its end; resolves with how long to wait before the next. */
  const attempt = async (signal: AbortSignal): Promise<number> => {
    enter("connecting", reason);
    try {
      const session = await connect(signal);
      const began = clock.monotonic();
      const ended = await serving.serve(session, signal);
      if (clock.monotonic() - began >= streamHealthyMs) waits.healthy();
      enter("waiting", ended.message);
      return waits.after(ended, isLeaving());
    } catch (error) {
      enter("waiting", describe(error));
      if (error instanceof LoginError) log.warning("LoginFailed", { condition: error.condition, error });
      if (error instanceof RegistrationError) log.warning("RegistrationFailed", { error });
      if (!signal.aborted && !isExpected(error)) log.error("xmpp-failed", { error });
      return waits.after(error, isLeaving());
    }
  };
  const isLeaving = () => options.credentials.load()?.leaving === true;

  return {
    send: serving.send,
    request: serving.request,
    renew: serving.renew,
    drop: outbox.drop,
    get jid() {
      if (before.jid === undefined) throw new Disconnected("there has been no log-in yet");
      return before.jid;
    },
    get online() {
      return phase === "online";
    },
    get stanzaBytes() {
      return serving.stanzaBytes;
    },
    async run(signal) {
      while (!signal.aborted) {
        const waitMs = await attempt(signal);
        if (signal.aborted) break;
        log.warning("xmpp-offline", { reason, nextMs: waitMs });
        await clock.sleep(waitMs, signal).catch(() => {});
      }
      before.lost();
      outbox.flush();
      life.abort();
      enter("stopped", "the program is stopping");
    },
    state: () => ({
      phase,
      since,
      reason,
      messagesWaiting: outbox.waiting,
      answersDropped: serving.answersDropped,
    }),
    whenOnline(signal) {
      return new Promise((resolve, reject) => {
        if (phase === "online") return resolve();
        if (signal.aborted) return reject(signal.reason);
        const settle = () => {
          waiters.delete(settle);
          signal.removeEventListener("abort", settle);
          if (signal.aborted) reject(signal.reason);
          else resolve();
        };
        waiters.add(settle);
        signal.addEventListener("abort", settle, { once: true });
      });
    },
  };
}

const isExpected = (error: unknown): boolean =>
  error instanceof Error &&
  ["DialError", "LoginError", "RegistrationError", "StreamEnded", "TimeoutError", "CountError"].includes(error.name);

/** How long to stay away, by what went wrong: a lost link returns soon, a refused password does not become right. */
function createWaits(firstMs: number) {
  const delays = () => backoff(firstMs, reconnectMsMax);
  const registrations = () => backoff(registrationAgainMs, registrationAgainMsMax, 0);
  let lost = delays();
  let refused = registrations();
  const next = (from: Generator<number>): number => from.next().value as number;
  /** Spread, and never less (ACC-SASL-03, ACC-IBR-05). */
  const atLeast = (ms: number): number => Math.round(ms * (1 + 0.25 * Math.random()));
  return {
    healthy() {
      lost = delays();
      refused = registrations();
    },
    /** `leaving`: the account is being given back, and what looks like a refusal may be that it was. */
    after(error: unknown, leaving: boolean): number {
      // Another process with our account: to insist would only have us throw each other out in turns.
      // An account that was removed or suspended while it was in use ends with not-authorized.
      const replaced =
        error instanceof StreamEnded &&
        error.byPeer &&
        (error.condition === "conflict" || error.condition === "not-authorized");
      const login = error instanceof LoginError && error.condition !== "temporary-auth-failure";
      if ((replaced || login) && !leaving) return atLeast(loginRefusedMs);
      if (error instanceof RegistrationError) return atLeast(next(refused));
      return next(lost);
    },
  };
}
