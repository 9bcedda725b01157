// The interface as XEP-0347 had it (urn:xmpp:iot:discovery): the same elements under other names. What is said in it is
// translated as a whole, in and out, and never mixed with today's in one stanza (DISCO-NS-04).

import { type Element, elements } from "#xml/element.ts";
import { StanzaError } from "../stanza.ts";
import { type Generation, generationNames, namespace, preferred } from "./generations.ts";

export const oldDiscoveryNs = "urn:xmpp:iot:discovery";

/** xsf: XEP-0347, before the generations. */
export type Dialect = Generation | "xsf";
export const dialects: readonly Dialect[] = [...generationNames, "xsf"];

/** A registry, and what is spoken with it. */
export interface RegistryService {
  /** A domain JID. */
  readonly jid: string;
  readonly generation: Dialect;
}

/** What we speak first to a registry that announces these features: the old dialect where it has nothing else (DISCO-NS-03). */
export const preferredDialect = (features: ReadonlySet<string>): Dialect | undefined =>
  preferred("discovery", features) ?? (features.has(oldDiscoveryNs) ? "xsf" : undefined);

const current = namespace("discovery", "nf");
const newer: ReadonlySet<string> = new Set(generationNames.map(one => namespace("discovery", one)));
/** By their names of today. */
const oldNames: Readonly<Record<string, string>> = { id: "nodeId", src: "sourceId", pt: "cacheType" };
const names = Object.fromEntries(Object.entries(oldNames).map(([now, then]) => [then, now]));
export const oldTagNameCharsMax = 32;

/** What `make` makes of a namespace, in that dialect. */
export const inDialect = (dialect: Dialect, make: (ns: string) => Element): Element =>
  dialect === "xsf" ? toOld(make(current)) : make(namespace("discovery", dialect));

/** In the names of then. */
export const toOld = (payload: Element): Element => renamed(payload, oldDiscoveryNs, oldNames);

/** In the names of today. Throws `StanzaError` for what that dialect does not have. */
export function fromOld(payload: Element): Element {
  check(payload);
  return renamed(payload, current, names);
}

function check(payload: Element): void {
  const bad = (why: string) => new StanzaError("modify", "bad-request", why);
  if (newer.has(payload.ns)) throw bad("two dialects in one stanza");
  if (payload.ns === oldDiscoveryNs) {
    if (payload.name === "strRegEx" || payload.attrs.nameWildcard !== undefined)
      throw bad("regular expressions and wildcards in names are not part of this dialect");
    const isTag = payload.name === "str" || payload.name === "num";
    if (isTag && (payload.attrs.name ?? "").length > oldTagNameCharsMax)
      throw bad(`the name of a tag is longer than ${oldTagNameCharsMax} characters`);
  }
  for (const child of elements(payload)) check(child);
}

function renamed(payload: Element, ns: string, to: Readonly<Record<string, string>>): Element {
  if (payload.ns !== current && payload.ns !== oldDiscoveryNs) return payload;
  const attrs = Object.entries(payload.attrs).filter(([name]) => name !== "distributed");
  return {
    ...payload,
    ns,
    attrs: Object.fromEntries(attrs.map(([name, value]) => [to[name] ?? name, value])),
    children: payload.children.map(child => (typeof child === "string" ? child : renamed(child, ns, to))),
  };
}
