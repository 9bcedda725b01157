// Queries from outside: started, followed in the order of their numbers whatever the network does, and aborted when nobody
// follows them any more.

import type { Submission } from "#contract/filled-form.ts";
import { type NodeRef, nodeKey } from "#contract/node.ts";
import * as wire from "#iot/commands.wire.ts";
import { namespace } from "#iot/generations.ts";
import { type ProgressItem, queryProgress } from "#iot/queries.wire.ts";
import type { Connection } from "#xmpp/connection.ts";
import { type AskingDeps, about, aboutAll, createAsking } from "./asking.ts";
import { submitted } from "./commands.ts";
import type { Inbox } from "./inbox.ts";

export type QueryItem = ProgressItem;
/** What one of several nodes reports; `error`: it did not begin there. */
export type NodeItem = { readonly node: NodeRef } & ({ readonly item: QueryItem } | { readonly error: string });

export interface Queries {
  /**
   * The report as it grows: `started` first, `done` or `aborted` last. Leaving early, or aborting, aborts the query over there.
   * Throws `StanzaError` when it did not begin.
   */
  query(
    to: string,
    ref: NodeRef,
    commandId: string,
    given: Submission | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<QueryItem>;
  /** The same on several nodes at once; ends when it has ended on all of them. */
  queryCommon(
    to: string,
    refs: readonly NodeRef[],
    commandId: string,
    given: Submission | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<NodeItem>;
}

export interface QueriesDeps extends AskingDeps {
  readonly connection: Connection;
  readonly inbox: Inbox;
}

/** Messages ahead of one that is missing: more is no query of ours. */
const heldMax = 1_000;

export function createQueries(deps: QueriesDeps): Queries {
  const { inbox } = deps;
  const ns = namespace("concentrator", deps.generation ?? "nf");
  const { ask, tell } = createAsking(deps, ns);

  /** `begin` starts it and says which nodes did not begin, with the reason. */
  async function* follow(
    to: string,
    refs: readonly NodeRef[],
    queryId: string,
    begin: () => Promise<readonly (string | undefined)[]>,
    abort: () => Promise<void>,
    signal: AbortSignal,
  ): AsyncGenerator<NodeItem> {
    const queue: NodeItem[] = [];
    const open = new Map(refs.map(ref => [nodeKey(ref), createOrder()]));
    let wake = () => {};
    const onAbort = () => wake();
    const taken = inbox.onMessage(ns, "queryProgress", ({ from, payload }) => {
      if (from !== to || payload.attrs.queryId !== queryId) return;
      const { ref, seqNr, items } = queryProgress.decode(payload);
      const key = nodeKey(ref);
      for (const item of open.get(key)?.take(seqNr, items) ?? []) {
        queue.push({ node: ref, item });
        if (item.kind === "done" || item.kind === "aborted") open.delete(key);
      }
      wake();
    });
    signal.addEventListener("abort", onAbort, { once: true });
    let begun = false;
    try {
      const errors = await begin();
      begun = true;
      for (const [at, error] of errors.entries()) {
        const node = refs[at];
        if (error === undefined || node === undefined) continue;
        open.delete(nodeKey(node));
        yield { node, error };
      }
      for (;;) {
        const next = queue.shift();
        if (next !== undefined) yield next;
        else if (open.size === 0) return;
        else if (signal.aborted) throw signal.reason;
        else await new Promise<void>(resolve => (wake = resolve));
      }
    } finally {
      taken[Symbol.dispose]();
      signal.removeEventListener("abort", onAbort);
      if (begun && open.size > 0) abort().catch(() => {});
    }
  }

  return {
    async *query(to, ref, commandId, given, signal) {
      const queryId = crypto.randomUUID();
      const one = { ...about(ref), commandId, queryId };
      const begin = async () => {
        await tell("set", to, wire.executeNodeQuery, { ...one, form: submitted(given) }, signal);
        return [];
      };
      // Not the signal of the caller, which may be what ends it.
      const abort = () => tell("set", to, wire.abortNodeQuery, one, new AbortController().signal);
      for await (const told of follow(to, [ref], queryId, begin, abort, signal)) if ("item" in told) yield told.item;
    },
    async *queryCommon(to, refs, commandId, given, signal) {
      const queryId = crypto.randomUUID();
      const all = { ...aboutAll(refs), commandId, queryId };
      const begin = async () => {
        const asked = { ...all, form: submitted(given) };
        const results = await ask("set", to, wire.executeCommonNodeQuery, asked, wire.partialExecution, signal);
        return results.map(({ ok, error }) => (ok ? undefined : (error ?? "")));
      };
      const abort = () => tell("set", to, wire.abortCommonNodeQuery, all, new AbortController().signal);
      yield* follow(to, refs, queryId, begin, abort, signal);
    },
  };
}

/** Messages in the order of their numbers; what came twice is dropped. */
function createOrder() {
  const held = new Map<number, readonly QueryItem[]>();
  let next = 1;
  return {
    take(seqNr: number, items: readonly QueryItem[]): QueryItem[] {
      if (seqNr >= next && held.size < heldMax) held.set(seqNr, items);
      const ready: QueryItem[] = [];
      for (let found = held.get(next); found !== undefined; found = held.get(next)) {
        held.delete(next++);
        ready.push(...found);
      }
      return ready;
    },
  };
}
