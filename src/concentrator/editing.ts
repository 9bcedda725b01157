// Nodes made, edited, moved and removed by those who may: forms out, forms in, and all or nothing (CON-EDIT, CON-COMMON,
// CON-TYPES, CON-NEW, CON-DEL, CON-MOVE). Between the check and the commit nothing waits, so nothing changes in between.

import type { Log } from "#base/log.ts";
import type { Admission } from "./admission.ts";
import { createAudit } from "./audit.ts";
import type { NodeInfo } from "./concentrator.ts";
import type { Caller } from "./contract/caller.ts";
import type { NodeType } from "./contract/driver.ts";
import { Refusal } from "./contract/faults.ts";
import { type FilledField, type Form, FormRejected, type Submission } from "./contract/filled-form.ts";
import { describeNode, type NodeRef } from "./contract/node.ts";
import { isThing, type TreeNode, withDescendants } from "./forest.ts";
import { mergeFields } from "./form-merge.ts";
import { type Answers, answersOf, clearName, type FormErrors, type Settings, withErrors } from "./form-values.ts";
import { createNodeForms, identityNames, type NodeDraft, newDraft } from "./node-form.ts";
import { acceptedBelow } from "./planning.ts";
import type { Tree } from "./tree.ts";

export interface TypeInfo {
  readonly type: string;
  readonly title: string;
}

/**
 * All throw `Refusal` not-found for what is unknown or invisible, denied where the right is missing, and `FormRejected` for what
 * cannot be taken. A form without `submission` is as things are; with one, it is the form as it was posted back, nothing stored.
 */
export interface Editing {
  addableTypes(caller: Caller, parent: NodeRef, signal: AbortSignal): Promise<TypeInfo[]>;
  newNodeForm(
    caller: Caller,
    parent: NodeRef,
    type: string,
    signal: AbortSignal,
    submission?: Submission,
  ): Promise<Form>;
  createNode(
    caller: Caller,
    parent: NodeRef,
    type: string,
    submission: Submission,
    signal: AbortSignal,
  ): Promise<NodeInfo>;
  editForm(caller: Caller, refs: readonly NodeRef[], signal: AbortSignal, submission?: Submission): Promise<Form>;
  /** As they are called afterwards. */
  editNodes(caller: Caller, refs: readonly NodeRef[], submission: Submission, signal: AbortSignal): Promise<NodeRef[]>;
  destroyNode(caller: Caller, ref: NodeRef, signal: AbortSignal): Promise<void>;
  moveNodes(caller: Caller, refs: readonly NodeRef[], direction: "up" | "down", signal: AbortSignal): Promise<void>;
}

export interface EditingDeps {
  readonly tree: Tree;
  readonly admission: Pick<Admission, "require" | "allowed">;
  readonly node: (caller: Caller, ref: NodeRef) => Promise<NodeInfo>;
  /** Bare JID of who claimed this node as a thing of its own. */
  readonly ownerOf: (ref: NodeRef) => string | undefined;
  readonly log: Log;
}

/** Values may be secret; names of settings are not (COM-AUTH-10). */
const namesIn = (submission: Submission): string[] => submission.fields.map(({ name }) => name);

/** No setting is a list. */
const oneValueEach: ReadonlySet<string> = new Set();

/** One node's part of a submission, checked. */
interface Checked {
  readonly values: Settings;
  readonly draft: NodeDraft;
  readonly fields: readonly FilledField[];
}

export function createEditing({ tree, admission, node, ownerOf, log }: EditingDeps): Editing {
  const forms = createNodeForms(tree.catalogue);
  const audit = createAudit(log);

  const found = (refs: readonly NodeRef[]): TreeNode[] =>
    refs.map(ref => {
      const one = tree.find(ref);
      if (one === undefined) throw new Refusal("not-found", "There is no such node.");
      return one;
    });
  const admit = async (
    caller: Caller,
    right: "edit" | "add" | "destroy",
    refs: readonly NodeRef[],
    signal: AbortSignal,
  ) => {
    if (refs.length === 0) throw new Refusal("bad-request", "Name the nodes that are meant.");
    return found(await admission.require(caller, right, refs, signal));
  };
  const typeBelow = (parent: TreeNode, name: string): NodeType => {
    const type = tree.catalogue.find(name);
    if (type === undefined || !acceptedBelow(type, parent))
      throw new Refusal("not-found", `There is no node type ${name} here.`);
    return type;
  };
  /** Why its address stays as it is: owners and rules hold on to it. */
  const lockOf = ({ ref, type }: TreeNode): string => {
    const why = "It is claimed under this name: its owner has to disown it first.";
    return type?.thing && ownerOf(ref) !== undefined ? why : "";
  };
  const draftOf = ({ record }: TreeNode): NodeDraft => ({
    nodeId: record.ref.nodeId,
    displayName: record.displayName,
    tags: record.tags,
    options: record.options ?? {},
    settings: record.settings,
  });

  const check = (
    type: NodeType | undefined,
    before: NodeDraft,
    sourceId: string,
    answers: Answers,
    locked: string,
    errors: FormErrors,
  ): Checked => {
    const values = forms.answered(type, forms.values(type, before), answers, locked, errors);
    const { NodeId: nodeId } = values;
    const other = nodeId !== before.nodeId && tree.sources.get(sourceId)?.nodes.has(nodeId as string);
    if (other && !errors.has("NodeId")) errors.set("NodeId", "This is taken: a node id is unique in its source.");
    return { values, draft: forms.draft(type, values, before), fields: forms.fields(type, values, locked) };
  };
  /** Names that no such form has are faults (DF-SUB-04). */
  const checkNames = (type: NodeType | undefined, answers: Answers, errors: FormErrors) => {
    const names = new Set(forms.list(type).flatMap(({ name, secret }) => (secret ? [name, clearName(name)] : [name])));
    for (const name of answers.keys()) if (!names.has(name)) errors.set(name, "There is no such field.");
  };

  const newNode = (parent: TreeNode, type: NodeType, submission: Submission | undefined) => {
    const errors: FormErrors = new Map();
    const answers = submission === undefined ? new Map() : answersOf(submission, oneValueEach, errors);
    if (submission === undefined) {
      const fields = forms.fields(type, forms.values(type, newDraft), "");
      return { form: { title: type.title, instructions: [], session: "", fields }, draft: newDraft, errors };
    }
    checkNames(type, answers, errors);
    const { draft, fields } = check(type, newDraft, parent.ref.sourceId, answers, "", errors);
    return { form: { title: type.title, session: "", ...withErrors(fields, answers, errors) }, draft, errors };
  };

  /** The one form of all the nodes, and what each of them is to be. */
  const edited = (nodes: readonly TreeNode[], submission: Submission | undefined) => {
    const errors: FormErrors = new Map();
    const answers: Answers = submission === undefined ? new Map() : answersOf(submission, oneValueEach, errors);
    const title = nodes.length === 1 ? (nodes[0] as TreeNode).record.displayName : `${nodes.length} nodes`;
    const several = nodes.length > 1;
    const wrong = new Map<string, Map<string, NodeRef[]>>();
    const checked = nodes.map(one => {
      const own: FormErrors = new Map(errors);
      if (!several) checkNames(one.type, answers, own);
      const result = check(one.type, draftOf(one), one.ref.sourceId, answers, lockOf(one), own);
      for (const [name, message] of own) {
        const byMessage = wrong.get(name) ?? new Map<string, NodeRef[]>();
        wrong.set(name, byMessage);
        const of = byMessage.get(message) ?? [];
        byMessage.set(message, of);
        of.push(one.ref);
      }
      return result;
    });
    const merged = mergeFields(checked.map(({ fields }) => fields)).filter(
      ({ name }) => !several || !identityNames.includes(name),
    );
    for (const [name, byMessage] of wrong) {
      const said = [...byMessage].map(([message, of]) =>
        of.length === nodes.length ? message : `${some(of)}: ${message}`,
      );
      errors.set(name, said.join(" "));
    }
    if (several) {
      const names = new Set(merged.map(({ name }) => name));
      for (const name of answers.keys()) {
        if (identityNames.includes(name)) errors.set(name, "Each node keeps its own.");
        else if (!names.has(name)) errors.set(name, "There is no such field of all these nodes.");
      }
    }
    const { fields, instructions } = withErrors(merged, answers, errors);
    const locked = new Set(nodes.map(lockOf).filter(text => text !== ""));
    const form: Form = { title, session: "", fields, instructions: [...locked, ...instructions] };
    return { form, errors, drafts: checked.map(({ draft }) => draft) };
  };

  return {
    async addableTypes(caller, parent, signal) {
      const [above] = await admit(caller, "add", [parent], signal);
      return tree.catalogue.types
        .filter(type => acceptedBelow(type, above))
        .map(({ name, title }) => ({ type: name, title }));
    },
    async newNodeForm(caller, parent, typeName, signal, submission) {
      const [above] = await admit(caller, "add", [parent], signal);
      const type = typeBelow(above as TreeNode, typeName);
      return withSuggestions(newNode(above as TreeNode, type, submission).form, [type]);
    },
    async createNode(caller, parent, typeName, submission, signal) {
      const above = (await admit(caller, "add", [parent], signal))[0] as TreeNode;
      const type = typeBelow(above, typeName);
      const { form, draft, errors } = newNode(above, type, submission);
      if (errors.size > 0) throw new FormRejected(await withSuggestions(form, [type]));
      const ref = tree.create({ ...draft, sourceId: above.ref.sourceId, parent: above.ref, type: type.name });
      audit("node-created", caller, [ref], { type: type.name, fields: namesIn(submission) });
      return node(caller, ref);
    },
    async editForm(caller, refs, signal, submission) {
      const nodes = await admit(caller, "edit", refs, signal);
      return withSuggestions(edited(nodes, submission).form, typesOf(nodes));
    },
    async editNodes(caller, refs, submission, signal) {
      const nodes = await admit(caller, "edit", refs, signal);
      const { form, errors, drafts } = edited(nodes, submission);
      if (errors.size > 0) throw new FormRejected(await withSuggestions(form, typesOf(nodes)));
      const before = nodes.map(one => one.ref);
      tree.edit(nodes.map((one, at) => ({ node: one.ref, ...(drafts[at] as NodeDraft) })));
      audit("nodes-edited", caller, before, { fields: namesIn(submission) });
      return nodes.map(one => one.ref);
    },
    async destroyNode(caller, ref, signal) {
      const top = (await admit(caller, "destroy", [ref], signal))[0] as TreeNode;
      const going = [...withDescendants(top)];
      const allowed = await admission.allowed(
        caller,
        "destroy",
        going.map(one => one.ref),
        signal,
      );
      if (allowed.size < going.length) throw new Refusal("denied", "You may not remove all that is below it.");
      const owned = going.some(one => isThing(one) && ![undefined, caller.bareJid].includes(ownerOf(one.ref)));
      if (owned)
        throw new Refusal(
          "not-allowed",
          "It, or something below it, belongs to somebody else, who has to disown it first.",
        );
      const refs = going.map(one => one.ref);
      await tree.destroy(top.ref);
      audit("nodes-destroyed", caller, refs);
    },
    async moveNodes(caller, refs, direction, signal) {
      const nodes = await admit(caller, "edit", refs, signal);
      const moving = nodes.map(one => one.ref);
      tree.move(moving, direction);
      audit("nodes-moved", caller, moving, { direction });
    },
  };
}

const typesOf = (nodes: readonly TreeNode[]): NodeType[] => [...new Set(nodes.flatMap(({ type }) => type ?? []))];

/** What there is to choose from now stands at the field; of nodes of several types, what their common fields have in common. */
async function withSuggestions(form: Form, types: readonly NodeType[]): Promise<Form> {
  const suggested = types.length === 1 ? (types[0]?.suggestions ?? {}) : {};
  const fields = form.fields.map(async (field): Promise<FilledField> => {
    const options = field.kind === "text" ? ((await suggested[field.name]?.()) ?? []) : [];
    return options.length === 0 ? field : { ...field, kind: "choice", open: true, options, pattern: "" };
  });
  return { ...form, fields: await Promise.all(fields) };
}

/** Of whom something is said, when it is not said of all. */
const some = (refs: readonly NodeRef[]): string => {
  const names = refs.slice(0, 3).map(describeNode).join(", ");
  return refs.length > 3 ? `${names} and ${refs.length - 3} more` : names;
};
