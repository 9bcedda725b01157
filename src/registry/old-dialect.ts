// Things that still speak XEP-0347 (urn:xmpp:iot:discovery): the same interface under other names. What they send is
// translated as a whole and answered by the same routes, what they get is translated back; never both in one stanza
// (DISCO-NS-04). Served only where the operator says so.

import type { NodeRef } from "#contract/node.ts";
import { generationNames, namespace } from "#iot/generations.ts";
import { type Element, element, elements } from "#xml/element.ts";
import type { Route } from "#xmpp/router.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import type { Push } from "./pushes.ts";
import type { Dialect } from "./store.ts";

export const oldDiscoveryNs = "urn:xmpp:iot:discovery";
/** XEP-0324, of which only this is told: forget what was decided. */
export const oldProvisioningNs = "urn:xmpp:iot:provisioning";

const current = namespace("discovery", "nf");
const newer: ReadonlySet<string> = new Set(generationNames.map(one => namespace("discovery", one)));
const served = ["register", "mine", "remove", "update", "unregister", "disown", "search"];
/** By their names of today. */
const oldNames: Readonly<Record<string, string>> = { id: "nodeId", src: "sourceId", pt: "cacheType" };
const names = Object.fromEntries(Object.entries(oldNames).map(([now, then]) => [then, now]));
const tagNameCharsMax = 32;

/** `ownerOf`: told with each thing found, where the operator wants even that. */
export function oldRoutes(
  routes: readonly Route[],
  ownerOf: ((jid: string, ref: NodeRef) => Promise<string | undefined>) | undefined,
): Route[] {
  return routes
    .filter(({ ns, name }) => ns === current && served.includes(name))
    .map(one => ({
      ...one,
      ns: oldDiscoveryNs,
      async handle(request) {
        const answer = await one.handle({ ...request, payload: fromOld(request.payload) });
        if (answer === undefined) return undefined;
        return toOld(ownerOf === undefined ? answer : await withOwners(answer, ownerOf));
      },
    }));
}

/** What a device of that dialect is told. */
export function payloadIn({ family, make }: Push, dialect: Dialect): Element {
  if (dialect !== "xsf") return make(namespace(family, dialect));
  return family === "discovery" ? toOld(make(current)) : element("clearCache", oldProvisioningNs);
}

/** In the names of then. */
const toOld = (payload: Element): Element => renamed(payload, oldDiscoveryNs, oldNames);

/** In the names of today. Throws `StanzaError` for what that dialect does not have. */
function fromOld(payload: Element): Element {
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
    if (isTag && (payload.attrs.name ?? "").length > tagNameCharsMax)
      throw bad(`the name of a tag is longer than ${tagNameCharsMax} characters`);
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

async function withOwners(
  found: Element,
  ownerOf: (jid: string, ref: NodeRef) => Promise<string | undefined>,
): Promise<Element> {
  if (found.name !== "found") return found;
  const children = found.children.map(async child => {
    if (typeof child === "string" || child.name !== "thing") return child;
    const { jid = "", id = "", src = "", pt = "" } = child.attrs;
    const owner = await ownerOf(jid, { nodeId: id, sourceId: src, partition: pt });
    return { ...child, attrs: { ...child.attrs, ...(owner !== undefined && { owner }) } };
  });
  return { ...found, children: await Promise.all(children) };
}
