// Questions to the provisioning service and what its answers are worth: never more than was asked, only for whom it was
// asked, and nothing at all when a part of the answer is not understood (PROV-CANREAD-02…05, PROV-CANCONTROL-01…03).

import type { DecisionKey } from "#concentrator/decision-cache.ts";
import type { Tokens } from "#contract/caller.ts";
import { categoriesOfMask, categoryMask } from "#contract/field.ts";
import { type NodeRef, nodeKey } from "#contract/node.ts";
import { WireError } from "#xml/codec.ts";
import type { Element } from "#xml/element.ts";
import type { Answer } from "./decision-memory.ts";
import { type Generation, generationOf, namespace } from "./generations.ts";
import * as wire from "./provisioning-device.wire.ts";

/** Keys alike but for the node; the appliance itself (no node) stands alone. */
export type Batch = readonly [DecisionKey, ...DecisionKey[]];

/** The question about all nodes of the batch. `tokens` as the caller showed them. */
export function encodeQuestion(batch: Batch, tokens: Tokens, generation: Generation, strictXsd: boolean): Element {
  const [{ kind, caller: jid, categories, names }] = batch;
  const ns = namespace("provisioningDevice", generation);
  if (kind === "isFriend") return wire.isFriend.encode({ jid }, ns);
  const nodes = batch.map(key => key.node).filter(({ nodeId }) => nodeId !== "");
  if (kind === "canRead")
    return wire.canRead.encode({ jid, tokens, categories: categoriesOfMask(categories), nodes, names }, ns);
  const form = names.length === 0 ? "none" : wire.askedForm(generation, strictXsd);
  return wire.canControl.encode({ jid, tokens, nodes, parameters: { names, form } }, ns);
}

/** One answer a key, in order. Throws `WireError` when it is no valid answer to this question: nobody may act on it. */
export function decodeAnswer(batch: Batch, reply: Element | undefined): Answer[] {
  const [{ kind, caller }] = batch;
  if (
    reply === undefined ||
    generationOf("provisioningDevice", reply.ns) === undefined ||
    reply.name !== `${kind}Response`
  )
    throw new WireError(`${kind}Response`, "missing");
  const said = read(kind, reply);
  if (said.jid !== caller) throw new WireError(`${kind}Response@jid`, "is about somebody else");
  return batch.map(key => (said.result ? granted(key, said) : refused));
}

interface Said {
  readonly jid: string;
  readonly result: boolean;
  readonly categories: number;
  readonly nodes: readonly NodeRef[];
  readonly names: readonly string[];
}

const refused: Answer = { allow: false, grantedCategories: 0, grantedNames: undefined };

function read(kind: DecisionKey["kind"], reply: Element): Said {
  if (kind === "isFriend") return { ...wire.isFriendResponse.decode(reply), categories: 0, nodes: [], names: [] };
  if (kind === "canControl") {
    const { parameters, ...said } = wire.canControlResponse.decode(reply);
    return { ...said, categories: 0, names: parameters.names };
  }
  const said = wire.canReadResponse.decode(reply);
  return { ...said, categories: categoryMask(said.categories) };
}

/** Granted and asked for. Lists left out mean "as asked", categories left out mean none. */
function granted(key: DecisionKey, said: Said): Answer {
  if (said.nodes.length > 0 && !said.nodes.some(node => nodeKey(node) === nodeKey(key.node))) return refused;
  const grantedCategories = key.categories & said.categories;
  if (key.kind === "canRead" && grantedCategories === 0) return refused;
  const limited = said.names.length > 0;
  const asked = key.names.length > 0;
  const names = asked ? key.names.filter(name => said.names.includes(name)) : [...said.names].sort();
  if (!limited || (asked && names.length === key.names.length))
    return { allow: true, grantedCategories, grantedNames: undefined };
  return names.length === 0 ? refused : { allow: true, grantedCategories, grantedNames: names };
}
