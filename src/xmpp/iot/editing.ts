// The editing face of the concentrator interface: forms out, forms in, rejected ones back with their faults on the fields
// (CON-EDIT, CON-COMMON, CON-TYPES, CON-NEW, CON-DEL, CON-MOVE, DF-SUB-08, DF-ERR).

import type { NodeInfo } from "#concentrator/concentrator.ts";
import type { Editing as Edits } from "#concentrator/editing.ts";
import type { Caller, Tokens } from "#contract/caller.ts";
import { Refusal } from "#contract/faults.ts";
import { type Form, FormRejected, type Submission } from "#contract/filled-form.ts";
import type { Languages } from "#contract/language.ts";
import type { NodeRef } from "#contract/node.ts";
import { nodesPerRequestMax } from "#limits.ts";
import type { Codec } from "#xml/codec.ts";
import type { Element } from "#xml/element.ts";
import { type IqRequest, type Route, route } from "#xmpp/router.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { callerOf, distinct, resolve } from "./asker.ts";
import { form as formCodec, formNs, type SubmissionOnWire } from "./data-form.wire.ts";
import type { DynamicForms, Refill } from "./dynamic-forms.ts";
import * as wire from "./editing.wire.ts";
import { inEveryGeneration } from "./generations.ts";
import { describe } from "./nodes.ts";
import { nodeInfo } from "./nodes.wire.ts";

export interface EditingDeps {
  readonly concentrator: Edits & { node(caller: Caller, ref: NodeRef): Promise<NodeInfo> };
  readonly forms: DynamicForms;
  readonly languages: Languages;
}

export interface EditingFace {
  readonly routes: readonly Route[];
}

/** How the form of one operation is made, with answers or without. */
type MakeForm = (caller: Caller, submission: Submission | undefined, signal: AbortSignal) => Promise<Form>;

export function createEditing({ concentrator, forms, languages }: EditingDeps): EditingFace {
  const info = (caller: Caller, node: NodeInfo, ns: string): Element =>
    nodeInfo.encode(
      describe(node, { parameters: true, messages: true }, text => languages.localize(caller.language, text)),
      ns,
    );

  /** Posted back it is made the same way, with the evidence given when it was asked for (CTR-FORM-07). */
  const refillOf =
    (caller: Caller, make: MakeForm): Refill =>
    (submission, language, signal) =>
      make({ ...caller, language }, submission, signal);

  const show = async (caller: Caller, make: MakeForm, signal: AbortSignal): Promise<Element> => {
    const form = await make(caller, undefined, signal);
    return formCodec.encode(forms.shown(caller, form, refillOf(caller, make)), formNs);
  };

  /** A final submission: done, given up, or back with its faults. */
  const take = async (
    caller: Caller,
    submission: SubmissionOnWire | undefined,
    make: MakeForm,
    work: (submission: SubmissionOnWire) => Promise<Element | undefined>,
  ): Promise<Element | undefined> => {
    if (submission === undefined) throw new Refusal("bad-request", "A submitted form is expected.");
    try {
      const answer = submission.type === "cancel" ? undefined : await work(submission);
      forms.ended(caller.fullJid, submission.session);
      return answer;
    } catch (error) {
      if (!(error instanceof FormRejected)) throw error;
      const form = forms.shown(caller, error.form, refillOf(caller, make), submission.session);
      const onFields = form.fields.some(field => field.error !== "");
      const text = onFields ? "Some values cannot be taken." : form.instructions.join(" ");
      throw new StanzaError("modify", "not-acceptable", text, [formCodec.encode(form, formNs)]);
    }
  };

  const newForm =
    (parent: NodeRef, type: string): MakeForm =>
    (caller, submission, signal) =>
      concentrator.newNodeForm(caller, parent, type, signal, submission);
  const editForm =
    (refs: readonly NodeRef[]): MakeForm =>
    (caller, submission, signal) =>
      concentrator.editForm(caller, refs, signal, submission);

  const serve = <Q extends { tokens: Tokens }>(
    type: "get" | "set",
    ns: string,
    codec: Codec<Q>,
    work: (caller: Caller, question: Q, iq: IqRequest) => Promise<Element | undefined>,
  ): Route => route([type], ns, codec, (question, iq) => work(callerOf(iq, question.tokens), question, iq));

  const forming = (ns: string): Route[] => [
    serve("get", ns, wire.getNodeParametersForEdit, (caller, { ref }, { signal }) =>
      show(caller, editForm([resolve(ref)]), signal),
    ),
    serve("set", ns, wire.setNodeParametersAfterEdit, (caller, { ref, submission }, { signal }) => {
      const refs = [resolve(ref)];
      return take(caller, submission, editForm(refs), async given => {
        const [after] = await concentrator.editNodes(caller, refs, given, signal);
        return info(caller, await concentrator.node(caller, after as NodeRef), ns);
      });
    }),
    serve("get", ns, wire.getCommonNodeParametersForEdit, (caller, { refs }, { signal }) =>
      show(caller, editForm(bounded(refs)), signal),
    ),
    serve("set", ns, wire.setCommonNodeParametersAfterEdit, (caller, { refs, submission }, { signal }) => {
      const nodes = bounded(refs);
      return take(caller, submission, editForm(nodes), async given => {
        await concentrator.editNodes(caller, nodes, given, signal);
        return undefined;
      });
    }),
    serve("get", ns, wire.getParametersForNewNode, (caller, { ref, type }, { signal }) =>
      show(caller, newForm(resolve(ref), type), signal),
    ),
    serve("set", ns, wire.createNewNode, (caller, { ref, type, submission }, { signal }) => {
      const parent = resolve(ref);
      return take(caller, submission, newForm(parent, type), async given =>
        info(caller, await concentrator.createNode(caller, parent, type, given, signal), ns),
      );
    }),
  ];

  const move = (direction: "up" | "down") => async (caller: Caller, refs: readonly NodeRef[], signal: AbortSignal) => {
    await concentrator.moveNodes(caller, refs, direction, signal);
    return undefined;
  };
  const arranging = (ns: string): Route[] => [
    serve("get", ns, wire.getAddableNodeTypes, async (caller, { ref }, { signal }) => {
      const types = await concentrator.addableTypes(caller, resolve(ref), signal);
      return wire.nodeTypes.encode(
        types.map(({ type, title }) => ({ type, name: languages.localize(caller.language, title) })),
        ns,
      );
    }),
    serve("set", ns, wire.destroyNode, async (caller, { ref }, { signal }) => {
      await concentrator.destroyNode(caller, resolve(ref), signal);
      return undefined;
    }),
    serve("set", ns, wire.moveNodeUp, (caller, { ref }, { signal }) => move("up")(caller, [resolve(ref)], signal)),
    serve("set", ns, wire.moveNodeDown, (caller, { ref }, { signal }) => move("down")(caller, [resolve(ref)], signal)),
    serve("set", ns, wire.moveNodesUp, (caller, { refs }, { signal }) => move("up")(caller, bounded(refs), signal)),
    serve("set", ns, wire.moveNodesDown, (caller, { refs }, { signal }) => move("down")(caller, bounded(refs), signal)),
  ];

  return { routes: inEveryGeneration("concentrator", ns => [...forming(ns), ...arranging(ns)]) };
}

function bounded(refs: readonly NodeRef[]): NodeRef[] {
  if (refs.length === 0) throw new Refusal("bad-request", "Name the nodes that are meant.");
  if (refs.length > nodesPerRequestMax)
    throw new Refusal("not-acceptable", `at most ${nodesPerRequestMax} nodes in one request`);
  return distinct(refs);
}
