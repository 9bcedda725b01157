// Service discovery, both sides: what we announce is what is routed (XEP-0030, XEP-0115, XEP-0199), and how registry and
// provisioning service of the own domain are found (DISCO-NS-01, -03).

import { createHash } from "node:crypto";
import type { Log } from "#base/log.ts";
import { namespaces } from "#iot/generations.ts";
import { discoItemsMax } from "#limits.ts";
import type { Element } from "#xml/element.ts";
import type { Connection } from "./connection.ts";
import * as wire from "./iot/disco.wire.ts";
import { eventLogNs } from "./iot/event-log.wire.ts";
import { oldDiscoveryNs } from "./iot/old-discovery.ts";
import { normalJid } from "./jid.ts";
import { type Route, route } from "./router.ts";
import { StanzaError } from "./stanza.ts";

export interface DiscoDeps {
  /** Namespaces served, as the router knows them; asked at each use, since the router is made of these routes too. */
  readonly features: () => readonly string[];
  readonly identity: wire.Identity;
  /** URI of the software, the same for all of its kind; part of the caps. */
  readonly node: string;
}

export interface Disco {
  readonly routes: readonly Route[];
  /** The `c` of our presence. It changes with the features. */
  caps(): Element;
}

/** Hidden from strangers by the router, as any route is that does not say otherwise (PRES-DISCO-01). */
export function createDisco(deps: DiscoDeps): Disco {
  const features = () => [...new Set([...deps.features(), wire.capsNs])].sort();
  const version = () => capsVersion([deps.identity], features());

  return {
    routes: [
      route(["get"], wire.infoNs, wire.info, async ({ node }) => {
        if (node !== undefined && node !== `${deps.node}#${version()}`)
          throw new StanzaError("cancel", "item-not-found");
        return wire.info.encode({ node, identities: [deps.identity], features: features() }, wire.infoNs);
      }),
      route(["get"], wire.itemsNs, wire.items, async ({ node }) => {
        if (node !== undefined) throw new StanzaError("cancel", "item-not-found");
        return wire.items.encode({ node, items: [] }, wire.itemsNs);
      }),
      route(["get"], wire.pingNs, wire.ping, async () => undefined),
    ],
    caps: () => wire.caps.encode({ hash: "sha-1", node: deps.node, ver: version() }, wire.capsNs),
  };
}

/** XEP-0115 section 5.1: identities and features in order, each closed by "<", hashed. */
export function capsVersion(identities: readonly wire.Identity[], features: readonly string[]): string {
  const said = [
    ...identities.map(({ category, type, name }) => `${category}/${type}//${name}`).sort(),
    ...[...features].sort(),
  ];
  return createHash("sha1")
    .update(said.map(one => `${one}<`).join(""))
    .digest("base64");
}

/** XEP-0060. */
const pubsubNs = "http://jabber.org/protocol/pubsub";

export interface Service {
  readonly jid: string;
  readonly features: ReadonlySet<string>;
}

export interface Services {
  readonly registry?: Service;
  /** Where there is no other: one that speaks XEP-0347 alone. */
  readonly oldRegistry?: Service;
  readonly provisioning?: Service;
  readonly software?: Service;
  readonly pubsub?: Service;
  readonly eventLog?: Service;
}

/**
 * Looks for the services of a domain: the domain itself, then what it lists. The first that fits is kept and others are
 * told to the log; one that is `known` comes before all others. Throws when the domain does not answer, which is another
 * thing than having no service. `several: "refuse"`, for who has no memory: of several none is the right one, unless known.
 */
export async function discover(
  connection: Pick<Connection, "request">,
  domain: string,
  log: Log,
  signal: AbortSignal,
  known: readonly (string | undefined)[] = [],
  several: "first" | "refuse" = "first",
): Promise<Services> {
  const ask = (jid: string) => askService(connection, jid, signal);
  const listed = await itemsOf(connection, domain, signal);
  if (listed.length > discoItemsMax) log.warning("disco-items-cut", { domain, items: listed.length, discoItemsMax });
  const items = listed.filter(jid => jid !== domain).slice(0, discoItemsMax);
  const asked = await Promise.allSettled([domain, ...items].map(ask));
  signal.throwIfAborted();
  for (const [index, one] of asked.entries()) {
    if (one.status === "rejected") log.info("disco-silent", { jid: [domain, ...items][index], error: one.reason });
  }
  const services = asked.filter(one => one.status === "fulfilled").map(one => one.value);

  const first = (role: string, wanted: readonly string[]): Service | undefined => {
    const [found, ...others] = services
      .filter(({ features }) => wanted.some(ns => features.has(ns)))
      .sort((a, b) => Number(known.includes(b.jid)) - Number(known.includes(a.jid)));
    if (others.length > 0) {
      log.warning("several-services", { role, kept: found?.jid, ignored: others.map(({ jid }) => jid) });
    }
    return found;
  };
  /** Who may decide for things: a second one may be somebody who would like to. */
  const trusted = (role: string, wanted: readonly string[]): Service | undefined => {
    const found = first(role, wanted);
    const all = services.filter(({ features }) => wanted.some(ns => features.has(ns))).map(({ jid }) => jid);
    if (several === "refuse" && all.length > 1 && !known.includes(found?.jid)) {
      const why = `${domain} lists several services of this kind (${role}): ${all.join(", ")}; its operator has to take away all but one`;
      throw new StanzaError("cancel", "conflict", why);
    }
    return found;
  };
  const registry = trusted("registry", namespaces("discovery"));
  const oldRegistry = registry === undefined ? trusted("registry", [oldDiscoveryNs]) : undefined;
  const provisioning = trusted("provisioning", namespaces("provisioningDevice"));
  const software = first("software", namespaces("softwareUpdates"));
  const pubsub = first("pubsub", [pubsubNs]);
  const eventLog = first("event log", [eventLogNs]);
  return {
    ...(registry && { registry }),
    ...(oldRegistry && { oldRegistry }),
    ...(provisioning && { provisioning }),
    ...(software && { software }),
    ...(pubsub && { pubsub }),
    ...(eventLog && { eventLog }),
  };
}

/** What one entity says of itself. Throws what `request` throws. */
export async function askService(
  connection: Pick<Connection, "request">,
  jid: string,
  signal: AbortSignal,
): Promise<Service> {
  const query = wire.info.encode({ node: undefined, identities: [], features: [] }, wire.infoNs);
  const answer = await connection.request("get", jid, query, { signal });
  return { jid, features: new Set(answer === undefined ? [] : wire.info.decode(answer).features) };
}

async function itemsOf(connection: Pick<Connection, "request">, domain: string, signal: AbortSignal) {
  const query = wire.items.encode({ node: undefined, items: [] }, wire.itemsNs);
  const answer = await connection.request("get", domain, query, { signal });
  if (answer === undefined) return [];
  const jids = wire.items.decode(answer).items.map(({ jid }) => normalJid(jid));
  return [...new Set(jids.filter(jid => jid !== undefined))];
}
