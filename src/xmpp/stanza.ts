// Stanzas as plain elements, their errors as typed conditions, and the one table from our refusals to those (COM-ERR).

import { Refusal, type RefusalKind } from "#contract/faults.ts";
import { WireError } from "./xml/codec.ts";
import { child, type Element, element, elements, textOf } from "./xml/element.ts";

export const clientNs = "jabber:client";
export const componentNs = "jabber:component:accept";
export const stanzasNs = "urn:ietf:params:xml:ns:xmpp-stanzas";

export type ErrorType = "auth" | "cancel" | "continue" | "modify" | "wait";

/** RFC 6120 section 8.3.3. */
export type Condition =
  | "bad-request"
  | "conflict"
  | "feature-not-implemented"
  | "forbidden"
  | "gone"
  | "internal-server-error"
  | "item-not-found"
  | "jid-malformed"
  | "not-acceptable"
  | "not-allowed"
  | "not-authorized"
  | "policy-violation"
  | "recipient-unavailable"
  | "redirect"
  | "registration-required"
  | "remote-server-not-found"
  | "remote-server-timeout"
  | "resource-constraint"
  | "service-unavailable"
  | "subscription-required"
  | "undefined-condition"
  | "unexpected-request";

/** An iq was answered with an error; also thrown by handlers that want to say one precisely. */
export class StanzaError extends Error {
  override name = "StanzaError";
  readonly type: ErrorType;
  readonly condition: Condition;
  /** What the peer said in words, "" when nothing. Hostile input: escape before showing. */
  readonly text: string;
  /** Application elements inside `error` (paramError, a form). */
  readonly details: readonly Element[];
  constructor(type: ErrorType, condition: Condition, text = "", details: readonly Element[] = []) {
    super(text === "" ? condition : `${condition}: ${text}`);
    this.type = type;
    this.condition = condition;
    this.text = text;
    this.details = details;
  }
}

const refusals: Record<RefusalKind, readonly [ErrorType, Condition]> = {
  "bad-request": ["modify", "bad-request"],
  "not-found": ["cancel", "item-not-found"],
  denied: ["auth", "forbidden"],
  unsupported: ["cancel", "feature-not-implemented"],
  busy: ["wait", "resource-constraint"],
  conflict: ["cancel", "conflict"],
  "not-acceptable": ["modify", "not-acceptable"],
  "not-allowed": ["cancel", "not-allowed"],
};

/** What a thrown error becomes on the wire. Ours to log is everything that comes out as internal-server-error. */
export function asStanzaError(error: unknown): StanzaError {
  if (error instanceof StanzaError) return error;
  if (error instanceof WireError) return new StanzaError("modify", "bad-request", error.message);
  if (error instanceof Refusal) {
    const [type, condition] = refusals[error.kind];
    return new StanzaError(type, condition, error.message);
  }
  return new StanzaError("cancel", "internal-server-error");
}

export const encodeError = (error: StanzaError, ns: string, language = "en"): Element =>
  element("error", ns, { type: error.type }, [
    element(error.condition, stanzasNs),
    ...(error.text === "" ? [] : [element("text", stanzasNs, { "xml:lang": language }, [error.text])]),
    ...error.details,
  ]);

/** The error of a stanza of type error; a malformed one is read as undefined-condition. */
export function decodeError(stanza: Element): StanzaError {
  const error = child(stanza, "error");
  if (error === undefined) return new StanzaError("cancel", "undefined-condition");
  const types: readonly string[] = ["auth", "cancel", "continue", "modify", "wait"];
  const type = types.includes(error.attrs.type ?? "") ? (error.attrs.type as ErrorType) : "cancel";
  const condition = elements(error).find(one => one.ns === stanzasNs && one.name !== "text");
  const text = child(error, "text", stanzasNs);
  const details = elements(error).filter(one => one.ns !== stanzasNs);
  return new StanzaError(
    type,
    (condition?.name ?? "undefined-condition") as Condition,
    text ? textOf(text).slice(0, 1024) : "",
    details,
  );
}

/** A message with one payload, as the asynchronous answers are: no type, no body, not to be archived (COM-STZ-10). */
export const payloadMessage = (to: string, payload: Element, ns: string = clientNs): Element =>
  element("message", ns, { to }, [
    payload,
    element("no-store", "urn:xmpp:hints"),
    element("no-copy", "urn:xmpp:hints"),
  ]);
