// TLS to the broker: from the first byte or over a socket that has agreed to STARTTLS. The certificate is always verified,
// against the XMPP domain and nothing else (ACC-TLS-01); there is no switch to leave it out.

import { isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect, type PeerCertificate, type TLSSocket } from "node:tls";
import type { Clock } from "#base/clock.ts";

export interface Trust {
  /** The XMPP domain, whose name the certificate must bear. */
  readonly domain: string;
  /** PEM texts: the authorities of a private network, instead of those that come with Node. */
  readonly ca?: readonly string[];
}

/** Resolves when the peer has proved who it is; otherwise rejects with the socket destroyed. */
export function secure(socket: Socket, trust: Trust, direct: boolean, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const options: ConnectionOptions = { socket, minVersion: "TLSv1.2", rejectUnauthorized: true };
    if (isIP(trust.domain) === 0) options.servername = trust.domain;
    else options.host = trust.domain;
    if (trust.ca !== undefined) options.ca = [...trust.ca];
    if (direct) options.ALPNProtocols = ["xmpp-client"];
    const secured = connect(options);
    let presented: PeerCertificate | undefined;
    // Before Node judges the certificate, because afterwards there is nothing left to name in the sentence.
    secured.prependListener("secure", () => {
      presented = secured.getPeerCertificate();
    });
    const onAbort = () => secured.destroy(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const settle = () => {
      signal.removeEventListener("abort", onAbort);
      secured.off("error", onError).off("close", onClose);
      secured.on("error", () => {});
    };
    const onError = (error: Error) => {
      settle();
      secured.destroy();
      socket.destroy();
      reject(Object.assign(error, { presented }));
    };
    const onClose = () => onError(new Error("the connection was closed during the TLS handshake"));
    secured.on("error", onError).on("close", onClose);
    secured.once("secureConnect", () => {
      settle();
      resolve(secured);
    });
    if (signal.aborted) onAbort();
  });
}

interface Failure extends Error {
  code?: string;
  presented?: PeerCertificate;
  errors?: Failure[];
}

/** What a technician can act on. `where` is "host:port". */
export function connectFailure(error: unknown, where: string, domain: string, clock: Clock): string {
  const failure = error as Failure;
  const first = failure.errors?.[0] ?? failure;
  const code = first.code ?? "";
  return (
    networkSentence(code, where) ??
    certificateSentence(code, failure.presented, where, domain, clock) ??
    handshakeSentence(code, where) ??
    `${where}: ${first.message}`
  );
}

function networkSentence(code: string, where: string): string | undefined {
  switch (code) {
    case "ECONNREFUSED":
      return `${where} refused the connection: no broker listens there, or a firewall forbids it`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${where}: the name was not found in DNS (${code}); check the name and this machine's name server`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `${where} cannot be reached from this network (${code})`;
    case "ETIMEDOUT":
      return `${where} does not answer`;
    case "ECONNRESET":
    case "EPIPE":
      return `${where} broke the connection off`;
    default:
      return undefined;
  }
}

function certificateSentence(
  code: string,
  presented: PeerCertificate | undefined,
  where: string,
  domain: string,
  clock: Clock,
): string | undefined {
  // To the day: what says something else each time would be written to the log each time.
  const here = `this machine's clock says ${new Date(clock.now()).toISOString().slice(0, 10)}`;
  switch (code) {
    case "CERT_HAS_EXPIRED":
      return `the certificate of ${where} expired${at(presented?.valid_to)}; ${here}`;
    case "CERT_NOT_YET_VALID":
      return `the certificate of ${where} is valid only from${at(presented?.valid_from)}; ${here}`;
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `the certificate of ${where} is not for ${domain} but for ${presented?.subjectaltname ?? "no name at all"}`;
    case "CERT_REVOKED":
      return `the certificate of ${where} was revoked`;
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "CERT_SIGNATURE_FAILURE":
    case "CERT_UNTRUSTED":
      return `the certificate of ${where} was issued by an authority this machine does not trust (${issuer(presented)}); a private authority must be configured`;
    default:
      return undefined;
  }
}

const at = (date: string | undefined): string => (date === undefined ? "" : ` ${new Date(date).toISOString()}`);

const issuer = (presented: PeerCertificate | undefined): string => {
  const { CN, O } = presented?.issuer ?? {};
  return String(CN ?? O ?? "unnamed").slice(0, 100);
};

function handshakeSentence(code: string, where: string): string | undefined {
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG" || code === "EPROTO")
    return `${where} does not speak TLS from the first byte: is the port right, or does it want starttls as security?`;
  if (code.includes("NO_APPLICATION_PROTOCOL")) return `${where} serves something else than XMPP clients`;
  if (code.includes("PROTOCOL_VERSION")) return `${where} offers no TLS of version 1.2 or later`;
  return undefined;
}
