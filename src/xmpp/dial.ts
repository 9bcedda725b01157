// Where the broker is and how to get there: a configured address, else the SRV records of RFC 6120 and XEP-0368, else the
// usual ports. TLS from the first byte is tried before STARTTLS; clear text is never spoken beyond the word "starttls".

import { Resolver } from "node:dns/promises";
import { connect, isIP, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import { connectMs, dialTargetsMax, dnsMs } from "#limits.ts";
import { clientNs } from "./stanza.ts";
import { createStream, StreamEnded, streamsNs } from "./stream.ts";
import { connectFailure, secure, type Trust } from "./tls.ts";
import { child } from "./xml/element.ts";

export const startTlsNs = "urn:ietf:params:xml:ns:xmpp-tls";

export interface DialOptions extends Trust {
  /** Skips SRV. Without `port`, 5223 for direct TLS and 5222 for STARTTLS. */
  readonly host?: string;
  readonly port?: number;
  /** With `host` or `port`: only this way. */
  readonly tls?: "direct" | "starttls";
  /** Default limits.connectMs, for all targets together. */
  readonly connectMs?: number;
}

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly direct: boolean;
}

/** No target could be reached; the message tells of each why. */
export class DialError extends Error {
  override name = "DialError";
}

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

export interface DialDeps {
  readonly clock: Clock;
  /** For tests; the system's name server otherwise. Rejects as `dns.resolveSrv` does. */
  readonly resolveSrv?: (name: string, signal: AbortSignal) => Promise<readonly SrvRecord[]>;
}

/** A TLS socket to the verified broker. The whole search takes at most `connectMs`. Rejects with `DialError`. */
export async function dial(options: DialOptions, deps: DialDeps, signal: AbortSignal): Promise<TLSSocket> {
  const bound = options.connectMs ?? connectMs;
  const until = deps.clock.monotonic() + bound;
  const targets = (await findTargets(options, deps, signal)).slice(0, dialTargetsMax);
  if (targets.length === 0) throw new DialError(`${options.domain} states in DNS that it serves no XMPP clients`);
  const reasons: string[] = [];
  for (const [index, target] of targets.entries()) {
    // What is left is shared by those still to try: one that never answers must not use up the turn of the next.
    const share = (until - deps.clock.monotonic()) / (targets.length - index);
    const where = `${target.host}:${target.port}`;
    try {
      return await within(deps.clock, Math.max(1, Math.round(share)), where, signal, inner =>
        open(target, options, deps.clock, inner),
      );
    } catch (error) {
      signal.throwIfAborted();
      reasons.push(
        error instanceof TimeoutError || error instanceof DialError
          ? error.message
          : connectFailure(error, where, options.domain, deps.clock),
      );
    }
  }
  throw new DialError(`no connection to ${options.domain}: ${[...new Set(reasons)].join("; ")}`);
}

async function open(target: Target, trust: Trust, clock: Clock, signal: AbortSignal): Promise<TLSSocket> {
  const socket = await connectTcp(target, signal);
  if (!target.direct) await startTls(socket, target, trust, clock, signal);
  return await secure(socket, trust, target.direct, signal);
}

/** TCP alone: also for components, whose protocol has no TLS. */
export function connectTcp({ host, port }: { host: string; port: number }, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 });
    const onAbort = () => socket.destroy(signal.reason);
    const onError = (error: Error) => {
      signal.removeEventListener("abort", onAbort);
      reject(error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("error", onError);
    socket.once("connect", () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      resolve(socket);
    });
  });
}

async function startTls(socket: Socket, target: Target, trust: Trust, clock: Clock, signal: AbortSignal) {
  const where = `${target.host}:${target.port}`;
  const stream = createStream(socket, { ns: clientNs, to: trust.domain, version: "1.0" }, clock);
  const onAbort = () => stream.destroy("given up");
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await stream.restart();
    const features = await stream.read();
    const offered =
      features.name === "features" &&
      features.ns === streamsNs &&
      child(features, "starttls", startTlsNs) !== undefined;
    if (!offered) {
      throw new DialError(
        `${where} offers no encryption (STARTTLS): the broker is set up without it, or somebody on the way took it out. Nothing was sent`,
      );
    }
    stream.write(`<starttls xmlns='${startTlsNs}'/>`);
    const answer = await stream.read();
    if (answer.name !== "proceed" || answer.ns !== startTlsNs)
      throw new DialError(`${where} refused to encrypt (STARTTLS)`);
    stream.detach();
  } catch (error) {
    stream.destroy("given up");
    if (error instanceof StreamEnded) throw new DialError(`${where}: ${error.message} before encryption began`);
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** In the order to be tried. Empty when the domain says in DNS that there is no such service. */
export async function findTargets(options: DialOptions, deps: DialDeps, signal: AbortSignal): Promise<Target[]> {
  const { domain, host, port, tls } = options;
  const ways = tls === undefined ? [true, false] : [tls === "direct"];
  const usual = (name: string) => ways.map(direct => ({ host: name, port: port ?? (direct ? 5223 : 5222), direct }));
  if (host !== undefined || port !== undefined || isIP(domain) !== 0) return usual(host ?? domain);
  const resolve = deps.resolveSrv ?? resolveBySystem;
  const asked = await Promise.allSettled(
    (["_xmpps-client", "_xmpp-client"] as const).map(service =>
      within(deps.clock, dnsMs, "the name server", signal, inner => resolve(`${service}._tcp.${domain}`, inner)),
    ),
  );
  signal.throwIfAborted();
  const found = asked.flatMap((one, index) =>
    one.status === "fulfilled" ? one.value.map(record => ({ ...record, direct: index === 0 })) : [],
  );
  if (found.length === 0) return usual(domain);
  return inOrder(found.filter(one => one.name !== "." && one.name !== "").filter(one => ways.includes(one.direct)));
}

async function resolveBySystem(name: string, signal: AbortSignal): Promise<SrvRecord[]> {
  const resolver = new Resolver({ timeout: dnsMs, tries: 1 });
  const onAbort = () => resolver.cancel();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await resolver.resolveSrv(name);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** RFC 2782: by priority; among equals direct TLS first, then at random by weight. */
function inOrder(found: readonly (SrvRecord & { direct: boolean })[]): Target[] {
  return found
    .map(one => ({ ...one, draw: Math.random() ** (1 / Math.max(one.weight, 0.01)) }))
    .sort((a, b) => a.priority - b.priority || Number(b.direct) - Number(a.direct) || b.draw - a.draw)
    .map(({ name, port, direct }) => ({ host: name, port, direct }));
}
