// An account made in band (XEP-0077, ACC-IBR): before log-in, over TLS, once, with a random name and password that are stored
// before they are used; by invitation (XEP-0445) or signed by an API key (XEP-0348) where one is configured. Never for an
// account that was confirmed, unless a person brought a new invitation or key for it.

import { createHash, randomBytes, randomInt } from "node:crypto";
import type { Invite } from "./invite.ts";
import { fill, RegistrationError, registerNs, type Signing } from "./registration-form.ts";
import { randomId } from "./requests.ts";
import type { Credentials } from "./sasl.ts";
import type { ApiKey } from "./signed-form.ts";
import { decodeError, type StanzaError } from "./stanza.ts";
import type { XmlStream } from "./stream.ts";
import { child, type Element, element, format } from "./xml/element.ts";

const featureNs = "http://jabber.org/features/iq-register";
const inviteFeatureNs = "urn:xmpp:ibr-token:0";
const inviteNs = "urn:xmpp:pars:0";

/** Where the account's secret is kept. `save` must have it on disk when it returns. */
export interface CredentialStore {
  load(): Credentials | undefined;
  save(credentials: Credentials): void;
  /** The account was given back, or was gone when it was to be: no name and no password are kept. */
  retire?(): void;
  /** What the account that was given back had been made with (`bundleOf`); undefined when there was none. */
  retired?(): string | undefined;
}

export interface RegisterOptions {
  /** The user name becomes `prefix-` and ten random letters and digits. */
  readonly prefix: string;
  /** A single-use token of the broker's; it may say the user name. */
  readonly invite?: Invite;
  /** Forms are signed with it. */
  readonly apiKey?: ApiKey;
  /** With a key: fill a form that asks for no signature too (ACC-IBR-06). Default no. */
  readonly allowUnsigned?: boolean;
}

export interface Registering {
  readonly stream: XmlStream;
  readonly ns: string;
  readonly domain: string;
  readonly features: Element;
  /** Milliseconds since 1970. */
  readonly now: number;
}

const namesMax = 3;

/** What an account is made with, so that the same makes only one: "" for plain registration. Holds no secret. */
export function bundleOf({ invite, apiKey }: RegisterOptions): string {
  if (invite !== undefined)
    return `invite ${createHash("sha256").update(invite.token).digest("base64url").slice(0, 22)}`;
  return apiKey === undefined ? "" : `key ${apiKey.id}`;
}

/**
 * On a stream whose features were just read. Resolves with credentials that the broker has confirmed and that are stored.
 * `lost`: the account that the broker knows no longer; it is made again under its name, with its password.
 */
export async function register(
  at: Registering,
  options: RegisterOptions,
  store: CredentialStore,
  lost?: Credentials,
): Promise<Credentials> {
  const { prefix, invite, apiKey } = options;
  if (apiKey?.secret === "")
    throw new RegistrationError("the secret of the API key is no longer here (apiSecretFile), and no account either");
  if (invite !== undefined) await present(at, invite);
  else if (child(at.features, "register", featureNs) === undefined) throw new RegistrationError(notOffered);
  const kept = store.load();
  const bundle = bundleOf(options);
  const made = bundle === "" ? {} : { bundle };
  // Chosen before a crash or a lost answer; the name may well be free still.
  let credentials = lost ?? (kept?.unconfirmed ? kept : fresh(prefix, invite?.username));
  for (let names = 1; ; names++) {
    const query = await ask(at, "get", element("query", registerNs));
    const filled = fill(query, credentials, signingOf(options, at));
    if (lost === undefined) store.save({ ...credentials, unconfirmed: true });
    try {
      await ask(at, "set", filled);
      const { username, password } = credentials;
      store.save({ username, password, ...made });
      return { username, password, ...made };
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
      if (lost !== undefined || invite?.username !== undefined)
        throw new RegistrationError(
          `the account ${credentials.username} exists at the broker, with a password that is not ours: remove it there, or configure its password here (account, passwordFile)`,
        );
      if (names >= namesMax)
        throw new RegistrationError(`the broker says that ${names} random user names are all taken`);
      credentials = fresh(prefix, undefined);
    }
  }
}

const notOffered =
  "the broker offers no registration: allow it there for a while, have an invite made there (docs/accounts.md), or create an account and configure it here";

const signingOf = ({ apiKey, allowUnsigned = false }: RegisterOptions, { now }: Registering): Signing | undefined =>
  apiKey && { apiKey, allowUnsigned, now: Math.floor(now / 1_000) };

/** XEP-0445: the token is shown first; it is used up only by an account that was made. */
async function present({ features, ...at }: Registering, { token }: Invite): Promise<void> {
  if (child(features, "register", inviteFeatureNs) === undefined) {
    throw new RegistrationError(
      "the broker takes no invites (XEP-0445), so the one configured here is not its own, or its module for them is not loaded. Nothing was sent",
    );
  }
  try {
    await ask({ ...at, features }, "set", element("preauth", inviteNs, { token }), at.domain);
  } catch (error) {
    if (error instanceof Refused && ["item-not-found", "forbidden", "not-acceptable"].includes(error.condition)) {
      throw new RegistrationError(
        "the broker does not know the invite: it was used already, or it has expired. Have a new one made there",
      );
    }
    throw error;
  }
}

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";

const fresh = (prefix: string, username: string | undefined): Credentials => ({
  username: username ?? `${prefix}-${Array.from({ length: 10 }, () => alphabet[randomInt(32)]).join("")}`,
  password: freshPassword(),
});

/** 192 bits in letters that every broker takes as they are. */
export const freshPassword = (): string => randomBytes(24).toString("base64url");

class Refused extends RegistrationError {
  readonly condition: string;
  constructor(condition: string, message: string) {
    super(message);
    this.condition = condition;
  }
}
class Conflict extends RegistrationError {}

async function ask(at: Registering, type: "get" | "set", payload: Element, to?: string): Promise<Element> {
  const { stream, ns } = at;
  const id = randomId();
  stream.write(format(element("iq", ns, { type, to, id }, [payload]), ns));
  for (;;) {
    const answer = await stream.read();
    if (answer.name !== "iq" || answer.attrs.id !== id) continue;
    if (answer.attrs.type === "error") throw refused(decodeError(answer), at.now);
    return child(answer, "query", registerNs) ?? payload;
  }
}

function refused(error: StanzaError, now: number): RegistrationError {
  const words = error.text === "" ? "" : ` (${error.text.slice(0, 200)})`;
  switch (error.condition) {
    case "conflict":
      return new Conflict(`the user name is taken${words}`);
    case "bad-request":
      return new Refused(
        error.condition,
        `the broker did not accept the registration${words}. It does not say why: the API key or its secret is wrong, the key is used up, ended or suspended, is not for this network or not for names with this prefix, or the clock here is off (it says ${new Date(now).toISOString()}). Who made the key can see which`,
      );
    case "not-allowed":
    case "service-unavailable":
    case "forbidden":
      return new Refused(error.condition, `registration is closed at the broker${words}`);
    case "not-acceptable":
      return new Refused(
        error.condition,
        `the broker wants more than name and password, or had too many registrations${words}`,
      );
    case "resource-constraint":
    case "policy-violation":
      return new Refused(error.condition, `the broker has had too many registrations from here${words}`);
    default:
      return new Refused(error.condition, `the broker refused to register: ${error.condition}${words}`);
  }
}
