// Looking at a concentrator from outside: capabilities, sources, nodes, and all nodes of a source even where no broker carries
// them in one answer.

import { type NodeRef, nodeKey } from "#contract/node.ts";
import { namespace } from "#iot/generations.ts";
import * as wire from "#iot/nodes.wire.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { type AskingDeps, about, aboutAll, createAsking, noTokens } from "./asking.ts";

export type NodeInfo = wire.NodeInfoOnWire;

/** Which of the sources: all, those at the top, or those below one. */
export type SourcesOf = "all" | "root" | { readonly sourceId: string };

export interface Nodes {
  capabilities(to: string, signal: AbortSignal): Promise<readonly string[]>;
  sources(to: string, signal: AbortSignal, which?: SourcesOf): Promise<readonly wire.DataSource[]>;
  contains(to: string, ref: NodeRef, signal: AbortSignal): Promise<boolean>;
  /** One answer a node, in order. */
  containsAll(to: string, refs: readonly NodeRef[], signal: AbortSignal): Promise<readonly boolean[]>;
  node(to: string, ref: NodeRef, signal: AbortSignal, details?: wire.Details): Promise<NodeInfo>;
  nodes(
    to: string,
    refs: readonly NodeRef[],
    signal: AbortSignal,
    details?: wire.Details,
  ): Promise<readonly NodeInfo[]>;
  /**
   * Every node of a source that we may see, parents before children. Asked for at once; where that is more than the broker
   * carries, level by level. `types`: only nodes of one of these, or derived from one.
   */
  allNodes(to: string, sourceId: string, signal: AbortSignal, how?: AllNodes): Promise<readonly NodeInfo[]>;
  rootNodes(to: string, sourceId: string, signal: AbortSignal, details?: wire.Details): Promise<readonly NodeInfo[]>;
  childNodes(to: string, ref: NodeRef, signal: AbortSignal, details?: wire.Details): Promise<readonly NodeInfo[]>;
  /** The parent first, the root last. */
  ancestors(to: string, ref: NodeRef, signal: AbortSignal, details?: wire.Details): Promise<readonly NodeInfo[]>;
  inheritance(to: string, ref: NodeRef, signal: AbortSignal): Promise<wire.Inheritance>;
}

export interface AllNodes {
  /** With parameters and messages unless said. */
  readonly details?: wire.Details;
  readonly types?: readonly string[];
}

const everything: wire.Details = { parameters: true, messages: true };
/** Questions under way at once while walking: the broker and the appliance have others to serve. */
const walkersMax = 8;

export function createNodes(deps: AskingDeps): Nodes {
  const { ask } = createAsking(deps, namespace("concentrator", deps.generation ?? "nf"));

  const rootNodes: Nodes["rootNodes"] = (to, sourceId, signal, details = everything) =>
    ask("get", to, wire.getRootNodes, { sourceId, details, tokens: noTokens }, wire.nodeInfos, signal);
  const childNodes: Nodes["childNodes"] = (to, ref, signal, details = everything) =>
    ask("get", to, wire.getChildNodes, { ...about(ref), details }, wire.nodeInfos, signal);

  return {
    capabilities: (to, signal) => ask("get", to, wire.getCapabilities, { tokens: noTokens }, wire.strings, signal),
    sources(to, signal, which = "all") {
      const tokens = noTokens;
      if (typeof which !== "string")
        return ask("get", to, wire.getChildDataSources, { ...which, tokens }, wire.dataSources, signal);
      const request = which === "all" ? wire.getAllDataSources : wire.getRootDataSources;
      return ask("get", to, request, { tokens }, wire.dataSources, signal);
    },
    contains: (to, ref, signal) => ask("get", to, wire.containsNode, about(ref), wire.bool, signal),
    containsAll: (to, refs, signal) => ask("get", to, wire.containsNodes, aboutAll(refs), wire.bools, signal),
    node: (to, ref, signal, details = everything) =>
      ask("get", to, wire.getNode, { ...about(ref), details }, wire.nodeInfo, signal),
    nodes: (to, refs, signal, details = everything) =>
      ask("get", to, wire.getNodes, { ...aboutAll(refs), details }, wire.nodeInfos, signal),
    async allNodes(to, sourceId, signal, { details = everything, types = [] } = {}) {
      try {
        return await ask(
          "get",
          to,
          wire.getAllNodes,
          { sourceId, types, details, tokens: noTokens },
          wire.nodeInfos,
          signal,
        );
      } catch (error) {
        if (!isTooLarge(error) || types.length > 0) throw error;
        return await walk(await rootNodes(to, sourceId, signal, details), node =>
          childNodes(to, node.ref, signal, details),
        );
      }
    },
    rootNodes,
    childNodes,
    ancestors: (to, ref, signal, details = everything) =>
      ask("get", to, wire.getAncestors, { ...about(ref), details }, wire.nodeInfos, signal),
    inheritance: (to, ref, signal) => ask("get", to, wire.getNodeInheritance, about(ref), wire.inheritance, signal),
  };
}

/** The appliance would not send it, or somebody on the way would not carry it. */
const isTooLarge = (error: unknown): boolean =>
  error instanceof StanzaError && (error.condition === "not-acceptable" || error.condition === "policy-violation");

/** Level by level, each node once, whatever the other side says of its tree. */
async function walk(
  roots: readonly NodeInfo[],
  childrenOf: (node: NodeInfo) => Promise<readonly NodeInfo[]>,
): Promise<NodeInfo[]> {
  const seen = new Map<string, NodeInfo>();
  for (let level = roots; level.length > 0; ) {
    const fresh = level.filter(({ ref }) => !seen.has(nodeKey(ref)));
    for (const node of fresh) seen.set(nodeKey(node.ref), node);
    const parents = fresh.filter(node => node.hasChildren);
    const below: (readonly NodeInfo[])[] = new Array(parents.length);
    let next = 0;
    const walker = async () => {
      for (let at = next++; at < parents.length; at = next++) below[at] = await childrenOf(parents[at] as NodeInfo);
    };
    await Promise.all(Array.from({ length: Math.min(walkersMax, parents.length) }, walker));
    level = below.flat();
  }
  return [...seen.values()];
}
