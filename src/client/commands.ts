// Telling nodes what to do, from outside: which commands there are, what they ask for, and executing them on one node or on
// several. Queries, which answer with a report, are in queries.ts.

import type { Form, Submission } from "#contract/filled-form.ts";
import type { NodeRef } from "#contract/node.ts";
import * as wire from "#iot/commands.wire.ts";
import { form as formCodec, submission as submissionCodec } from "#iot/data-form.wire.ts";
import { namespace } from "#iot/generations.ts";
import type { Element } from "#xml/element.ts";
import { type AskingDeps, about, aboutAll, createAsking } from "./asking.ts";

export type CommandInfo = wire.CommandOnWire;
export type CommandResult = wire.ResultOnWire;

/** What several nodes are told together is what is alike on all of them. Everything throws `StanzaError`. */
export interface Commands {
  commands(to: string, refs: readonly NodeRef[], signal: AbortSignal): Promise<readonly CommandInfo[]>;
  commandForm(to: string, refs: readonly NodeRef[], commandId: string, signal: AbortSignal): Promise<Form>;
  /** A rejected form is in the details of the `StanzaError`. */
  execute(
    to: string,
    ref: NodeRef,
    commandId: string,
    given: Submission | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  /** A result for each node, in order. */
  executeCommon(
    to: string,
    refs: readonly NodeRef[],
    commandId: string,
    given: Submission | undefined,
    signal: AbortSignal,
  ): Promise<readonly CommandResult[]>;
}

export function createCommands(deps: AskingDeps): Commands {
  const { ask, tell } = createAsking(deps, namespace("concentrator", deps.generation ?? "nf"));
  return {
    commands: (to, refs, signal) =>
      refs.length === 1
        ? ask("get", to, wire.getNodeCommands, about(refs[0] as NodeRef), wire.commands, signal)
        : ask("get", to, wire.getCommonNodeCommands, aboutAll(refs), wire.commands, signal),
    commandForm: (to, refs, commandId, signal) =>
      refs.length === 1
        ? ask("get", to, wire.getCommandParameters, { ...about(refs[0] as NodeRef), commandId }, formCodec, signal)
        : ask("get", to, wire.getCommonCommandParameters, { ...aboutAll(refs), commandId }, formCodec, signal),
    execute: (to, ref, commandId, given, signal) =>
      tell("set", to, wire.executeNodeCommand, { ...about(ref), commandId, form: submitted(given) }, signal),
    executeCommon: (to, refs, commandId, given, signal) =>
      ask(
        "set",
        to,
        wire.executeCommonNodeCommand,
        { ...aboutAll(refs), commandId, form: submitted(given) },
        wire.partialExecution,
        signal,
      ),
  };
}

export const submitted = (given: Submission | undefined): Element | undefined =>
  given && submissionCodec.encode({ type: "submit", session: "", fields: given.fields }, "");
