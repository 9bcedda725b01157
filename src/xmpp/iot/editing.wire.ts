// Making, editing, moving and removing nodes: Concentrator.xsd, section 5 of the concentrator interface. The schema's names
// are used where its prose differs (CON-DIS-04).

import { attr, content, element, many } from "#xml/codec.ts";
import { identifier, text } from "#xml/scalars.ts";
import { nodeAttributes, nodeElement, tokens } from "./address.wire.ts";
import { submitted } from "./data-form.wire.ts";

const one = { ref: nodeAttributes, tokens };
const several = { refs: many(nodeElement), tokens };

export const getNodeParametersForEdit = element("getNodeParametersForEdit", one);
export const setNodeParametersAfterEdit = element("setNodeParametersAfterEdit", { ...one, submission: submitted });
export const getCommonNodeParametersForEdit = element("getCommonNodeParametersForEdit", several);
export const setCommonNodeParametersAfterEdit = element("setCommonNodeParametersAfterEdit", {
  ...several,
  submission: submitted,
});

export const getAddableNodeTypes = element("getAddableNodeTypes", one);
/** `ref` is the parent. */
const below = { ...one, type: attr("type", identifier) };
export const getParametersForNewNode = element("getParametersForNewNode", below);
export const createNewNode = element("createNewNode", { ...below, submission: submitted });

export const destroyNode = element("destroyNode", one);
export const moveNodeUp = element("moveNodeUp", one);
export const moveNodeDown = element("moveNodeDown", one);
export const moveNodesUp = element("moveNodesUp", several);
export const moveNodesDown = element("moveNodesDown", several);

/** Answer to getAddableNodeTypes. */
export const nodeTypes = content(
  "nodeTypes",
  many(element("nodeType", { type: attr("type", text), name: attr("name", text) })),
);
