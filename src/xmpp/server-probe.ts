// What another server sees of a broker before it has shown a certificate (RFC 6120 sections 5, 13.7; XEP-0220): whether it has to
// encrypt, whose certificate it is shown, and whether it would be let in without one of its own. No stanza is sent.

import type { TLSSocket } from "node:tls";
import { checkServerIdentity } from "node:tls";
import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import { serverProbeMs } from "#limits.ts";
import { connectTcp, startTlsNs } from "./dial.ts";
import { createStream, StreamEnded, type XmlStream } from "./stream.ts";
import { connectFailure, secure } from "./tls.ts";
import { child, type Element } from "./xml/element.ts";

const serverNs = "jabber:server";
const dialbackNs = "urn:xmpp:features:dialback";
const saslNs = "urn:ietf:params:xml:ns:xmpp-sasl";
/** RFC 2606: whose server this is nobody can say. */
const nobody = "isthmus-check.invalid";

export interface ServerProbe {
  /** Undefined: encryption is offered and required. */
  readonly encryption: "none" | "optional" | undefined;
  /** Why its certificate would not be believed; undefined: it would. */
  readonly certificate: string | undefined;
  /** How it proves the other names: with the same certificate, with one of their own, not at all, or it does not know them now. */
  readonly names: Readonly<Record<string, "same" | "own" | "none" | "unknown">>;
  /** Somebody without a certificate could come in: by a call back, say, whose answer anybody on the way can give. */
  readonly admits: boolean;
}

export interface ProbedServer {
  readonly host: string;
  readonly port: number;
  readonly domain: string;
  /** Other names it serves, such as those of its components. */
  readonly names: readonly string[];
  /** PEM texts: the authorities of a private network, instead of those that come with Node. */
  readonly ca?: readonly string[];
}

/** Rejects with the reason in a sentence when there is no server to talk to. */
export async function probeServer(server: ProbedServer, clock: Clock, signal: AbortSignal): Promise<ServerProbe> {
  return await within(clock, serverProbeMs, whereOf(server), signal, async inner => {
    const found = await calling(server, server.domain, clock, inner, async (stream, features) => {
      const encryption = await agreeOnTls(stream, features);
      if (encryption === "none") return { ...unknown, encryption };
      return { ...(await encrypted(stream.detach(), server, clock, inner)), encryption };
    });
    const names = { ...found.names };
    for (const name of server.names)
      if (names[name] === "none") names[name] = await certificateOf(name, server, clock, inner);
    return { ...found, names };
  });
}

const unknown = { certificate: undefined, names: {}, admits: false };
const whereOf = ({ host, port }: ProbedServer): string => `${host}:${port}`;

/** One connection, as of another server that has something for `name`. */
async function calling<T>(
  server: ProbedServer,
  name: string,
  clock: Clock,
  signal: AbortSignal,
  work: (stream: XmlStream, features: Element) => Promise<T>,
): Promise<T> {
  const where = whereOf(server);
  const socket = await connectTcp(server, signal).catch(error => {
    throw new Error(connectFailure(error, where, name, clock));
  });
  const stop = () => socket.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const stream = createStream(socket, { ns: serverNs, from: nobody, to: name, version: "1.0" }, clock);
    return await work(stream, await begin(stream, where));
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

/** After it, unless it says "none", both sides begin the handshake. */
async function agreeOnTls(stream: XmlStream, features: Element): Promise<ServerProbe["encryption"]> {
  const starttls = child(features, "starttls", startTlsNs);
  if (starttls === undefined) return "none";
  stream.write(`<starttls xmlns='${startTlsNs}'/>`);
  if ((await stream.read()).name !== "proceed") return "none";
  return child(starttls, "required", startTlsNs) === undefined ? "optional" : undefined;
}

async function encrypted(
  socket: ReturnType<XmlStream["detach"]>,
  server: ProbedServer,
  clock: Clock,
  signal: AbortSignal,
): Promise<Omit<ServerProbe, "encryption">> {
  const { domain, ca } = server;
  let secured: TLSSocket;
  try {
    secured = await secure(socket, { domain, ...(ca && { ca }) }, false, signal);
  } catch (error) {
    return { ...unknown, certificate: connectFailure(error, whereOf(server), domain, clock) };
  }
  const shown = secured.getPeerCertificate();
  const isFor = (name: string) => checkServerIdentity(name, shown) === undefined;
  const names = Object.fromEntries(server.names.map(name => [name, isFor(name) ? "same" : "none"] as const));
  const stream = createStream(secured, { ns: serverNs, from: nobody, to: domain, version: "1.0" }, clock);
  try {
    const features = await begin(stream, whereOf(server));
    const admits = child(features, "dialback", dialbackNs) !== undefined || (await isBelieved(stream, features));
    return { certificate: undefined, names, admits };
  } catch (error) {
    // It hangs up on who shows no certificate.
    if (error instanceof StreamEnded) return { certificate: undefined, names, admits: false };
    throw error;
  } finally {
    stream.destroy("looked at");
  }
}

/** Many a server has a certificate for each of its names, and shows that of the name it is asked for. */
async function certificateOf(name: string, server: ProbedServer, clock: Clock, signal: AbortSignal) {
  try {
    return await calling(server, name, clock, signal, async (stream, features) => {
      if ((await agreeOnTls(stream, features)) === "none") return "none";
      const { ca } = server;
      return await secure(stream.detach(), { domain: name, ...(ca && { ca }) }, false, signal).then(
        () => "own" as const,
        () => "none" as const,
      );
    });
  } catch (error) {
    if (error instanceof StreamEnded) return "unknown";
    throw error;
  }
}

/** EXTERNAL is offered by some to everybody; what counts is whether it says yes to who has shown nothing. */
async function isBelieved(stream: XmlStream, features: Element): Promise<boolean> {
  if (child(features, "mechanisms", saslNs) === undefined) return false;
  const claim = Buffer.from(nobody).toString("base64");
  stream.write(`<auth xmlns='${saslNs}' mechanism='EXTERNAL'>${claim}</auth>`);
  return (await stream.read()).name === "success";
}

async function begin(stream: XmlStream, where: string): Promise<Element> {
  await stream.restart();
  const features = await stream.read();
  if (features.name !== "features") throw new Error(`${where} is no XMPP server for other servers`);
  return features;
}
