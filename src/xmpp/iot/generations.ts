// The only file with namespace prefixes: three generations of each interface, served at once and answered as asked
// (COM-NS-01…06, DISCO-NS). Local names are the same in all of them; where a detail differs it is said at its place.

import type { Element } from "#xml/element.ts";

export const generationNames = ["nfi", "nf", "ieee"] as const;
/** nfi: published since 2025-08 · nf: what most deployed software sends · ieee: the oldest still accepted. */
export type Generation = (typeof generationNames)[number];

const families = {
  concentrator: "iot:concentrator:1.0",
  sensorData: "iot:sd:1.0",
  events: "iot:events:1.0",
  control: "iot:ctr:1.0",
  discovery: "iot:disco:1.0",
  provisioningDevice: "iot:prov:d:1.0",
  provisioningOwner: "iot:prov:o:1.0",
  provisioningTokens: "iot:prov:t:1.0",
  synchronization: "iot:synchronization:1.0",
  softwareUpdates: "iot:swu:1.0",
} as const;
export type Family = keyof typeof families;

/** Harmonized interfaces have one generation, and an older one of the XSF (HI-GET-02). */
export const harmonizedNs = "urn:nfi:iot:hi:1.0";
export const interoperabilityNs = "urn:xmpp:iot:interoperability";

export const namespace = (family: Family, generation: Generation): string => `urn:${generation}:${families[family]}`;
export const namespaces = (family: Family): string[] => generationNames.map(one => namespace(family, one));

/** The generation of a namespace of that family; undefined for any other. */
export const generationOf = (family: Family, ns: string): Generation | undefined =>
  generationNames.find(one => namespace(family, one) === ns);

/** The namespace of another family in the same generation: events carry sensor data of their own generation (COM-NS-04). */
export function sibling(ns: string, from: Family, to: Family): string {
  const generation = generationOf(from, ns);
  if (generation === undefined) throw new Error(`${ns} is no generation of ${from}`);
  return namespace(to, generation);
}

/** What siblings have in common; undefined for what has no generations. */
function familyOf(ns: string): string | undefined {
  const generation = generationNames.find(one => ns.startsWith(`urn:${one}:`));
  return generation === undefined ? undefined : ns.slice(`urn:${generation}:`.length);
}

/**
 * The same with children of a sibling generation as if they were of the element's own (COM-STZ-08): who mixes them means one
 * interface. The element itself when there is nothing to do, which is nearly always.
 */
export function inOneGeneration(payload: Element): Element {
  const family = familyOf(payload.ns);
  if (family === undefined) return payload;
  const siblings = new Set(generationNames.map(one => `urn:${one}:${family}`));
  const aligned = (node: Element): Element => {
    let children: (Element | string)[] | undefined;
    for (const [at, before] of node.children.entries()) {
      if (typeof before === "string") continue;
      const after = aligned(before);
      if (after !== before) (children ??= [...node.children])[at] = after;
    }
    const foreign = node.ns === payload.ns || !siblings.has(node.ns);
    if (children === undefined && foreign) return node;
    return { ...node, ns: foreign ? node.ns : payload.ns, children: children ?? node.children };
  };
  return aligned(payload);
}

/** What we speak first to a service that announces these features: nf, else nfi, else ieee (DISCO-NS-03). */
export const preferred = (family: Family, features: ReadonlySet<string>): Generation | undefined =>
  (["nf", "nfi", "ieee"] as const).find(one => features.has(namespace(family, one)));

/** The same routes, or other records, once a generation: what is served in one is served in all. */
export const inEveryGeneration = <T>(family: Family, make: (ns: string, generation: Generation) => readonly T[]): T[] =>
  generationNames.flatMap(one => make(namespace(family, one), one));
