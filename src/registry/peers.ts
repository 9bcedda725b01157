// The component's own roster (PRES-CMP-02): whose presence it receives and who receives its, which full JIDs are online,
// and in which generation each JID speaks. Presence is kept in memory and asked for again after each new stream.

import type { Clock } from "#base/clock.ts";
import { createScope, type Scope } from "#base/scope.ts";
import type { Generation } from "#iot/generations.ts";
import type { Dialect } from "#iot/old-discovery.ts";
import { probeSpacingMs, resourcesPerPeerMax, subscribeAgainMs } from "#limits.ts";
import { type Element, element } from "#xml/element.ts";
import type { Connection } from "#xmpp/connection.ts";
import { bareJid, domainOf, normalJid } from "#xmpp/jid.ts";
import { componentNs } from "#xmpp/stanza.ts";
import type { Peer, RegistryStore } from "./store.ts";

export interface PeersDeps {
  readonly store: RegistryStore;
  readonly connection: Connection;
  readonly clock: Clock;
  /** The component's bare JID, the only sender it ever has (PRES-CMP-03). */
  readonly jid: string;
  readonly isLocal: (domain: string) => boolean;
  /** Somebody came online with this resource, `first` when none was before. */
  readonly available: (bare: string, full: string, first: boolean) => void;
  /** A suspect has shown life: it may have missed what others were told. */
  readonly revived: (bare: string) => Promise<void>;
  /** For work that a stanza causes; failures are logged there. */
  readonly background: (what: string, work: () => Promise<void>) => void;
  readonly signal: AbortSignal;
}

export interface Peers {
  /** Full JIDs known to be online, suspects last. */
  fulls(bare: string): readonly string[];
  /** This resource has answered that it is not there. */
  gone(full: string): void;
  /** This resource was silent while another of the same JID answered: a session that the broker still keeps, perhaps. */
  suspect(full: string): void;
  isSuspect(full: string): boolean;
  /** This resource has spoken; resolves when that is dealt with. */
  heard(full: string): Promise<void>;
  /** What that JID speaks, nf when it never said, or speaks what is older (DISCO-NS-02). */
  generation(bare: string): Promise<Generation>;
  dialect(bare: string): Promise<Dialect>;
  /** A known peer used this generation. */
  spoke(bare: string, generation: Dialect): Promise<void>;
  /** First contact of a device, first claim of an owner: asks for presence, and again when there was no answer. */
  befriend(bare: string, generation: Dialect): Promise<void>;
  presence(stanza: Element): void;
  /** A new stream: nothing is known of who is online. Asks everybody, paced. */
  online(): void;
}

export function createPeers(deps: PeersDeps): Peers {
  const { store, connection, clock, jid } = deps;
  /** By bare JID the full ones, in order of arrival, true for suspects. */
  const resources = new Map<string, Map<string, boolean>>();
  const askedAt = new Map<string, number>();
  const handling = new Map<string, Promise<void>>();
  let probing: Scope | undefined;

  const send = (to: string, type?: string) =>
    connection.send(element("presence", componentNs, { from: jid, to, type }));

  const put = (peer: Peer) => store.change(records => records.putPeer(peer));
  const peerOf = async (bare: string): Promise<Peer> =>
    (await store.peer(bare)) ?? { jid: bare, generation: "nf", to: "none", from: false };

  const mayAsk = (bare: string): boolean => {
    const now = clock.monotonic();
    for (const [one, at] of askedAt) {
      if (now - at < subscribeAgainMs) break;
      askedAt.delete(one);
    }
    if (askedAt.has(bare)) return false;
    askedAt.set(bare, now);
    return true;
  };

  const cameOnline = async (bare: string, full: string) => {
    if ((await store.peer(bare))?.to !== "both") return;
    const known = resources.get(bare) ?? new Map<string, boolean>();
    const first = known.size === 0;
    await heard(full);
    if (known.size >= resourcesPerPeerMax && !known.has(full)) {
      // What was left behind by falls gives way to what has just logged in.
      const [oldest = ""] = known.keys();
      known.delete([...known].find(([, isSuspect]) => isSuspect)?.[0] ?? oldest);
    }
    known.delete(full);
    resources.set(bare, known.set(full, false));
    deps.available(bare, full, first);
  };
  const isSuspect = (full: string): boolean => resources.get(bareJid(full) ?? "")?.get(full) === true;
  const heard = async (full: string) => {
    if (!isSuspect(full)) return;
    const bare = bareJid(full) ?? "";
    resources.get(bare)?.set(full, false);
    await deps.revived(bare);
  };
  const wentOffline = (bare: string, full: string) => {
    const known = resources.get(bare);
    // From the bare JID: all of them.
    if (known === undefined) return;
    if (full === bare) known.clear();
    else known.delete(full);
    if (known.size === 0) resources.delete(bare);
  };

  /** Devices and owners are let in, and local accounts, who may become either. */
  const subscribe = async (bare: string) => {
    const peer = await store.peer(bare);
    const welcome =
      peer !== undefined ||
      deps.isLocal(domainOf(bare)) ||
      (await store.hasThings(bare)) ||
      (await store.ownsAnything(bare));
    if (!welcome) return send(bare, "unsubscribed");
    if (peer?.from !== true) await put({ ...(await peerOf(bare)), from: true });
    send(bare, "subscribed");
    send(bare);
  };
  const unsubscribe = async (bare: string) => {
    const peer = await store.peer(bare);
    if (peer?.from === true) await put({ ...peer, from: false });
    send(bare, "unsubscribed");
    send(bare, "unavailable");
  };
  const answered = async (bare: string, to: Peer["to"]) => {
    const peer = await store.peer(bare);
    if (peer === undefined || peer.to === to) return;
    if (to === "both" && peer.to !== "asked") return;
    await put({ ...peer, to });
    if (to === "none") resources.delete(bare);
  };
  const probe = async (bare: string, full: string) => {
    if ((await store.peer(bare))?.from === true) send(full);
    else send(bare, "unsubscribed");
  };

  const probeAll = async (scope: Scope) => {
    for (let after = ""; ; ) {
      const peers = await store.peersAfter(after, 100);
      if (peers.length === 0) return;
      for (const peer of peers) {
        if (scope.signal.aborted || !connection.online) return;
        if (peer.from) send(peer.jid);
        send(peer.jid, "probe");
        after = peer.jid;
        await clock.sleep(probeSpacingMs, scope.signal);
      }
    }
  };

  return {
    fulls: bare =>
      [...(resources.get(bare) ?? [])].toSorted(([, a], [, b]) => Number(a) - Number(b)).map(([full]) => full),
    gone: full => wentOffline(bareJid(full) ?? "", full),
    suspect(full) {
      const known = resources.get(bareJid(full) ?? "");
      if (known?.has(full)) known.set(full, true);
    },
    isSuspect,
    heard,
    async generation(bare) {
      const spoken = (await store.peer(bare))?.generation ?? "nf";
      return spoken === "xsf" ? "nf" : spoken;
    },
    dialect: async bare => (await store.peer(bare))?.generation ?? "nf",
    async spoke(bare, generation) {
      const peer = await store.peer(bare);
      if (peer !== undefined && peer.generation !== generation) await put({ ...peer, generation });
    },
    async befriend(bare, generation) {
      const peer = await peerOf(bare);
      if (peer.to !== "both" && mayAsk(bare)) {
        await put({ ...peer, generation, to: "asked" });
        send(bare, "subscribe");
      }
    },
    presence(stanza) {
      const [full, bare] = [normalJid(stanza.attrs.from), bareJid(stanza.attrs.from)];
      // Presence to another local part of our domain is nobody's (PRES-CMP-03).
      if (full === undefined || bare === undefined || bareJid(stanza.attrs.to) !== jid) return;
      const handle = presenceOf(stanza.attrs.type, bare, full);
      // In the order they came: "subscribed" and the first "available" follow each other closely.
      const before = handling.get(bare) ?? Promise.resolve();
      deps.background("presence", () => {
        const done = before.catch(() => {}).then(handle);
        handling.set(bare, done);
        const forget = () => {
          if (handling.get(bare) === done) handling.delete(bare);
        };
        done.then(forget, forget);
        return done;
      });
    },
    online() {
      probing?.abort();
      resources.clear();
      const scope = createScope(deps.signal);
      probing = scope;
      deps.background("probes", async () => {
        using _ = scope;
        await probeAll(scope);
      });
    },
  };

  function presenceOf(type: string | undefined, bare: string, full: string): () => Promise<void> {
    switch (type) {
      case undefined:
        return () => cameOnline(bare, full);
      case "unavailable":
        return async () => wentOffline(bare, full);
      case "subscribe":
        return () => subscribe(bare);
      case "subscribed":
        return () => answered(bare, "both");
      case "unsubscribe":
        return () => unsubscribe(bare);
      case "unsubscribed":
        return () => answered(bare, "none");
      case "probe":
        return () => probe(bare, full);
      case "error":
        // Not there, or not willing; from the bare JID, nobody is. A subscription is asked for at the next contact.
        return async () => wentOffline(bare, full);
      default:
        return async () => {};
    }
  }
}
