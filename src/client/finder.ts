// Finding things by what they say of themselves: a search of a registry, written as an `iotdisco:` URI (Discovery, Search).

import type { NodeRef, Tag } from "#contract/node.ts";
import * as disco from "#iot/discovery.wire.ts";
import { namespace, preferred } from "#iot/generations.ts";
import type { SearchUri } from "#iot/iotdisco.ts";
import { child } from "#xml/element.ts";
import type { Connection } from "#xmpp/connection.ts";
import { domainOf, isDomainJid } from "#xmpp/jid.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import type { OwnerDeps, Service } from "./owner.ts";

export interface FinderDeps extends Pick<OwnerDeps, "services" | "registryAt"> {
  readonly connection: Pick<Connection, "jid" | "request">;
}

export interface FoundThing {
  readonly jid: string;
  readonly ref: NodeRef;
  readonly tags: readonly Tag[];
}

export interface Found {
  /** Which registry was asked. */
  readonly registry: string;
  readonly things: readonly FoundThing[];
  readonly more: boolean;
  /** Other registries that were asked by this one, how many of the last things are theirs, and which did not answer. */
  readonly others: readonly { jid: string; things: number; fault: string | undefined }[];
}

export interface SearchPage {
  readonly offset: number;
  /** At most; the registry may give fewer. */
  readonly count: number;
  /** Other registries too, where ours asks them. */
  readonly distributed: boolean;
}

export interface Finder {
  /** The registry a code names, after that has shown to be one; without a name that of one's own domain. Throws `StanzaError`. */
  registry(named: string | undefined, signal: AbortSignal): Promise<string>;
  /** At the registry the search names, after that has shown to be one, or at that of one's own domain. Throws `StanzaError`. */
  search(search: Pick<SearchUri, "operators" | "registry">, page: SearchPage, signal: AbortSignal): Promise<Found>;
}

export function createFinder({ connection, services, registryAt }: FinderDeps): Finder {
  const registryOf = async (named: string | undefined, signal: AbortSignal): Promise<Service> => {
    const own = domainOf(connection.jid);
    if (named !== undefined && !isDomainJid(named))
      throw new StanzaError("modify", "jid-malformed", `${named} is no domain`);
    const found = named === undefined ? (await services(own, signal)).registry : await registryAt(named, signal);
    if (found !== undefined) return found;
    throw new StanzaError("cancel", "item-not-found", named ? `${named} is no registry` : `no registry at ${own}`);
  };

  return {
    registry: async (named, signal) => (await registryOf(named, signal)).jid,
    async search({ operators, registry }, { offset, count, distributed }, signal) {
      const to = await registryOf(registry, signal);
      const ns = namespace("discovery", preferred("discovery", to.features) ?? "nf");
      const request = disco.search.encode({ offset, maxCount: count, distributed, operators }, ns);
      const reply = await connection.request("get", to.jid, request, { signal });
      if (reply === undefined) throw new StanzaError("cancel", "undefined-condition", "the registry said nothing");
      const { things, more } = disco.found.decode(reply);
      const asked = child(reply, "asked", disco.askedNs);
      return {
        registry: to.jid,
        things: things.map(({ jid, ref, tags }) => ({ jid, ref, tags })),
        more,
        others: asked === undefined ? [] : disco.asked.decode(asked).registries,
      };
    },
  };
}
