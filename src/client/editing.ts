// Editing a concentrator from outside: forms are fetched, filled in with what a person said, and sent; what is rejected comes
// back as the form with a fault on each field.

import type { Form, Submission } from "#contract/filled-form.ts";
import type { NodeRef } from "#contract/node.ts";
import { dynamicNs, form as formCodec, formNs, postBack, type SubmissionOnWire } from "#iot/data-form.wire.ts";
import * as wire from "#iot/editing.wire.ts";
import { namespace } from "#iot/generations.ts";
import { nodeInfo } from "#iot/nodes.wire.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { type AskingDeps, about, aboutAll, createAsking } from "./asking.ts";
import type { NodeInfo } from "./nodes.ts";

export interface AddableType {
  readonly type: string;
  readonly name: string;
}

/** All reject with `StanzaError`; `rejectedForm` finds the corrected form in it. */
export interface Editing {
  /** Types of nodes that are accepted below this one. */
  addableTypes(to: string, parent: NodeRef, signal: AbortSignal): Promise<readonly AddableType[]>;
  newForm(to: string, parent: NodeRef, type: string, signal: AbortSignal): Promise<Form>;
  create(to: string, parent: NodeRef, type: string, given: FilledIn, signal: AbortSignal): Promise<NodeInfo>;
  /** Of several nodes: what they have in common. */
  editForm(to: string, refs: readonly NodeRef[], signal: AbortSignal): Promise<Form>;
  /** The node as it is now, where it was one. */
  edit(to: string, refs: readonly NodeRef[], given: FilledIn, signal: AbortSignal): Promise<NodeInfo | undefined>;
  /** Nothing is stored: the form as it looks with these values (XEP-0336). */
  postBack(to: string, given: FilledIn, signal: AbortSignal): Promise<Form>;
  destroy(to: string, ref: NodeRef, signal: AbortSignal): Promise<void>;
  move(to: string, refs: readonly NodeRef[], direction: "up" | "down", signal: AbortSignal): Promise<void>;
}

/** A form's answers, with the session the form came with. */
export interface FilledIn extends Submission {
  readonly session: string;
}

export function createEditing(deps: AskingDeps): Editing {
  const { ask, tell } = createAsking(deps, namespace("concentrator", deps.generation ?? "nf"));
  const dynamic = createAsking(deps, dynamicNs);

  return {
    addableTypes: (to, parent, signal) =>
      ask("get", to, wire.getAddableNodeTypes, about(parent), wire.nodeTypes, signal),
    newForm: (to, parent, type, signal) =>
      ask("get", to, wire.getParametersForNewNode, { ...about(parent), type }, formCodec, signal),
    create: (to, parent, type, given, signal) =>
      ask("set", to, wire.createNewNode, { ...about(parent), type, submission: final(given) }, nodeInfo, signal),
    editForm(to, refs, signal) {
      const [one, ...others] = refs;
      return one !== undefined && others.length === 0
        ? ask("get", to, wire.getNodeParametersForEdit, about(one), formCodec, signal)
        : ask("get", to, wire.getCommonNodeParametersForEdit, aboutAll(refs), formCodec, signal);
    },
    async edit(to, refs, given, signal) {
      const [one, ...others] = refs;
      const submission = final(given);
      if (one !== undefined && others.length === 0)
        return await ask("set", to, wire.setNodeParametersAfterEdit, { ...about(one), submission }, nodeInfo, signal);
      await tell("set", to, wire.setCommonNodeParametersAfterEdit, { ...aboutAll(refs), submission }, signal);
      return undefined;
    },
    postBack: (to, given, signal) => dynamic.ask("set", to, postBack, { submission: final(given) }, formCodec, signal),
    destroy: (to, ref, signal) => tell("set", to, wire.destroyNode, about(ref), signal),
    move(to, refs, direction, signal) {
      const request = direction === "up" ? wire.moveNodesUp : wire.moveNodesDown;
      return tell("set", to, request, aboutAll(refs), signal);
    },
  };
}

const final = ({ session, fields }: FilledIn): SubmissionOnWire => ({ type: "submit", session, fields });

/** The form that came back with a refusal: complete, with what was submitted, and an error on each field that cannot be taken. */
export function rejectedForm(error: unknown): Form | undefined {
  if (!(error instanceof StanzaError)) return undefined;
  const found = error.details.find(one => one.name === "x" && one.ns === formNs);
  return found && formCodec.decode(found);
}
