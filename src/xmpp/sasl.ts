// Log-in by SASL (RFC 6120 section 6): the strongest mechanism both sides have, with channel binding where the broker says
// which kinds it knows (XEP-0440), and never a weaker one than before without a word (ACC-SASL-01, ACC-SASL-02).

import { createHash, X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { createScram, ScramError, type ScramKeys } from "./scram.ts";
import type { XmlStream } from "./stream.ts";
import { child, type Element, element, elements, format, textOf } from "./xml/element.ts";

export const saslNs = "urn:ietf:params:xml:ns:xmpp-sasl";
const bindingsNs = "urn:xmpp:sasl-cb:0";

/** Strongest first. */
export const mechanisms = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN"] as const;
export type Mechanism = (typeof mechanisms)[number];

/** The broker refused, or cannot be trusted with, our log-in. */
export class LoginError extends Error {
  override name = "LoginError";
  /** RFC 6120 section 6.5, or "aborted" when it was us who refused. */
  readonly condition: string;
  constructor(condition: string, message: string) {
    super(message);
    this.condition = condition;
  }
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** The mechanism of the last log-in: a weaker one is refused from then on. */
  readonly mechanism?: Mechanism;
  /** Chosen by us and stored, but the broker has not confirmed the account yet. */
  readonly unconfirmed?: true;
  /** A new password that was asked for and not confirmed yet: tried when the other is refused. */
  readonly next?: string;
  /** When the password was made, as far as known. Milliseconds since 1970. */
  readonly since?: number;
  /** What the account was made with (`bundleOf` of registration.ts), where that was more than the asking. */
  readonly bundle?: string;
  /** The account is being given back: when the broker knows it no longer, that is done. */
  readonly leaving?: true;
}

export interface Binding {
  readonly type: "tls-exporter" | "tls-server-end-point";
  readonly data: Buffer;
}

export interface Choice {
  readonly mechanism: Mechanism;
  readonly gs2: string;
  readonly binding?: Binding;
}

export interface LoginOptions {
  readonly credentials: Credentials;
  readonly plain: boolean;
  readonly known?: ScramKeys;
}

export interface LoggedIn {
  readonly mechanism: Mechanism;
  readonly keys?: ScramKeys;
}

/** On a stream whose features were just read; afterwards the stream is to be restarted. Throws `LoginError`, `StreamEnded`. */
export async function login(
  stream: XmlStream,
  features: Element,
  socket: TLSSocket,
  options: LoginOptions,
): Promise<LoggedIn> {
  const choice = choose(offered(features), announced(features), bindingsOf(socket), options);
  const { username, password } = options.credentials;
  if (choice.mechanism === "PLAIN") {
    stream.write(send("auth", `\0${username}\0${password}`, "PLAIN"));
    read(await stream.read(), "success");
    return { mechanism: "PLAIN" };
  }
  const scram = createScram({
    hash: choice.mechanism.includes("256") ? "sha256" : "sha1",
    username,
    password,
    gs2: choice.gs2,
    ...(choice.binding && { binding: choice.binding.data }),
    ...(options.known && { known: options.known }),
  });
  stream.write(send("auth", scram.first, choice.mechanism));
  try {
    stream.write(send("response", await scram.answer(read(await stream.read(), "challenge"))));
    const last = await stream.read();
    scram.verify(read(last, "success", "challenge"));
    if (last.name === "challenge") {
      // Some brokers prove themselves in a challenge of its own instead of in the success (RFC 6120 section 6.4.5).
      stream.write(send("response", ""));
      read(await stream.read(), "success");
    }
  } catch (error) {
    if (error instanceof ScramError) throw new LoginError("aborted", error.message);
    throw error;
  }
  return { mechanism: choice.mechanism, keys: scram.keys() };
}

const offered = (features: Element): string[] => {
  const list = child(features, "mechanisms", saslNs);
  return list === undefined ? [] : elements(list).map(one => textOf(one).trim());
};

/** The binding types the broker knows, or undefined when it does not say. */
const announced = (features: Element): string[] | undefined => {
  const list = child(features, "sasl-channel-binding", bindingsNs);
  return list && elements(list).map(one => one.attrs.type ?? "");
};

/** Throws `LoginError` when nothing acceptable is offered. */
export function choose(
  offers: readonly string[],
  types: readonly string[] | undefined,
  bindings: readonly Binding[],
  { plain, credentials }: Pick<LoginOptions, "plain" | "credentials">,
): Choice {
  const binding = bindings.find(one => types?.includes(one.type));
  const usable = mechanisms
    .filter(one => offers.includes(one))
    .filter(one => (one === "PLAIN" ? plain : !one.endsWith("-PLUS") || binding !== undefined));
  const mechanism = usable[0];
  if (mechanism === undefined) {
    throw new LoginError(
      "invalid-mechanism",
      offers.includes("PLAIN")
        ? "the broker offers no SCRAM, only to be told the password itself (PLAIN), which is not allowed here"
        : `the broker offers no way to log in that we know (${offers.join(", ").slice(0, 200) || "none at all"})`,
    );
  }
  const before = credentials.mechanism;
  if (before !== undefined && mechanisms.indexOf(mechanism) > mechanisms.indexOf(before)) {
    throw new LoginError(
      "mechanism-too-weak",
      `the broker offers only ${mechanism}, but it offered ${before} before: somebody may be in between. If the broker was changed on purpose, remove the mechanism from the stored credentials`,
    );
  }
  if (mechanism.endsWith("-PLUS") && binding !== undefined) return { mechanism, gs2: `p=${binding.type},,`, binding };
  // "y" tells a broker that does offer binding that somebody removed the offer, so it may be said only when none is seen.
  const removed = bindings.length > 0 && !offers.some(one => one.endsWith("-PLUS"));
  return { mechanism, gs2: removed ? "y,," : "n,," };
}

/** What this connection can be bound to, the better first: RFC 9266, RFC 5929. */
export function bindingsOf(socket: TLSSocket): Binding[] {
  const result: Binding[] = [];
  // Before TLS 1.3 the exporter is unique only with extensions that Node does not report.
  if (socket.getProtocol() === "TLSv1.3") {
    const data = socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0));
    result.push({ type: "tls-exporter", data });
  }
  const raw = socket.getPeerCertificate(true)?.raw;
  const hash = raw && certificateHash(raw);
  if (raw && hash) result.push({ type: "tls-server-end-point", data: createHash(hash).update(raw).digest() });
  return result;
}

/** RFC 5929 section 4.1: the hash of the certificate's own signature, but MD5 and SHA-1 become SHA-256; none for the others. */
function certificateHash(raw: Buffer): string | undefined {
  const name = new X509Certificate(raw).signatureAlgorithm?.toLowerCase() ?? "";
  if (/pss/.test(name)) return undefined;
  const found = /(md5|sha-?1|sha-?224|sha-?256|sha-?384|sha-?512)(?!\d)/.exec(name)?.[1]?.replace("-", "");
  return found === "md5" || found === "sha1" ? "sha256" : found;
}

const send = (name: string, text: string, mechanism?: Mechanism): string =>
  format(element(name, saslNs, { mechanism }, [Buffer.from(text).toString("base64")]));

/** The text of an element, which must be one of these. */
function read(node: Element, ...names: string[]): string {
  if (node.ns === saslNs && names.includes(node.name)) return Buffer.from(textOf(node), "base64").toString();
  if (node.ns === saslNs && node.name === "failure") throw refused(node);
  throw new LoginError("aborted", `the broker answered the log-in with <${node.name}/> where <${names[0]}/> was due`);
}

function refused(node: Element): LoginError {
  const condition = elements(node).find(one => one.name !== "text")?.name ?? "not-authorized";
  const text = child(node, "text");
  const words = text === undefined || textOf(text) === "" ? "" : ` (${textOf(text).slice(0, 200)})`;
  const sentences: Record<string, string> = {
    "not-authorized": "the broker does not accept this user name and password",
    "account-disabled": "the broker has disabled this account",
    "credentials-expired": "the password of this account has expired",
    "temporary-auth-failure": "the broker cannot check passwords at the moment",
  };
  return new LoginError(condition, `${sentences[condition] ?? `the broker refused the log-in: ${condition}`}${words}`);
}
