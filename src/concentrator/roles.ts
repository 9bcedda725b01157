// Giving and taking back roles: who may, what is kept, and that every change is told to the log (COM-AUTH-10). What a role
// allows is role-rules.ts.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { clockEarliestMs, rolesMax, rolesPerGiverMax, rolesSweepMs } from "#limits.ts";
import type { Rule } from "./admission.ts";
import type { Caller } from "./contract/caller.ts";
import { Refusal } from "./contract/faults.ts";
import { type NodeRef, rootRef, sameNode } from "./contract/node.ts";
import type { TreeNode } from "./forest.ts";
import { type Grant, type GrantStore, type Role, roleNames } from "./grants.ts";
import { isWhole, roleRule } from "./role-rules.ts";
import type { Owners } from "./rules.ts";

/** Called after the change is on the disk; must not throw. */
export interface RoleHooks {
  /** He has a role now: he may see our presence. */
  granted(bareJid: string): void;
  /** His last role is over: unless he owns something, he is a stranger again. */
  ended(bareJid: string): void;
}

export interface RolesDeps extends Owners {
  readonly store: GrantStore;
  readonly find: (ref: NodeRef) => TreeNode | undefined;
  /** Normalises; undefined when the text is no JID of an account. */
  readonly bareJid: (text: string) => string | undefined;
  readonly hooks: RoleHooks;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RoleWish {
  readonly jid: string;
  readonly role: Role;
  /** `rootRef`: the whole appliance. */
  readonly node: NodeRef;
}

export interface Roles {
  readonly rule: Rule;
  /** Throws `Refusal`: bad-request, not-found, denied, conflict with what is his already, busy when there are too many. */
  grant(caller: Caller, wish: RoleWish & { readonly until?: number | undefined }): Grant;
  /** Takes back what the caller may take back of it: his own grants, and as owner of the appliance all. Throws not-found. */
  revoke(caller: Caller, wish: RoleWish): void;
  /** What the caller gave, what he has, and for the owner of the appliance all; of these, what holds at `top` or below it. */
  list(caller: Caller, top?: NodeRef): readonly Grant[];
  /** The roles he may give and take back there. */
  mayGrant(caller: Caller, node: NodeRef): readonly Role[];
  /** Has any role that has not ended. */
  holds(bareJid: string): boolean;
  /** Roles of his that have not ended. */
  of(bareJid: string): readonly Grant[];
  /** Another owner, or none: what was given in the last one's name is over. To be called inside the commit that says so. */
  ownerChanged(thing: NodeRef): void;
  /** All of them are over. */
  endAll(): void;
  /** The node is gone for good; another one of its name is another one. */
  removed(ref: NodeRef): void;
  /** The node is called otherwise; what was given on it is given on it still. */
  renamed(from: NodeRef, to: NodeRef): void;
  /** Ends what has run out, until aborted. */
  run(signal: AbortSignal): Promise<void>;
}

export function createRoles(deps: RolesDeps): Roles {
  const { store, find, ownerOf, rootOwner, hooks, clock } = deps;
  const log = deps.log.with({ audit: true });
  /** By holder; undefined = to be read anew. */
  let known: Map<string, Grant[]> | undefined;

  const byHolder = (): ReadonlyMap<string, readonly Grant[]> => (known ??= Map.groupBy(store.all(), ({ jid }) => jid));
  const all = (): Grant[] => [...byHolder().values()].flat();
  /** An end cannot be told by a clock that has not been set: then it is over, rather than for ever. */
  const isRunning = ({ until }: Grant): boolean =>
    until === undefined || (clock.now() < until && clock.now() >= clockEarliestMs);
  const of = (jid: string): readonly Grant[] => {
    const grants = byHolder().get(jid);
    return grants === undefined ? [] : grants.filter(isRunning);
  };
  const end = (grants: readonly Grant[], why: string, by?: Caller) => {
    if (grants.length === 0) return;
    store.delete(grants);
    known = undefined;
    for (const { jid, role, node } of grants) {
      log.notice("role-ended", {
        jid,
        role,
        node: placeOf(node),
        why,
        ...(by && { by: by.bareJid, from: by.fullJid }),
      });
    }
    for (const jid of new Set(grants.map(({ jid }) => jid))) if (of(jid).length === 0) hooks.ended(jid);
  };

  const mayGrant = ({ bareJid }: Caller, node: NodeRef): readonly Role[] => {
    if (rootOwner() === bareJid) return roleNames;
    return !isWhole(node) && ownerOf(node) === bareJid ? ["viewer"] : [];
  };
  /** As whose owner he may give this role there. Throws not-found for what he cannot know of. */
  const authority = (caller: Caller, role: Role, node: NodeRef): Grant["as"] => {
    if (rootOwner() === caller.bareJid) return "appliance";
    const may = mayGrant(caller, node);
    if (may.length === 0) throw unknownNode();
    if (may.includes(role)) return "node";
    throw new Refusal("denied", "Only the owner of the appliance names installers.");
  };
  const within = isWithin(find);
  const isBelow = (node: NodeRef, top: NodeRef) => isWhole(top) || sameNode(node, top) || within(node, top);
  const placed = (ref: NodeRef): NodeRef => {
    if (isWhole(ref)) return rootRef;
    const node = find(ref);
    if (node === undefined) throw unknownNode();
    return node.ref;
  };
  const holderOf = (text: string): string => {
    const jid = deps.bareJid(text);
    if (jid === undefined) throw new Refusal("bad-request", `"${text.slice(0, 100)}" is no address of a person.`);
    return jid;
  };

  return {
    rule: roleRule({ ownerOf, rootOwner, of, isWithin: within }),

    grant(caller, wish) {
      const node = placed(wish.node);
      const as = authority(caller, wish.role, node);
      const jid = holderOf(wish.jid);
      const { role, until } = wish;
      if (jid === caller.bareJid) throw new Refusal("conflict", "You own it: you need no role.");
      if (until !== undefined && clock.now() < clockEarliestMs) {
        throw new Refusal("not-allowed", "The appliance does not know the time yet: give the role without an end.");
      }
      if (until !== undefined && !(until > clock.now())) {
        throw new Refusal("bad-request", "The end lies in the past.", [{ name: "until", message: "lies in the past" }]);
      }
      const grant: Grant = { jid, role, node, by: caller.bareJid, as, at: clock.now(), until };
      const present = all();
      const others = present.filter(one => !isSame(one, grant));
      if (others.length >= rolesMax || others.filter(({ by }) => by === grant.by).length >= rolesPerGiverMax) {
        throw new Refusal("busy", "There are too many roles; take some back first.");
      }
      store.put(grant);
      known = undefined;
      log.notice("role-granted", { jid, role, node: placeOf(node), until, by: caller.bareJid, from: caller.fullJid });
      hooks.granted(jid);
      return grant;
    },

    revoke(caller, wish) {
      const jid = holderOf(wish.jid);
      const isRootOwner = rootOwner() === caller.bareJid;
      // Also where the node is gone: what is left over can be tidied away.
      const node = isWhole(wish.node) ? rootRef : (find(wish.node)?.ref ?? wish.node);
      const meant = all().filter(
        one =>
          one.jid === jid &&
          one.role === wish.role &&
          sameNode(one.node, node) &&
          (one.by === caller.bareJid || (isRootOwner && one.as === "appliance")),
      );
      if (meant.length === 0) throw new Refusal("not-found", "There is no such role.");
      end(meant, "taken back", caller);
    },

    list({ bareJid }, top = rootRef) {
      const isRootOwner = rootOwner() === bareJid;
      return all().filter(
        one =>
          isRunning(one) &&
          isBelow(one.node, top) &&
          (one.by === bareJid || one.jid === bareJid || (isRootOwner && one.as === "appliance")),
      );
    },
    mayGrant,
    holds: jid => of(jid).length > 0,
    of,

    ownerChanged(thing) {
      const ended = isWhole(thing)
        ? all().filter(({ as }) => as === "appliance")
        : all().filter(({ as, node }) => as === "node" && sameNode(node, thing));
      end(ended, "the owner changed");
    },
    endAll() {
      end(all(), "the appliance was reset");
    },
    removed(ref) {
      end(
        all().filter(({ node }) => sameNode(node, ref)),
        "the node was removed",
      );
    },
    renamed(from, to) {
      const moved = all().filter(({ node }) => sameNode(node, from));
      for (const grant of moved) store.put({ ...grant, node: to });
      store.delete(moved);
      known = undefined;
    },
    async run(signal) {
      while (!signal.aborted) {
        if (clock.now() >= clockEarliestMs) {
          end(
            all().filter(one => !isRunning(one)),
            "its time is over",
          );
        }
        // At the end of each; and now and then, for the clock may be set.
        const ends = all().map(({ until = Number.POSITIVE_INFINITY }) => until - clock.now());
        await clock.sleep(Math.max(1_000, Math.min(rolesSweepMs, ...ends)), signal).catch(() => {});
      }
    },
  };
}

/** NodeIds are unique in their source, so that a grant follows its node when that moves to another line. */
const isWithin =
  (find: RolesDeps["find"]) =>
  (ref: NodeRef, top: NodeRef): boolean => {
    for (let node = find(ref); node !== undefined; node = node.parent) {
      if (node.ref.nodeId === top.nodeId && node.ref.sourceId === top.sourceId) return true;
    }
    return false;
  };

const isSame = (a: Grant, b: Grant): boolean =>
  a.jid === b.jid && a.role === b.role && a.by === b.by && sameNode(a.node, b.node);

const placeOf = (node: NodeRef): NodeRef | "all" => (isWhole(node) ? "all" : node);

const unknownNode = (): Refusal => new Refusal("not-found", "There is no such node.");
