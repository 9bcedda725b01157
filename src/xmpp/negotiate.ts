// From a TLS socket to a session at the broker (RFC 6120 sections 6 and 7, XEP-0198): log-in or registration and log-in, then
// the old session resumed or a new one bound, without a resource of our choice (PRES-ID-02).

import type { TLSSocket } from "node:tls";
import type { Clock } from "#base/clock.ts";
import { describe, type Log } from "#base/log.ts";
import { announcedBytesMax, announcedBytesMin, stanzaBytesMax } from "#limits.ts";
import { bundleOf, type CredentialStore, type RegisterOptions, register } from "./registration.ts";
import { randomId } from "./requests.ts";
import { enableText, isManagement, type Management, resumeText, type Sent, smNs } from "./resume.ts";
import { type Credentials, LoginError, login, mechanisms } from "./sasl.ts";
import type { ScramKeys } from "./scram.ts";
import { clientNs, decodeError } from "./stanza.ts";
import { createStream, StreamEnded, streamsNs, type XmlStream } from "./stream.ts";
import { child, type Element, element, format, textOf } from "./xml/element.ts";
import type { XmlLimits } from "./xml/parser.ts";

const limitsNs = "urn:xmpp:stream-limits:0";
const bindNs = "urn:ietf:params:xml:ns:xmpp-bind";

export interface NegotiateOptions {
  readonly domain: string;
  readonly language?: string;
  readonly credentials: CredentialStore;
  /** Make an account when there is none. */
  readonly register?: RegisterOptions;
  /** Tell the broker the password itself when it knows nothing better (inside TLS). Default no. */
  readonly allowPlain?: boolean;
  /** What is taken in, where it is more than limits.ts allows a thing that runs for years: for people's clients. */
  readonly limits?: Partial<XmlLimits>;
}

/** Lives as long as the session: what the next log-in is quicker by. */
export interface Memory {
  keys?: { password: string; scram: ScramKeys };
}

export interface Negotiated {
  readonly stream: XmlStream;
  readonly jid: string;
  readonly resumed: boolean;
  /** What the broker takes in one stanza. */
  readonly stanzaBytes: number;
  /** Stanzas that came before they were counted; to be handed over first. */
  readonly early: readonly Element[];
}

/** What becomes of the session before; told as soon as it is known, even when the log-in fails afterwards. */
export interface Before {
  readonly jid: string | undefined;
  readonly management: Management;
  acknowledged(stanzas: readonly Sent[]): void;
  /** About to ask for resumption: false to bind a new session instead. */
  mayResume(): boolean;
  /** It cannot be resumed: what is not acknowledged is to be sent anew or given up. */
  lost(): void;
}

/** Rejects with `LoginError`, `RegistrationError`, `StreamEnded`; the socket is destroyed then. */
export async function negotiate(
  socket: TLSSocket,
  options: NegotiateOptions,
  memory: Memory,
  before: Before,
  deps: { readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<Negotiated> {
  const { domain, language = "en" } = options;
  const { limits = {} } = options;
  const stream = createStream(socket, { ns: clientNs, to: domain, version: "1.0", language, limits }, deps.clock);
  const onAbort = () => stream.destroy("the log-in was given up");
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    if (signal.aborted) onAbort();
    await stream.restart();
    await authenticate(stream, await readFeatures(stream), socket, options, memory, deps);
    await stream.restart();
    const features = await readFeatures(stream);
    const managed = child(features, "sm", smNs) !== undefined;
    const stanzaBytes = announcedBytes(features);
    if (before.jid !== undefined && (await resume(stream, managed, before))) {
      return { stream, jid: before.jid, resumed: true, stanzaBytes, early: [] };
    }
    const jid = await bind(stream);
    const early = managed ? await enable(stream, before.management) : [];
    return { stream, jid, resumed: false, stanzaBytes, early };
  } catch (error) {
    // What went wrong on our side should not leave the broker with half a session.
    if (stream.over === undefined) void stream.close();
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** XEP-0478; most brokers do not say, and take what Prosody takes unless told otherwise. */
function announcedBytes(features: Element): number {
  const limits = child(features, "limits", limitsNs);
  const said = limits && child(limits, "max-bytes", limitsNs);
  const bytes = said === undefined ? Number.NaN : Number(textOf(said).trim());
  if (!Number.isSafeInteger(bytes) || bytes <= 0) return stanzaBytesMax;
  return Math.min(Math.max(bytes, announcedBytesMin), announcedBytesMax);
}

async function readFeatures(stream: XmlStream): Promise<Element> {
  const node = await stream.read();
  if (node.name === "features" && node.ns === streamsNs) return node;
  throw new StreamEnded(`the broker sent <${node.name}/> where its features were due`);
}

/** Throws `LoginError` where there is nothing to log in with, so that the broker is not troubled. */
export function requireAccount({ credentials, register: wanted }: NegotiateOptions): void {
  if (credentials.load() !== undefined) return;
  const retired = credentials.retired?.();
  if (retired !== undefined && (wanted === undefined || retired === bundleOf(wanted))) {
    throw new LoginError(
      "no-account",
      "the account was given back when this appliance was taken out of service; a new invite or API key puts it back into service",
    );
  }
  if (wanted === undefined) {
    throw new LoginError("no-account", "no user name and password are configured, and registration is not switched on");
  }
}

async function authenticate(
  stream: XmlStream,
  features: Element,
  socket: TLSSocket,
  options: NegotiateOptions,
  memory: Memory,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<void> {
  const store = options.credentials;
  const { domain } = options;
  const logIn = async (credentials: Credentials) => {
    const known = memory.keys?.password === credentials.password ? memory.keys.scram : undefined;
    const plain = options.allowPlain ?? false;
    const done = await login(stream, features, socket, { credentials, plain, ...(known && { known }) });
    if (done.keys) memory.keys = { password: credentials.password, scram: done.keys };
    remember(store, credentials, done.mechanism, log);
  };
  const makeAccount = async (wanted: RegisterOptions, lost?: Credentials) => {
    const at = { stream, ns: clientNs, domain, features, now: clock.now() };
    const made = await register(at, wanted, store, lost);
    log.notice(lost === undefined ? "account-registered" : "account-recreated", {
      account: `${made.username}@${domain}`,
    });
    return made;
  };
  requireAccount(options);
  const credentials = store.load();
  const wanted = options.register;
  if (credentials === undefined) return wanted && (await logIn(await makeAccount(wanted)));
  try {
    await logIn(credentials);
  } catch (error) {
    if (!(error instanceof LoginError) || error.condition !== "not-authorized") throw error;
    if (credentials.leaving) return gone(options);
    if (credentials.next !== undefined) return await logInWithNext(credentials, logIn, error);
    if (wanted === undefined) throw error;
    // Only an account that the broker never confirmed may be asked for again; any other refusal is for a person to look at,
    // who says that it is to be made anew by bringing something else to make it with.
    if (credentials.unconfirmed) return await logIn(await makeAccount(wanted));
    const bundle = bundleOf(wanted);
    if (bundle === "" || bundle === (credentials.bundle ?? "")) throw error;
    await logIn(await makeAccount(wanted, withoutMethod(credentials)));
  }
}

/** The answer to a change of password was lost: the broker may have made it. */
async function logInWithNext(
  { next = "", ...credentials }: Credentials,
  logIn: (credentials: Credentials) => Promise<void>,
  refused: LoginError,
): Promise<void> {
  try {
    await logIn({ ...credentials, password: next, next });
  } catch (error) {
    if (error instanceof LoginError && error.condition === "not-authorized") throw refused;
    throw error;
  }
}

/** The answer to giving the account back was lost: now it is known to be gone. */
function gone(options: NegotiateOptions): never {
  options.credentials.retire?.();
  requireAccount(options);
  throw new LoginError("no-account", "the account was given back");
}

const withoutMethod = ({ username, password }: Credentials): Credentials => ({ username, password });

function remember(
  store: CredentialStore,
  used: Credentials,
  mechanism: Credentials["mechanism"] & string,
  log: Log,
): void {
  const better = used.mechanism === undefined || mechanisms.indexOf(mechanism) < mechanisms.indexOf(used.mechanism);
  if (!better && !used.unconfirmed && used.next === undefined) return;
  const { unconfirmed: _, next: __, ...kept } = used;
  try {
    store.save({ ...kept, mechanism });
  } catch (error) {
    log.warning("login-method-not-stored", { reason: describe(error) });
  }
}

async function resume(stream: XmlStream, managed: boolean, before: Before): Promise<boolean> {
  const { management } = before;
  const { previous } = management;
  if (previous === undefined || !managed || !before.mayResume()) {
    before.lost();
    return false;
  }
  stream.write(resumeText(previous, management.handled));
  for (;;) {
    const node = await stream.read();
    if (isManagement(node, "resumed")) {
      before.acknowledged(management.acknowledge(node.attrs.h));
      return true;
    }
    if (isManagement(node, "failed")) {
      // A broker that remembers the count says so: what it handled is not sent twice.
      if (node.attrs.h !== undefined) before.acknowledged(management.acknowledge(node.attrs.h));
      before.lost();
      return false;
    }
  }
}

async function bind(stream: XmlStream): Promise<string> {
  const id = randomId();
  stream.write(format(element("iq", clientNs, { type: "set", id }, [element("bind", bindNs)]), clientNs));
  for (;;) {
    const answer = await stream.read();
    if (answer.name !== "iq" || answer.attrs.id !== id) continue;
    if (answer.attrs.type === "error") {
      const error = decodeError(answer);
      const said = `the broker gives us no session: ${error.message}`;
      // An account that is suspended: to come back soon would not help.
      if (error.condition === "forbidden") throw new LoginError(error.condition, said);
      throw new StreamEnded(said);
    }
    const bound = child(answer, "bind", bindNs);
    const jid = bound && child(bound, "jid");
    if (jid === undefined) throw new StreamEnded("the broker did not say which address it gave us");
    return textOf(jid);
  }
}

async function enable(stream: XmlStream, management: Management): Promise<Element[]> {
  stream.write(enableText);
  const early: Element[] = [];
  for (;;) {
    const node = await stream.read();
    if (isManagement(node, "enabled")) {
      const may = node.attrs.resume === "true" || node.attrs.resume === "1";
      management.enabled(may ? node.attrs.id : undefined);
      return early;
    }
    if (isManagement(node, "failed")) return early;
    early.push(node);
  }
}
