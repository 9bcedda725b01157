// The command face of the concentrator interface: which commands there are, what they ask for, their execution, and queries,
// each on one node or on several (CON-CMD, CON-EXEC, CON-QRY, CON-ABORT, CON-COMMCMD). Progress goes out in queries.ts.

import type { CommandInfo, Commands } from "#concentrator/commands.ts";
import type { Queries } from "#concentrator/queries.ts";
import type { Caller, Tokens } from "#contract/caller.ts";
import type { CommandKind } from "#contract/command.ts";
import { Refusal } from "#contract/faults.ts";
import { FormRejected, inWords, type Submission } from "#contract/filled-form.ts";
import type { NodeRef } from "#contract/node.ts";
import { commonNodesMax } from "#limits.ts";
import type { Codec } from "#xml/codec.ts";
import type { Element } from "#xml/element.ts";
import { bareJid, normalJid } from "#xmpp/jid.ts";
import { type IqRequest, type Route, route } from "#xmpp/router.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { callerOf, distinct, resolve } from "./asker.ts";
import * as wire from "./commands.wire.ts";
import { form as formCodec, formNs, submission as submissionCodec } from "./data-form.wire.ts";
import { type Generation, inEveryGeneration } from "./generations.ts";
import { deliverQuery, type QueryDeliveryDeps } from "./queries.ts";

export interface CommandsDeps extends QueryDeliveryDeps {
  readonly concentrator: Commands & Queries;
}

export interface CommandsFace {
  readonly routes: readonly Route[];
  gone(fullJid: string): void;
  withdrawn(bareJid: string): void;
}

export function createCommands(deps: CommandsDeps): CommandsFace {
  const { concentrator, languages } = deps;
  const saying =
    ({ language }: Caller) =>
    (text: string) =>
      languages.localize(language, text);

  /** What was submitted; undefined where no form came. Given up is nothing done (DF-SUB-08). */
  const submitted = (form: Element | undefined): Submission | "given up" | undefined => {
    if (form === undefined) return undefined;
    const read = submissionCodec.decode(form);
    return read.type === "cancel" ? "given up" : read;
  };

  /** Faults of parameters come back on the form they came in (CON-EXEC-03). */
  const taking = async <T>(
    caller: Caller,
    form: Element | undefined,
    work: (given: Submission | undefined) => Promise<T>,
  ) => {
    const given = submitted(form);
    if (given === "given up") return undefined;
    try {
      return await work(given);
    } catch (error) {
      if (!(error instanceof FormRejected)) throw error;
      const shown = inWords(error.form, saying(caller));
      const text = shown.instructions.join(" ") || saying(caller)("Some values cannot be taken.");
      throw new StanzaError("modify", "not-acceptable", text, [formCodec.encode(shown, formNs)]);
    }
  };

  const serve = <Q extends { tokens: Tokens }>(
    types: readonly ("get" | "set")[],
    ns: string,
    codec: Codec<Q>,
    work: (caller: Caller, question: Q, iq: IqRequest) => Promise<Element | undefined>,
  ): Route => route(types, ns, codec, (question, iq) => work(callerOf(iq, question.tokens), question, iq));

  const list = (caller: Caller, infos: readonly CommandInfo[], generation: Generation, ns: string): Element =>
    wire.commands.encode(
      infos.map(info => describe(info, generation, saying(caller))),
      ns,
    );

  const showForm = async (caller: Caller, refs: readonly NodeRef[], id: string, signal: AbortSignal) => {
    const form = await concentrator.commandForm(caller, refs, id, signal);
    return formCodec.encode(inWords(form, saying(caller)), formNs);
  };

  interface Ask {
    readonly commandId: string;
    readonly queryId: string;
    readonly form: Element | undefined;
  }

  /** `asked`: the references as written, each node once. */
  const query = (
    caller: Caller,
    asked: readonly NodeRef[],
    ask: Ask,
    ns: string,
    generation: Generation,
    iq: IqRequest,
  ) =>
    taking(caller, ask.form, async given => {
      const { commandId, queryId } = ask;
      const refs = asked.map(resolve);
      const started = await concentrator.startQuery(caller, refs, commandId, queryId, given, iq.signal);
      for (const [at, one] of started.entries()) {
        void deliverQuery(deps, { caller, queryId, ref: asked[at] as NodeRef, ns, generation, query: one });
      }
      return true;
    });

  const onOne = (ns: string, generation: Generation): Route[] => [
    serve(["get"], ns, wire.getNodeCommands, async (caller, { ref }, { signal }) =>
      list(caller, await concentrator.commands(caller, resolve(ref), signal), generation, ns),
    ),
    serve(["get"], ns, wire.getCommandParameters, (caller, { ref, commandId }, { signal }) =>
      showForm(caller, [resolve(ref)], commandId, signal),
    ),
    serve(["set"], ns, wire.executeNodeCommand, async (caller, { ref, commandId, form }, { signal }) => {
      await taking(caller, form, given => concentrator.execute(caller, resolve(ref), commandId, given, signal));
      return undefined;
    }),
    serve(["set"], ns, wire.executeNodeQuery, async (caller, ask, iq) => {
      await query(caller, [ask.ref], ask, ns, generation, iq);
      return undefined;
    }),
    serve(["set"], ns, wire.abortNodeQuery, async (caller, { ref, commandId, queryId }, { signal }) => {
      await concentrator.abortQuery(caller, [resolve(ref)], commandId, queryId, signal);
      return undefined;
    }),
  ];

  const changing = (one: Route): Route => ({ ...one, changes: true });

  // Both iq types where others send the one or the other (COM-STZ-03); done once, whichever it was (COM-STZ-12).
  const onSeveral = (ns: string, generation: Generation): Route[] => [
    serve(["get"], ns, wire.getCommonNodeCommands, async (caller, { refs }, { signal }) =>
      list(caller, await concentrator.commonCommands(caller, distinct(bounded(refs)), signal), generation, ns),
    ),
    serve(["get"], ns, wire.getCommonCommandParameters, (caller, { refs, commandId }, { signal }) =>
      showForm(caller, distinct(bounded(refs)), commandId, signal),
    ),
    changing(
      serve(
        ["get", "set"],
        ns,
        wire.executeCommonNodeCommand,
        async (caller, { refs, commandId, form }, { signal }) => {
          const nodes = bounded(refs).map(resolve);
          const results = await taking(caller, form, given =>
            concentrator.executeCommon(caller, nodes, commandId, given, signal),
          );
          return (
            results &&
            partial(
              results.map(one => (one.ok ? undefined : saying(caller)(one.error))),
              ns,
            )
          );
        },
      ),
    ),
    changing(
      serve(["get", "set"], ns, wire.executeCommonNodeQuery, async (caller, ask, iq) => {
        const asked = bounded(ask.refs);
        const once = asked.filter((ref, at) => asked.findIndex(other => isSame(other, ref)) === at);
        const done = await query(caller, once, ask, ns, generation, iq);
        const results = partial(
          asked.map(() => undefined),
          ns,
        );
        return done === undefined ? undefined : results;
      }),
    ),
    serve(["set"], ns, wire.abortCommonNodeQuery, async (caller, { refs, commandId, queryId }, { signal }) => {
      await concentrator.abortQuery(caller, distinct(bounded(refs)), commandId, queryId, signal);
      return undefined;
    }),
  ];

  return {
    routes: inEveryGeneration("concentrator", (ns, generation) => [
      ...onOne(ns, generation),
      ...onSeveral(ns, generation),
    ]),
    gone(fullJid) {
      const from = normalJid(fullJid);
      if (from !== undefined) concentrator.queriesGone(from);
    },
    withdrawn(jid) {
      const from = bareJid(jid);
      if (from !== undefined) concentrator.queriesWithdrawn(from);
    },
  };
}

/** A `result` for each node named: an error, or done. */
const partial = (errors: readonly (string | undefined)[], ns: string): Element =>
  wire.partialExecution.encode(
    errors.map(error => ({ error, ok: error === undefined })),
    ns,
  );

function bounded(refs: readonly NodeRef[]): readonly NodeRef[] {
  if (refs.length === 0) throw new Refusal("bad-request", "No nd: name the nodes.");
  if (refs.length > commonNodesMax)
    throw new Refusal("not-acceptable", `At most ${commonNodesMax} nodes in one request for commands.`);
  return refs;
}

const isSame = (a: NodeRef, b: NodeRef): boolean => {
  const [one, other] = [resolve(a), resolve(b)];
  return one.nodeId === other.nodeId && one.sourceId === other.sourceId;
};

/** CON-CMD-04: the word that each generation reads. */
const typeOf = (kind: CommandKind, generation: Generation): wire.CommandType => {
  if (kind === "simple") return "Simple";
  if (kind === "query") return "Query";
  return generation === "nfi" ? "Parameterized" : "Parametrized";
};

const describe = (info: CommandInfo, generation: Generation, say: (text: string) => string): wire.CommandOnWire => {
  const said = (text: string | undefined) => (text === undefined ? undefined : say(text));
  return {
    commandId: info.id,
    name: say(info.title),
    type: typeOf(info.kind, generation),
    sortCategory: said(info.sort?.category),
    sortKey: info.sort?.key,
    confirmation: said(info.confirmation),
    failure: said(info.failure),
    success: said(info.success),
  };
};
