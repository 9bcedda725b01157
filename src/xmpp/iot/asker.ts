// Who asks and about what, as a face hands it to the concentrator: the sender the broker stamped, never one from a payload,
// and node addresses with the default source filled in.

import type { Caller, Tokens } from "#contract/caller.ts";
import { meteringTopology, type NodeRef, nodeKey } from "#contract/node.ts";
import type { IqRequest } from "#xmpp/router.ts";

/** When neither the request nor the stanza says a language (COM-LANG-01). */
const standardLanguage = "en";

export const callerOf = (request: IqRequest, tokens: Tokens): Caller => ({
  bareJid: request.fromBare,
  fullJid: request.from,
  tokens,
  language: request.language === "" ? standardLanguage : request.language,
});

/** An address without a source is in the source of the field devices (COM-ID-02). */
export const resolve = (ref: NodeRef): NodeRef => (ref.sourceId === "" ? { ...ref, sourceId: meteringTopology } : ref);

/** Resolved, each once, in the order first named (SD-REQ-07). */
export function distinct(refs: readonly NodeRef[]): NodeRef[] {
  const nodes = new Map<string, NodeRef>();
  for (const ref of refs) {
    const resolved = resolve(ref);
    nodes.set(nodeKey(resolved), resolved);
  }
  return [...nodes.values()];
}
