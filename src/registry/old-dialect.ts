// Things that still speak XEP-0347 (urn:xmpp:iot:discovery): the same interface under other names. What they send is
// translated as a whole and answered by the same routes, what they get is translated back; never both in one stanza
// (DISCO-NS-04). Served only where the operator says so.

import type { NodeRef } from "#contract/node.ts";
import { namespace } from "#iot/generations.ts";
import { type Dialect, fromOld, inDialect, oldDiscoveryNs, toOld } from "#iot/old-discovery.ts";
import { type Element, element } from "#xml/element.ts";
import type { Route } from "#xmpp/router.ts";
import type { Push } from "./pushes.ts";

/** XEP-0324, of which only this is told: forget what was decided. */
export const oldProvisioningNs = "urn:xmpp:iot:provisioning";

const current = namespace("discovery", "nf");
const served = ["register", "mine", "remove", "update", "unregister", "disown", "search"];

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
  if (family === "discovery") return inDialect(dialect, make);
  return dialect === "xsf" ? element("clearCache", oldProvisioningNs) : make(namespace(family, dialect));
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
