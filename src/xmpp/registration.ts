// An account made in band (XEP-0077, ACC-IBR): before log-in, over TLS, once, with a random name and password that are stored
// before they are used. Never for an account that was confirmed: a refused password is for a person to look at.

import { randomBytes, randomInt } from "node:crypto";
import { randomId } from "./requests.ts";
import type { Credentials } from "./sasl.ts";
import { decodeError, type StanzaError } from "./stanza.ts";
import type { XmlStream } from "./stream.ts";
import { child, type Element, element, elements, format, isElement, textOf } from "./xml/element.ts";

export const registerNs = "jabber:iq:register";
const featureNs = "http://jabber.org/features/iq-register";
const formNs = "jabber:x:data";
const signatureType = "urn:xmpp:xdata:signature:oauth1";

/** The broker gives us no account; the sentence says what a person can do. Asking again soon is of no use. */
export class RegistrationError extends Error {
  override name = "RegistrationError";
}

/** Where the account's secret is kept. `save` must have it on disk when it returns. */
export interface CredentialStore {
  load(): Credentials | undefined;
  save(credentials: Credentials): void;
}

export interface RegisterOptions {
  /** The user name becomes `prefix-` and ten random letters and digits. */
  readonly prefix: string;
}

const namesMax = 3;

/** On a stream whose features were just read. Resolves with credentials that the broker has confirmed and that are stored. */
export async function register(
  stream: XmlStream,
  ns: string,
  features: Element,
  { prefix }: RegisterOptions,
  store: CredentialStore,
): Promise<Credentials> {
  if (child(features, "register", featureNs) === undefined) {
    throw new RegistrationError(
      "the broker offers no registration: allow it there for a while, or create an account and configure it here",
    );
  }
  const kept = store.load();
  // Chosen before a crash or a lost answer; the name may well be free still.
  let credentials = kept?.unconfirmed ? kept : fresh(prefix);
  for (let names = 1; ; names++) {
    const query = await ask(stream, ns, "get", element("query", registerNs));
    const filled = fill(query, credentials);
    store.save({ ...credentials, unconfirmed: true });
    try {
      await ask(stream, ns, "set", filled);
      const { username, password } = credentials;
      store.save({ username, password });
      return { username, password };
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
      if (names >= namesMax)
        throw new RegistrationError(`the broker says that ${names} random user names are all taken`);
      credentials = fresh(prefix);
    }
  }
}

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";

const fresh = (prefix: string): Credentials => ({
  username: `${prefix}-${Array.from({ length: 10 }, () => alphabet[randomInt(32)]).join("")}`,
  password: randomBytes(24).toString("base64url"),
});

class Conflict extends RegistrationError {}

async function ask(stream: XmlStream, ns: string, type: "get" | "set", query: Element): Promise<Element> {
  const id = randomId();
  stream.write(format(element("iq", ns, { type, id }, [query]), ns));
  for (;;) {
    const answer = await stream.read();
    if (answer.name !== "iq" || answer.attrs.id !== id) continue;
    if (answer.attrs.type === "error") throw refused(decodeError(answer));
    return child(answer, "query", registerNs) ?? query;
  }
}

function refused(error: StanzaError): RegistrationError {
  const words = error.text === "" ? "" : ` (${error.text.slice(0, 200)})`;
  switch (error.condition) {
    case "conflict":
      return new Conflict(`the user name is taken${words}`);
    case "not-allowed":
    case "service-unavailable":
    case "forbidden":
      return new RegistrationError(`registration is closed at the broker${words}`);
    case "not-acceptable":
      return new RegistrationError(
        `the broker wants more than name and password, or had too many registrations${words}`,
      );
    case "resource-constraint":
    case "policy-violation":
      return new RegistrationError(`the broker has had too many registrations from here${words}`);
    default:
      return new RegistrationError(`the broker refused to register: ${error.condition}${words}`);
  }
}

/** Throws `RegistrationError` when something is required that a machine cannot know. */
export function fill(query: Element, credentials: Credentials): Element {
  if (child(query, "registered") !== undefined)
    throw new RegistrationError("the broker takes us for registered already");
  const form = child(query, "x", formNs);
  return form === undefined ? fillFields(query, credentials) : fillForm(form, credentials);
}

const fillFields = (query: Element, { username, password }: Credentials): Element => {
  const asked = elements(query)
    .filter(one => one.ns === registerNs)
    .map(one => one.name)
    .filter(name => name !== "instructions" && name !== "key");
  const unknown = asked.filter(name => name !== "username" && name !== "password");
  if (unknown.length > 0) throw tooMuch(unknown);
  if (asked.length < 2) throw new RegistrationError(elsewhere(query));
  // A key is a token of the broker's to be given back as it is.
  const key = child(query, "key");
  return element("query", registerNs, {}, [
    element("username", registerNs, {}, [username]),
    element("password", registerNs, {}, [password]),
    ...(key === undefined ? [] : [key]),
  ]);
};

function fillForm(form: Element, { username, password }: Credentials): Element {
  const fields = elements(form).filter(one => one.ns === formNs && one.name === "field" && one.attrs.var !== undefined);
  const given = (field: Element) => child(field, "value");
  const formType = fields.find(one => one.attrs.var === "FORM_TYPE");
  const typeValue = formType && given(formType);
  if (typeValue !== undefined && textOf(typeValue) === signatureType) {
    throw new RegistrationError(
      "the broker registers only machines that sign with an API key; none is configured here",
    );
  }
  const known: Record<string, string> = { username, password };
  const missing: string[] = [];
  const filled = fields.flatMap(field => {
    const name = field.attrs.var ?? "";
    const value = Object.hasOwn(known, name) ? element("value", formNs, {}, [known[name] as string]) : given(field);
    if (field.attrs.type === "fixed") return [];
    const required = child(field, "required") !== undefined;
    if (value === undefined || (required && textOf(value) === "")) {
      if (required) missing.push(field.attrs.label ?? name);
      return [];
    }
    return [element("field", formNs, { var: name }, [value])];
  });
  // A picture to be read is beside its field; asking for one means asking for a person.
  const media = fields.filter(one => one.children.some(part => isElement(part) && part.name === "media"));
  const unknown = [...new Set([...missing, ...media.map(one => one.attrs.label ?? one.attrs.var ?? "")])];
  if (unknown.length > 0) throw tooMuch(unknown);
  return element("query", registerNs, {}, [element("x", formNs, { type: "submit" }, filled)]);
}

const tooMuch = (what: readonly string[]): RegistrationError =>
  new RegistrationError(
    `the broker asks for what a machine cannot give (${what.join(", ").slice(0, 200)}): create an account there and configure it here`,
  );

const elsewhere = (query: Element): string => {
  const words = child(query, "instructions");
  const said = words === undefined ? "" : `; it says: ${textOf(words).trim().slice(0, 200)}`;
  return `the broker registers only elsewhere, not in band${said}`;
};
