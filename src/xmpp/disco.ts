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
  /** Of those who decide for things: why there is none of that kind. */
  readonly unchosen: readonly Unchosen[];
}

export type DecidingKind = "registry" | "provisioning";

export interface Unchosen {
  readonly kind: DecidingKind;
  /** JID of the one that was named, and is not there. */
  readonly named: string | undefined;
  /** JIDs of those that are there. */
  readonly offered: readonly string[];
}

/** Which one is meant where a domain has several. */
export interface Choice {
  /** JIDs; these and no others. */
  readonly named?: { readonly [K in DecidingKind]?: string | undefined };
  /** Come before all others. */
  readonly known?: readonly (string | undefined)[];
  /** With "refuse" none of several is a `StanzaError` with the reason; else it is among the `unchosen`. */
  readonly several?: "tell" | "refuse";
}

/**
 * Looks for the services of a domain: the domain itself, then what it lists. Of several registries or provisioning services
 * none is taken but one that was named or is known: a second one may be somebody who would like to decide. Of others the
 * first that fits is kept. Throws when the domain does not answer, which is another thing than having no service.
 */
export async function discover(
  connection: Pick<Connection, "request">,
  domain: string,
  log: Log,
  signal: AbortSignal,
  { named = {}, known = [], several = "tell" }: Choice = {},
): Promise<Services> {
  const services = await offeredAt(connection, domain, log, signal);
  const unchosen: Unchosen[] = [];
  const fitting = (wanted: readonly string[]) => services.filter(({ features }) => wanted.some(ns => features.has(ns)));

  const first = (role: string, wanted: readonly string[]): Service | undefined => {
    const [found, ...others] = fitting(wanted);
    if (others.length > 0)
      log.warning("several-services", { role, kept: found?.jid, ignored: others.map(({ jid }) => jid) });
    return found;
  };
  const trusted = (kind: DecidingKind, wanted: readonly string[], name: string | undefined): Service | undefined => {
    const all = fitting(wanted);
    const found =
      name === undefined
        ? (all.find(({ jid }) => known.includes(jid)) ?? (all.length === 1 ? all[0] : undefined))
        : all.find(({ jid }) => jid === name);
    // In order: brokers list them in another one each time.
    const ignored = all
      .filter(one => one !== found)
      .map(({ jid }) => jid)
      .sort();
    if (found !== undefined) {
      if (ignored.length > 0) log.warning("several-services", { role: kind, kept: found.jid, ignored });
      return found;
    }
    if (name === undefined && all.length === 0) return undefined;
    if (several === "refuse" && all.length > 0)
      throw new StanzaError("cancel", "conflict", why(kind, domain, name, ignored));
    unchosen.push({ kind, named: name, offered: ignored });
    return undefined;
  };
  const speaks = (wanted: readonly string[]) =>
    fitting(wanted).some(({ jid }) => named.registry === undefined || jid === named.registry);
  const isOld = !speaks(namespaces("discovery")) && speaks([oldDiscoveryNs]);
  const registry = isOld ? undefined : trusted("registry", namespaces("discovery"), named.registry);
  const oldRegistry = isOld ? trusted("registry", [oldDiscoveryNs], named.registry) : undefined;
  // One component usually is both: who names it says it once.
  const both = fitting(namespaces("provisioningDevice")).find(({ jid }) => jid === named.registry)?.jid;
  const provisioning = trusted("provisioning", namespaces("provisioningDevice"), named.provisioning ?? both);
  const software = first("software", namespaces("softwareUpdates"));
  const pubsub = first("pubsub", [pubsubNs]);
  const eventLog = first("event log", [eventLogNs]);
  return {
    unchosen,
    ...(registry && { registry }),
    ...(oldRegistry && { oldRegistry }),
    ...(provisioning && { provisioning }),
    ...(software && { software }),
    ...(pubsub && { pubsub }),
    ...(eventLog && { eventLog }),
  };
}

/** The domain and what it lists, with what each says of itself; those that do not answer are told to the log. */
async function offeredAt(
  connection: Pick<Connection, "request">,
  domain: string,
  log: Log,
  signal: AbortSignal,
): Promise<Service[]> {
  const listed = await itemsOf(connection, domain, signal);
  if (listed.length > discoItemsMax) log.warning("disco-items-cut", { domain, items: listed.length, discoItemsMax });
  const items = listed.filter(jid => jid !== domain).slice(0, discoItemsMax);
  const asked = await Promise.allSettled([domain, ...items].map(jid => askService(connection, jid, signal)));
  signal.throwIfAborted();
  for (const [index, one] of asked.entries()) {
    if (one.status === "rejected") log.info("disco-silent", { jid: [domain, ...items][index], error: one.reason });
  }
  return asked.filter(one => one.status === "fulfilled").map(one => one.value);
}

const why = (kind: DecidingKind, domain: string, named: string | undefined, offered: readonly string[]): string =>
  named === undefined
    ? `${domain} lists several services of this kind (${kind}): ${offered.join(", ")}; its operator has to take away all but one`
    : `${domain} does not list ${named} any more, but other services of this kind (${kind}): ${offered.join(", ")}`;

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
