// Commands of nodes: Concentrator.xsd, getNodeCommands, getCommandParameters, executeNodeCommand, executeNodeQuery,
// abortNodeQuery and their forms for several nodes (section 6 of the concentrator interface).

import { attr, body, content, element, foreign, many, optional, type Value } from "#xml/codec.ts";
import { boolean, identifier, oneOf, type Scalar, text } from "#xml/scalars.ts";
import { boundedText, nodeAttributes, nodeElement, tokens } from "./address.wire.ts";
import { formNs } from "./data-form.wire.ts";

/** The form as it came: what it holds is read where the command is known. */
const form = foreign("x", formNs);
const commandId = attr("command", identifier);
/** Empty is a mistake like none at all (CON-QRY-01). */
const queryId = attr("queryId", identifier);
const refs = many(nodeElement);

export const getNodeCommands = element("getNodeCommands", { ref: nodeAttributes, tokens });
export const getCommonNodeCommands = element("getCommonNodeCommands", { refs, tokens });
export const getCommandParameters = element("getCommandParameters", { ref: nodeAttributes, commandId, tokens });
export const getCommonCommandParameters = element("getCommonCommandParameters", { commandId, refs, tokens });

export const executeNodeCommand = element("executeNodeCommand", { ref: nodeAttributes, commandId, tokens, form });
export const executeCommonNodeCommand = element("executeCommonNodeCommand", { commandId, refs, tokens, form });
export const executeNodeQuery = element("executeNodeQuery", { ref: nodeAttributes, commandId, queryId, tokens, form });
export const executeCommonNodeQuery = element("executeCommonNodeQuery", { commandId, queryId, refs, tokens, form });
export const abortNodeQuery = element("abortNodeQuery", { ref: nodeAttributes, commandId, queryId, tokens });
export const abortCommonNodeQuery = element("abortCommonNodeQuery", { commandId, queryId, refs, tokens });

/** The second is how the third is written by much deployed software, which reads what it does not know as the first (CON-CMD-04). */
const commandTypes = ["Simple", "Parametrized", "Parameterized", "Query"] as const;
export type CommandType = (typeof commandTypes)[number];

/** What others call it, as written: never longer than any name. */
const shortText: Scalar<string> = boundedText;

const command = element("command", {
  commandId,
  name: attr("name", text),
  type: attr("type", oneOf(...commandTypes)),
  sortCategory: optional("sortCategory", shortText),
  sortKey: optional("sortKey", shortText),
  confirmation: optional("confirmationString", text),
  failure: optional("failureString", text),
  success: optional("successString", text),
});
export type CommandOnWire = Value<typeof command>;
export const commands = content("commands", many(command));

/** One node of several: `error` only where it failed. */
const result = element("result", { error: optional("error", text), ok: body(boolean) });
export type ResultOnWire = Value<typeof result>;
export const partialExecution = content("partialExecution", many(result));
