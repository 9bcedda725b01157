// What the broker asks of a new account, filled in (XEP-0077, XEP-0004), and signed where that is asked (XEP-0348). Stops with
// a sentence where a person would be needed, and where a signature was to be made and none is wanted (ACC-IBR-06).

import { randomBytes } from "node:crypto";
import { brokerTimeOffSecondsMax } from "#limits.ts";
import type { Credentials } from "./sasl.ts";
import {
  type ApiKey,
  escapeValue,
  type SignedField,
  signatureFields,
  signatureMethod,
  signatureOf,
  signatureType,
} from "./signed-form.ts";
import { child, type Element, element, elements, isElement, textOf } from "./xml/element.ts";

export const registerNs = "jabber:iq:register";
const formNs = "jabber:x:data";

/** The broker gives us no account; the sentence says what a person can do. Asking again soon is of no use. */
export class RegistrationError extends Error {
  override name = "RegistrationError";
}

export interface Signing {
  readonly apiKey: ApiKey;
  /** Fill a form that asks for no signature too. */
  readonly allowUnsigned: boolean;
  /** Seconds since 1970. */
  readonly now: number;
  /** For tests. */
  readonly nonce?: string;
}

/** Throws `RegistrationError` when something is required that a machine cannot know. */
export function fill(query: Element, credentials: Credentials, signing?: Signing): Element {
  if (child(query, "registered") !== undefined)
    throw new RegistrationError("the broker takes us for registered already");
  const form = child(query, "x", formNs);
  const wanted = form !== undefined && asksForSignature(form);
  if (wanted && signing === undefined) {
    throw new RegistrationError(
      "the broker registers only machines that sign with an API key; none is configured here (apiKey, apiSecretFile)",
    );
  }
  if (!wanted && signing !== undefined && !signing.allowUnsigned) {
    throw new RegistrationError(
      "the broker's form asks for no signature, though an API key is configured here: it may be another broker, or one whose module for signed forms is not loaded. Nothing was sent; allowUnsigned permits it",
    );
  }
  return form === undefined
    ? fillFields(query, credentials)
    : fillForm(form, credentials, wanted ? signing : undefined);
}

const fieldsOf = (form: Element): Element[] =>
  elements(form).filter(one => one.ns === formNs && one.name === "field" && one.attrs.var !== undefined);

const saidIn = (fields: readonly Element[], name: string): string | undefined => {
  const field = fields.find(one => one.attrs.var === name);
  const value = field && child(field, "value");
  return value && textOf(value);
};

const asksForSignature = (form: Element): boolean => {
  const fields = fieldsOf(form);
  const names = new Set(fields.map(one => one.attrs.var));
  return saidIn(fields, "FORM_TYPE") === signatureType || signatureFields.every(name => names.has(name));
};

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

function fillForm(form: Element, { username, password }: Credentials, signing: Signing | undefined): Element {
  const fields = fieldsOf(form);
  const known: Record<string, string> = {
    username,
    password,
    ...(signing && signatureValues(fields, signing)),
  };
  const missing: string[] = [];
  const filled = fields.flatMap((field): SignedField[] => {
    const name = field.attrs.var ?? "";
    if (field.attrs.type === "fixed") return [];
    const given = elements(field).filter(one => one.name === "value" && one.ns === formNs);
    const values = Object.hasOwn(known, name) ? [known[name] as string] : given.map(textOf);
    const required = child(field, "required") !== undefined;
    if (values.length === 0 || (required && values[0] === "" && name !== "oauth_signature")) {
      if (required) missing.push(field.attrs.label ?? name);
      return [];
    }
    return [{ name, values }];
  });
  // A picture to be read is beside its field; asking for one means asking for a person.
  const media = fields.filter(one => one.children.some(part => isElement(part) && part.name === "media"));
  const unknown = [...new Set([...missing, ...media.map(one => one.attrs.label ?? one.attrs.var ?? "")])];
  if (unknown.length > 0) throw tooMuch(unknown);
  const submitted = signing === undefined ? filled : sign(filled, signing, saidIn(fields, "oauth_token_secret") ?? "");
  const content = submitted.map(({ name, values }) =>
    element(
      "field",
      formNs,
      { var: name },
      values.map(one => element("value", formNs, {}, [one])),
    ),
  );
  return element("query", registerNs, {}, [element("x", formNs, { type: "submit" }, content)]);
}

/** What the signer says in the form (ACC-SIG-01); token and token secret stay as the broker gave them. */
function signatureValues(fields: readonly Element[], { apiKey, now, nonce }: Signing): Record<string, string> {
  const absent = signatureFields.filter(name => !fields.some(one => one.attrs.var === name));
  if (absent.length > 0) {
    throw new RegistrationError(`the broker's form is to be signed, but lacks ${absent.join(", ")}: nothing was sent`);
  }
  const methods = fields
    .filter(one => one.attrs.var === "oauth_signature_method")
    .flatMap(one => [one, ...elements(one).filter(part => part.name === "option")])
    .flatMap(one => child(one, "value", formNs) ?? [])
    .map(textOf)
    .filter(one => one !== "");
  if (methods.length > 0 && !methods.includes(signatureMethod)) {
    throw new RegistrationError(
      `the broker wants forms signed by ${methods.join(", ").slice(0, 100)}; only ${signatureMethod} is done here`,
    );
  }
  return {
    oauth_version: "1.0",
    oauth_signature_method: signatureMethod,
    oauth_consumer_key: apiKey.id,
    oauth_nonce: nonce ?? randomBytes(16).toString("hex"),
    oauth_timestamp: String(timeFor(fields, now)),
    oauth_signature: "",
  };
}

/** An unset clock shall not keep a machine out: where the broker, verified by TLS, states its own time, that holds (ACC-THR-06). */
function timeFor(fields: readonly Element[], now: number): number {
  const said = saidIn(fields, "oauth_timestamp") ?? "";
  const theirs = /^\d{9,11}$/.test(said) ? Number(said) : now;
  return Math.abs(theirs - now) > brokerTimeOffSecondsMax ? theirs : now;
}

function sign(fields: readonly SignedField[], { apiKey }: Signing, token: string): SignedField[] {
  // Signed as for nobody, and sent without an address: right under both readings of the document (ACC-SIG-03).
  const signature = escapeValue(signatureOf(fields, "", { key: apiKey.secret, token }));
  return fields.map(one => (one.name === "oauth_signature" ? { name: one.name, values: [signature] } : one));
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
