// The life of one thing in the registry: register, update, unregister, claim, remove, disown (discovery.md, section 3).
// Each function is one row of that table; it runs inside a change of the store and says what the asker is told.

import { Refusal } from "#contract/faults.ts";
import type { NodeRef, Tag } from "#contract/node.ts";
import { pushNetMs, thingsPerJidMax } from "#limits.ts";
import type { Digest, Records, Thing } from "./store.ts";
import { checkAmount, mergeTags, type Registration } from "./tags.ts";

/** Owned by somebody: nothing was changed. */
export interface ClaimedBy {
  readonly owner: string;
  readonly isPublic: boolean;
}

/** `disowned`: the thing's call counts as its acknowledgement of a disown under way (DISCO-DISOWN-02). */
export interface Outcome {
  readonly claimed?: ClaimedBy;
  readonly disowned?: Thing;
}

/** No such thing, or nothing that the asker may know of: always the same words (DISCO-MINE-04). */
export const notFound = (): Refusal => new Refusal("not-found", "no such thing");

export const isOwnedState = (thing: Thing): boolean =>
  thing.state === "public" || thing.state === "private" || thing.state === "removed";

/** What a thing may do to its owner's decisions while its disown waits for it: nothing. */
export const hasOwner = (thing: Thing): thing is Thing & { owner: string } =>
  thing.owner !== undefined && thing.state !== "selfOwned" && thing.owner !== thing.jid;

export async function register(
  records: Records,
  jid: string,
  ref: NodeRef,
  { tags, digest }: Registration,
  selfOwned: boolean,
  at: number,
): Promise<Outcome> {
  checkAmount(tags);
  const thing = await records.thing(jid, ref);
  if (thing !== undefined && thing.owner !== undefined && isOwnedState(thing))
    return { claimed: { owner: thing.owner, isPublic: thing.state === "public" } };
  const state = selfOwned ? "selfOwned" : "unclaimed";
  const owner = selfOwned ? jid : undefined;
  const claim: Digest = selfOwned ? undefined : digest;
  if (thing === undefined) {
    if ((await records.countThings(jid)) >= thingsPerJidMax)
      throw new Refusal("busy", `${jid} has ${thingsPerJidMax} things registered, which is the limit`);
    await records.replaceTags(await records.insertThing(jid, ref, state, owner, claim, at), tags);
    return {};
  }
  if (thing.state === "disowning") {
    await forget(records, thing);
    await pendingClear(records, thing, at);
  }
  await records.setThing(thing.id, state, owner, claim, undefined);
  await records.replaceTags(thing.id, tags);
  return thing.state === "disowning" ? { disowned: thing } : {};
}

/** By the thing itself. `true`: it is owned by nobody and has to register anew. */
export async function updateByThing(
  records: Records,
  jid: string,
  ref: NodeRef,
  sent: readonly Tag[],
): Promise<{ disowned: boolean }> {
  const thing = await records.thing(jid, ref);
  if (thing === undefined || thing.state === "removed") throw notFound();
  if (thing.state === "unclaimed" || thing.state === "orphaned" || thing.state === "disowning")
    return { disowned: true };
  await merge(records, thing, sent);
  return { disowned: false };
}

export async function updateByOwner(
  records: Records,
  owner: string,
  jid: string,
  ref: NodeRef,
  sent: readonly Tag[],
): Promise<void> {
  const thing = await records.thing(jid, ref);
  if (thing === undefined || thing.owner !== owner) throw notFound();
  if (thing.state !== "public" && thing.state !== "private" && thing.state !== "selfOwned") throw notFound();
  await merge(records, thing, sent);
}

async function merge(records: Records, thing: Thing, sent: readonly Tag[]): Promise<void> {
  const present = (await records.tagsOf([thing.id])).get(thing.id) ?? [];
  const { put, drop, after } = mergeTags(present, sent);
  checkAmount(after);
  for (const name of drop) await records.deleteTag(thing.id, name);
  for (const tag of put) await records.putTag(thing.id, tag);
}

/** Succeeds whether there was anything or not (DISCO-UNREG-01). */
export async function unregister(records: Records, jid: string, ref: NodeRef, at: number): Promise<Outcome> {
  const thing = await records.thing(jid, ref);
  if (thing === undefined) return {};
  await records.deleteThing(thing);
  if (thing.owner !== undefined) await pendingClear(records, thing, at);
  return thing.state === "disowning" ? { disowned: thing } : {};
}

/** The claimed thing; undefined when there is none such, `"several"` when a KEY was cloned (DISCO-MINE-02). */
export async function claim(
  records: Records,
  owner: string,
  digest: Digest,
  ref: NodeRef | undefined,
  isPublic: boolean,
  at: number,
): Promise<Thing | "several" | undefined> {
  if (digest === undefined) return undefined;
  const found = await records.claimable(digest, ref);
  const thing = found[0];
  if (thing === undefined) return undefined;
  if (found.length > 1) return "several";
  await records.setThing(thing.id, isPublic ? "public" : "private", owner, undefined, at);
  // Whatever an earlier owner has allowed ends here (PROVO-THR-04).
  await records.forgetDecisions(thing.id);
  await records.deletePendingOf(thing.jid, thing.ref, ["removed"]);
  await records.putPending({ jid: thing.jid, what: "claimed", ref: thing.ref, owner, isPublic }, at + pushNetMs);
  await pendingClear(records, thing, at);
  return thing;
}

export async function remove(records: Records, owner: string, jid: string, ref: NodeRef, at: number): Promise<void> {
  const thing = await records.thing(jid, ref);
  if (thing === undefined || thing.owner !== owner) throw notFound();
  if (thing.state !== "public" && thing.state !== "private" && thing.state !== "selfOwned") throw notFound();
  await records.setThing(thing.id, "removed", owner, undefined, undefined);
  await records.replaceTags(thing.id, []);
  await records.putPending({ jid, what: "removed", ref, owner: undefined, isPublic: false }, at + pushNetMs);
}

/** Marks the thing; what happens next depends on its answer. Throws `Refusal` not-found, not-allowed. */
export async function beginDisown(records: Records, owner: string, jid: string, ref: NodeRef): Promise<Thing> {
  const thing = await records.thing(jid, ref);
  if (thing === undefined || thing.owner !== owner) throw notFound();
  if (!isOwnedState(thing)) throw new Refusal("not-allowed", "this thing cannot be disowned now");
  await records.beginDisown(thing.id);
  return thing;
}

/** The thing has agreed. False when it is no longer being disowned, having registered anew or gone meanwhile. */
export async function endDisown(records: Records, id: number, at: number): Promise<boolean> {
  const thing = await records.thingById(id);
  if (thing?.state !== "disowning") return false;
  await forget(records, thing);
  await records.setThing(id, "orphaned", undefined, undefined, undefined);
  await records.replaceTags(id, []);
  await pendingClear(records, thing, at);
  return true;
}

/** Everything that came with the owner. */
async function forget(records: Records, thing: Thing): Promise<void> {
  await records.forgetDecisions(thing.id);
  await records.deletePendingOf(thing.jid, thing.ref, ["claimed", "removed"]);
}

/** The device has to forget what it was told about this node (PROV-CLEAR-01). */
export const pendingClear = (records: Records, { jid, ref }: Thing, at: number): Promise<void> =>
  records.putPending({ jid, what: "clearCache", ref, owner: undefined, isPublic: false }, at + pushNetMs);
