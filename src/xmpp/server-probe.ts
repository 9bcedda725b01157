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
  /** Names of ours that the certificate does not stand for. */
  readonly unnamed: readonly string[];
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
  const where = `${server.host}:${server.port}`;
  return await within(clock, serverProbeMs, where, signal, async inner => {
    const socket = await connectTcp(server, inner).catch(error => {
      throw new Error(connectFailure(error, where, server.domain, clock));
    });
    const stop = () => socket.destroy();
    inner.addEventListener("abort", stop, { once: true });
    try {
      const stream = createStream(socket, { ns: serverNs, from: nobody, to: server.domain, version: "1.0" }, clock);
      const features = await begin(stream, where);
      const starttls = child(features, "starttls", startTlsNs);
      if (starttls === undefined) return { ...unknown, encryption: "none" };
      const encryption = child(starttls, "required", startTlsNs) === undefined ? "optional" : undefined;
      stream.write(`<starttls xmlns='${startTlsNs}'/>`);
      if ((await stream.read()).name !== "proceed") return { ...unknown, encryption: "none" };
      return { ...(await encrypted(stream.detach(), server, clock, inner)), encryption };
    } finally {
      inner.removeEventListener("abort", stop);
      stop();
    }
  });
}

const unknown = { certificate: undefined, unnamed: [], admits: false };

async function encrypted(
  socket: ReturnType<XmlStream["detach"]>,
  { domain, names, ca, host, port }: ProbedServer,
  clock: Clock,
  signal: AbortSignal,
): Promise<Omit<ServerProbe, "encryption">> {
  let secured: TLSSocket;
  try {
    secured = await secure(socket, { domain, ...(ca && { ca }) }, false, signal);
  } catch (error) {
    return { ...unknown, certificate: connectFailure(error, `${host}:${port}`, domain, clock) };
  }
  const shown = secured.getPeerCertificate();
  const unnamed = names.filter(name => checkServerIdentity(name, shown) !== undefined);
  const stream = createStream(secured, { ns: serverNs, from: nobody, to: domain, version: "1.0" }, clock);
  try {
    const features = await begin(stream, `${host}:${port}`);
    const admits = child(features, "dialback", dialbackNs) !== undefined || (await isBelieved(stream, features));
    return { certificate: undefined, unnamed, admits };
  } catch (error) {
    // It hangs up on who shows no certificate.
    if (error instanceof StreamEnded) return { certificate: undefined, unnamed, admits: false };
    throw error;
  } finally {
    stream.destroy("looked at");
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
