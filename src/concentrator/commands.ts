// Commands on nodes: which there are for a caller, what they ask for, and their execution, on one node or on many. Nothing is
// executed that was not allowed on this node to this caller; long work goes on after the answer (CON-CMD, CON-EXEC, CON-COMMCMD).

import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import { type Log, stackOf } from "#base/log.ts";
import { QueueFull } from "#base/turns.ts";
import { commandMs, commandReplyMs, commandsPerCallerMax, commonNodesMax } from "#limits.ts";
import type { Admission } from "./admission.ts";
import { createAudit } from "./audit.ts";
import { commandForm, commandValues, rejectedBy } from "./command-forms.ts";
import type { Caller } from "./contract/caller.ts";
import type { Command, CommandKind } from "./contract/command.ts";
import { DeviceFault, Refusal } from "./contract/faults.ts";
import { type Form, FormRejected, type Submission } from "./contract/filled-form.ts";
import { describeNode, type NodeRef, nodeKey } from "./contract/node.ts";
import type { TreeNode } from "./forest.ts";
import { describeFault } from "./status.ts";
import type { Tree } from "./tree.ts";

export interface CommandInfo {
  readonly id: string;
  readonly title: string;
  readonly kind: CommandKind;
  readonly sort?: { readonly category: string; readonly key: string };
  readonly confirmation?: string;
  readonly success?: string;
  readonly failure?: string;
}

/** What became of one node in a request about several; `error` in words for a person. */
export type NodeResult = { readonly node: NodeRef } & (
  | { readonly ok: true }
  | { readonly ok: false; readonly error: string }
);

export interface Commands {
  /** Those the caller may execute. Throws `Refusal` not-found for a node he may not see. */
  commands(caller: Caller, ref: NodeRef, signal: AbortSignal): Promise<CommandInfo[]>;
  /** Those that are alike on all of the nodes, and that he may execute on all of them. */
  commonCommands(caller: Caller, refs: readonly NodeRef[], signal: AbortSignal): Promise<CommandInfo[]>;
  /** Of the first node: on the others the command is alike. Throws `Refusal` not-found or denied. */
  commandForm(caller: Caller, refs: readonly NodeRef[], id: string, signal: AbortSignal): Promise<Form>;
  /**
   * Resolves when executed, or started and under way. Throws `Refusal` or `FormRejected` when nothing was done, and `Refusal`
   * not-allowed with the device's words when it failed soon.
   */
  execute(
    caller: Caller,
    ref: NodeRef,
    id: string,
    submission: Submission | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  /** A result for each reference, in order. Throws as above before anything is done; what fails on a node is a result. */
  executeCommon(
    caller: Caller,
    refs: readonly NodeRef[],
    id: string,
    submission: Submission | undefined,
    signal: AbortSignal,
  ): Promise<NodeResult[]>;
}

export interface CommandsDeps {
  readonly tree: Pick<Tree, "find" | "note" | "erase">;
  readonly admission: Pick<Admission, "require" | "allowed">;
  /** All commands of a node as this caller would execute them, its device's among them. */
  readonly commandsOf: (node: TreeNode, caller: Caller) => readonly Command[];
  readonly clock: Clock;
  readonly log: Log;
}

interface Prepared {
  readonly one: Executable;
  readonly values: unknown;
}

/** One command of one node, allowed to this caller. */
export interface Executable {
  readonly node: TreeNode;
  readonly command: Command;
}

/**
 * The command on each of the nodes, each node once. Throws `Refusal`: not-found for a node or command that is not there,
 * denied where the right is missing (COM-ERR-03).
 */
export async function requireCommand(
  {
    tree,
    admission,
    commandsOf,
  }: Pick<CommandsDeps, "admission" | "commandsOf"> & { readonly tree: Pick<Tree, "find"> },
  caller: Caller,
  refs: readonly NodeRef[],
  id: string,
  signal: AbortSignal,
): Promise<Executable[]> {
  if (refs.length === 0) throw new Refusal("bad-request", "No node was named.");
  if (refs.length > commonNodesMax) {
    throw new Refusal("not-acceptable", `At most ${commonNodesMax} nodes in one request for commands.`);
  }
  const seen = await admission.require(caller, "view", refs, signal);
  const found = seen.map(ref => {
    const node = tree.find(ref);
    const command = node && commandsOf(node, caller).find(one => one.id === id);
    if (node === undefined || command === undefined) throw new Refusal("not-found", "There is no such command.");
    return { node, command };
  });
  await admission.require(caller, "execute", seen, signal);
  return found;
}

export function createCommands(deps: CommandsDeps): Commands {
  const { tree, admission, commandsOf, clock, log } = deps;
  const audit = createAudit(log);
  const running = new Map<string, number>();

  const list = async (caller: Caller, refs: readonly NodeRef[], signal: AbortSignal): Promise<CommandInfo[]> => {
    if (refs.length === 0) throw new Refusal("bad-request", "No node was named.");
    if (refs.length > commonNodesMax) {
      throw new Refusal("not-acceptable", `At most ${commonNodesMax} nodes in one request for commands.`);
    }
    const nodes = await admission.require(caller, "view", refs, signal);
    const allowed = await admission.allowed(caller, "execute", nodes, signal);
    if (nodes.some(node => !allowed.has(nodeKey(node)))) return [];
    const [first = [], ...others] = nodes.map(ref => {
      const node = tree.find(ref);
      return node === undefined ? [] : commandsOf(node, caller);
    });
    return first.filter(one => others.every(those => those.some(other => isAlike(one, other)))).map(infoOf);
  };

  /** All that can be refused is refused before anything is done; each node has its own command, and its own copy of the values. */
  const prepare = async (
    caller: Caller,
    refs: readonly NodeRef[],
    id: string,
    submission: Submission | undefined,
    signal: AbortSignal,
  ): Promise<Prepared[]> => {
    const all = await requireCommand(deps, caller, refs, id, signal);
    if (all.some(({ command }) => command.kind === "query")) throw notACommand();
    const prepared = all.map(one => ({ one, values: commandValues(one.command, submission) }));
    const parameters = submission?.fields.map(({ name }) => name) ?? [];
    for (const { node, command } of all) audit("command", caller, [node.ref], { command: command.id, parameters });
    return prepared;
  };

  const take = (caller: Caller) => {
    const count = running.get(caller.bareJid) ?? 0;
    if (count >= commandsPerCallerMax) {
      throw new Refusal("busy", `${count} commands of yours are being executed already; wait for one to end.`);
    }
    running.set(caller.bareJid, count + 1);
  };
  const give = ({ bareJid }: Caller) => {
    const left = (running.get(bareJid) ?? 1) - 1;
    if (left > 0) running.set(bareJid, left);
    else running.delete(bareJid);
  };

  const explain = ({ node, command }: Executable, error: unknown): Error => {
    if (error instanceof Refusal) return error;
    if (error instanceof QueueFull) return new Refusal("busy", `The line is ${error.message}.`);
    if (error instanceof DeviceFault || error instanceof TimeoutError) {
      return new Refusal("not-allowed", error.message);
    }
    log.error("command-failed", { node: describeNode(node.ref), command: command.id, error, stack: stackOf(error) });
    return error instanceof Error ? error : new Error(String(error));
  };

  const attempt = async ({ node, command }: Executable, values: unknown, signal: AbortSignal): Promise<void> => {
    if (command.kind === "query") throw notACommand();
    await within(clock, commandMs, command.title, signal, inner =>
      command.kind === "simple" ? command.execute(inner) : command.execute(values, inner),
    );
    tree.erase(node, [failedEvent]);
  };

  /**
   * All at once: each line has a queue of its own. Resolves with the error of each, undefined where it was done or goes on after
   * the time an asker waits; what fails then is told on the node.
   */
  const run = async (caller: Caller, all: readonly Prepared[], signal: AbortSignal): Promise<(Error | undefined)[]> => {
    take(caller);
    let answered = false;
    const works = all.map(({ one, values }) =>
      attempt(one, values, signal).then(
        () => undefined,
        (error: unknown) => {
          const said = explain(one, error);
          if (answered && !signal.aborted) {
            const { node, command } = one;
            log.warning("command-failed-later", { node: describeNode(node.ref), command: command.id, error: said });
            tree.note(node, "Error", failedEvent, `${command.title}: ${wordsOf(said)}`);
          }
          return said;
        },
      ),
    );
    void Promise.all(works).finally(() => give(caller));
    const timer = new AbortController();
    const late = clock.sleep(commandReplyMs, timer.signal).then(
      () => {
        answered = true;
        return undefined;
      },
      () => undefined,
    );
    try {
      return await Promise.all(works.map(work => Promise.race([work, late])));
    } finally {
      timer.abort(done);
    }
  };

  return {
    commands: (caller, ref, signal) => list(caller, [ref], signal),
    commonCommands: list,
    async commandForm(caller, refs, id, signal) {
      const [first] = await requireCommand(deps, caller, refs, id, signal);
      if (first === undefined) throw new Refusal("not-found", "There is no such command.");
      return commandForm(first.command);
    },
    async execute(caller, ref, id, submission, signal) {
      const all = await prepare(caller, [ref], id, submission, signal);
      const [error] = await run(caller, all, signal);
      const [{ one }] = all as [Prepared];
      if (error !== undefined) throw submission === undefined ? error : withForm(one.command, submission, error);
    },
    async executeCommon(caller, refs, id, submission, signal) {
      const all = await prepare(caller, refs, id, submission, signal);
      const errors = await run(caller, all, signal);
      const byKey = new Map(all.map(({ one }, at) => [nodeKey(one.node.ref), errors[at]]));
      return refs.map((ref): NodeResult => {
        const node = tree.find(ref)?.ref ?? ref;
        const error = byKey.get(nodeKey(node));
        return error === undefined ? { node, ok: true } : { node, ok: false, error: wordsOf(error) };
      });
    },
  };
}

const failedEvent = "command-failed";
const notACommand = () => new Refusal("bad-request", "This is a query: it answers with a report.");

/** Parameters that the command itself found wrong come back on the form; a failure never does (CON-EXEC-03). */
function withForm(command: Command, submission: Submission, error: unknown): unknown {
  const faulty = error instanceof Refusal && !(error instanceof FormRejected) && error.parameters.length > 0;
  return faulty ? rejectedBy(command, submission, error) : error;
}

const wordsOf = (error: unknown): string => (error instanceof Refusal ? error.message : describeFault(error).text);

/** CON-COMMCMD-01: the same command to a person, whatever it does on each node. */
const isAlike = (a: Command, b: Command): boolean =>
  a.id === b.id && a.kind === b.kind && a.sort?.category === b.sort?.category && a.sort?.key === b.sort?.key;

export const infoOf = (command: Command): CommandInfo => {
  const { id, title, kind, sort, confirmation, success, failure } = command;
  return {
    id,
    title,
    kind,
    ...(sort === undefined ? {} : { sort }),
    ...(confirmation === undefined ? {} : { confirmation }),
    ...(success === undefined ? {} : { success }),
    ...(failure === undefined ? {} : { failure }),
  };
};

const done = new DOMException("the command was answered", "AbortError");
