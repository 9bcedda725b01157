// Queries under way: who started which, how many he may have, and who may end them. A query belongs to the one who started it,
// by his bare JID and his own id for it, so that nobody can find out or block what others call theirs (CON-QRY-02).

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { queriesPerCallerMax } from "#limits.ts";
import { createAudit } from "./audit.ts";
import { commandValues } from "./command-forms.ts";
import { type CommandsDeps, type Executable, requireCommand } from "./commands.ts";
import type { Caller } from "./contract/caller.ts";
import { Refusal } from "./contract/faults.ts";
import type { Submission } from "./contract/filled-form.ts";
import { describeNode, type NodeRef, nodeKey } from "./contract/node.ts";
import { type QueryItem, type QueryRun, startQueryRun } from "./query-run.ts";
import type { Tree } from "./tree.ts";

export interface StartedQuery {
  readonly node: NodeRef;
  /** To be read once: `started` first, then `done` or `aborted` last, unless nothing more may be said. */
  readonly items: AsyncIterable<QueryItem>;
  /** Asked before each delivery: false once the right was taken away, and then nothing more comes (COM-AUTH-09). */
  mayHear(): Promise<boolean>;
  /** Nobody reads it any more: it ends unsaid. Harmless when it has ended. */
  leave(): void;
}

export interface Queries {
  /**
   * One a node, in the order of the references, a node once. Throws `Refusal`: not-found, denied, bad-request (no query, no
   * parameters where some are needed), conflict (the id is in use), busy (the quota), and `FormRejected`. Then nothing runs.
   */
  startQuery(
    caller: Caller,
    refs: readonly NodeRef[],
    commandId: string,
    queryId: string,
    submission: Submission | undefined,
    signal: AbortSignal,
  ): Promise<StartedQuery[]>;
  /** By the starter, or by who manages the node. Throws `Refusal` not-found when none of them runs (CON-ABORT-01). */
  abortQuery(
    caller: Caller,
    refs: readonly NodeRef[],
    commandId: string,
    queryId: string,
    signal: AbortSignal,
  ): Promise<void>;
  /** This full JID is not there any more: what it started ends unsaid (CON-QRY-05). */
  queriesGone(fullJid: string): void;
  queriesWithdrawn(bareJid: string): void;
  /** Rights may have changed: what was started by a right that is no more ends at once, unsaid (COM-AUTH-09). */
  queriesReconsidered(): Promise<void>;
}

export interface QueriesDeps extends Omit<CommandsDeps, "tree"> {
  readonly tree: Pick<Tree, "find" | "whenChanged">;
  /** Bare JID of who claimed this node. */
  readonly ownerOf: (ref: NodeRef) => string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What one caller started under one id. */
interface Entry {
  readonly caller: Caller;
  readonly queryId: string;
  readonly commandId: string;
  /** By node. */
  readonly runs: Map<string, { readonly node: NodeRef; readonly run: QueryRun }>;
  /** The work of all of them has ended. */
  over: boolean;
}

export function createQueries(deps: QueriesDeps): Queries {
  const { tree, admission, log } = deps;
  const audit = createAudit(log);
  const active = new Map<string, Entry>();
  /** By bare JID: what still works, or has not been told to its end. Short ones that are told slowly count too. */
  const working = new Map<string, Set<Entry>>();

  const open = (caller: Caller, commandId: string, queryId: string): Entry => {
    const key = `${caller.bareJid}\n${queryId}`;
    if (active.has(key)) throw new Refusal("conflict", `A query with the id ${queryId} is running already.`);
    const mine = working.get(caller.bareJid) ?? new Set();
    if (mine.size >= queriesPerCallerMax) {
      throw new Refusal("busy", `${mine.size} queries of yours are running already; wait for one to end, or abort it.`);
    }
    const entry: Entry = { caller, queryId, commandId, runs: new Map(), over: false };
    active.set(key, entry);
    working.set(caller.bareJid, mine.add(entry));
    return entry;
  };

  const start = (entry: Entry, { node, command }: Executable, values: unknown, signal: AbortSignal): QueryRun => {
    if (command.kind !== "query") throw notAQuery();
    const run = startQueryRun({
      ...deps,
      signal,
      device: node.opened?.signal,
      name: `${command.id} on ${describeNode(node.ref)}`,
      work: (report, inner) => command.query(values, report, inner),
    });
    entry.runs.set(nodeKey(node.ref), { node: node.ref, run });
    return run;
  };

  /** The id is free again when the end was heard; the quota when the work is over too. */
  const close = (entry: Entry, key: string) => {
    entry.runs.delete(key);
    if (entry.runs.size > 0) return;
    active.delete(`${entry.caller.bareJid}\n${entry.queryId}`);
    release(entry);
  };
  const settle = async (entry: Entry, runs: readonly QueryRun[]) => {
    await Promise.all(runs.map(run => run.over));
    entry.over = true;
    release(entry);
  };
  const release = (entry: Entry) => {
    if (!entry.over || entry.runs.size > 0) return;
    const mine = working.get(entry.caller.bareJid);
    mine?.delete(entry);
    if (mine?.size === 0) working.delete(entry.caller.bareJid);
  };

  async function* heard(entry: Entry, key: string, run: QueryRun): AsyncGenerator<QueryItem> {
    yield* run.items;
    close(entry, key);
  }

  const mayManage = async (caller: Caller, refs: readonly NodeRef[], signal: AbortSignal) => {
    const others = refs.filter(ref => deps.ownerOf(ref) !== caller.bareJid);
    return others.length === 0 || (await admission.allowed(caller, "destroy", others, signal)).size === others.length;
  };

  tree.whenChanged(({ kind }, node) => {
    if (kind !== "removed") return;
    for (const { runs } of active.values()) runs.get(nodeKey(node.ref))?.run.abort();
  });

  const silenceWhere = (which: (entry: Entry) => boolean) => {
    for (const entry of [...active.values()].filter(which)) {
      for (const [key, { run }] of [...entry.runs]) {
        run.silence();
        close(entry, key);
      }
    }
  };

  /** Of a node that is gone nothing is left to say but that. */
  const mayHear = async (caller: Caller, ref: NodeRef, signal: AbortSignal): Promise<boolean> =>
    tree.find(ref) === undefined || (await admission.allowed(caller, "execute", [ref], signal)).size > 0;

  return {
    async startQuery(caller, refs, commandId, queryId, submission, signal) {
      const all = await requireCommand(deps, caller, refs, commandId, signal);
      if (all.some(({ command }) => command.kind !== "query")) throw notAQuery();
      const entry = open(caller, commandId, queryId);
      let ready: { one: Executable; values: unknown }[];
      try {
        ready = all.map(one => ({ one, values: commandValues(one.command, submission) }));
      } catch (error) {
        active.delete(`${caller.bareJid}\n${queryId}`);
        void settle(entry, []);
        throw error;
      }
      const parameters = submission?.fields.map(({ name }) => name) ?? [];
      const nodes = all.map(({ node }) => node.ref);
      audit("query", caller, nodes, { command: commandId, parameters });
      const started = ready.map(({ one, values }) => {
        const { ref } = one.node;
        const run = start(entry, one, values, signal);
        return {
          run,
          node: ref,
          items: heard(entry, nodeKey(ref), run),
          mayHear: () => mayHear(caller, ref, signal),
          leave() {
            run.silence();
            close(entry, nodeKey(ref));
          },
        };
      });
      void settle(
        entry,
        started.map(({ run }) => run),
      );
      return started;
    },
    async abortQuery(caller, refs, commandId, queryId, signal) {
      if (refs.length === 0) throw new Refusal("bad-request", "No node was named.");
      const seen = await admission.require(caller, "view", refs, signal);
      const isMeant = (entry: Entry) => entry.queryId === queryId && entry.commandId === commandId;
      const own = active.get(`${caller.bareJid}\n${queryId}`);
      const entries =
        own !== undefined && isMeant(own)
          ? [own]
          : (await mayManage(caller, seen, signal))
            ? [...active.values()].filter(isMeant)
            : [];
      const runs = entries.flatMap(entry => seen.flatMap(ref => entry.runs.get(nodeKey(ref)) ?? []));
      if (runs.length === 0) throw new Refusal("not-found", "No such query is running.");
      for (const { run } of runs) run.abort();
      audit("query-aborted", caller, seen, { command: commandId });
    },
    queriesGone: fullJid => silenceWhere(({ caller }) => caller.fullJid === fullJid),
    queriesWithdrawn: bareJid => silenceWhere(({ caller }) => caller.bareJid === bareJid),
    async queriesReconsidered() {
      for (const entry of [...active.values()]) {
        for (const [key, { node, run }] of [...entry.runs]) {
          if (await mayHear(entry.caller, node, never)) continue;
          run.silence();
          close(entry, key);
        }
      }
    },
  };
}

/** Nobody waits for it who could leave. */
const never = new AbortController().signal;

const notAQuery = (): Refusal => new Refusal("bad-request", "This command is no query: execute it.");
