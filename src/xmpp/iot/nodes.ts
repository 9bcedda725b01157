// The looking-around face of the concentrator interface: capabilities, data sources, nodes (CON-CAPS, CON-SRC, CON-NI,
// CON-HAS, CON-GETNODE, CON-NODES, CON-ALL, CON-INH, CON-ROOT, CON-CHILD, CON-ANC). Who may see what is the concentrator's.

import type { NodeInfo, SourceInfo } from "#concentrator/concentrator.ts";
import type { Lookup } from "#concentrator/lookup.ts";
import type { Caller, Tokens } from "#contract/caller.ts";
import { Refusal } from "#contract/faults.ts";
import { english, type Languages } from "#contract/language.ts";
import type { DisplayParameter } from "#contract/node.ts";
import { messagesShownMax, nodesPerRequestMax } from "#limits.ts";
import type { Codec } from "#xml/codec.ts";
import { type Element, element } from "#xml/element.ts";
import { formattedBytes } from "#xml/size.ts";
import { type Route, route } from "#xmpp/router.ts";
import { callerOf, resolve } from "./asker.ts";
import { generationOf, inEveryGeneration } from "./generations.ts";
import * as wire from "./nodes.wire.ts";
import { type Outgoing, payloadBytesOf } from "./payload-size.ts";

export interface NodesDeps extends Outgoing {
  readonly concentrator: Lookup;
  /** Routes of the concentrator interface that other files serve: getCapabilities lists them too (CON-CAPS-02). */
  readonly others?: readonly Route[];
  readonly languages?: Languages;
}

export interface Nodes {
  readonly routes: readonly Route[];
}

export function createNodes(deps: NodesDeps): Nodes {
  const { others = [] } = deps;
  const lookups = inEveryGeneration("concentrator", ns => lookupRoutes(deps, ns));
  const capabilities = inEveryGeneration("concentrator", ns => {
    const names = [...lookups, ...others].filter(one => one.ns === ns).map(one => one.name);
    const answer = wire.strings.encode([wire.getCapabilities.name, ...names], ns);
    return [route(["get"], ns, wire.getCapabilities, async () => answer)];
  });
  const stray = others.find(one => generationOf("concentrator", one.ns) === undefined);
  if (stray) throw new Error(`${stray.ns} ${stray.name} is no route of the concentrator interface`);
  return { routes: [...capabilities, ...lookups] };
}

/** Decodes, asks, encodes in the generation of the request. */
function lookupRoutes(deps: NodesDeps, ns: string): Route[] {
  const { concentrator, languages = english } = deps;
  const { localize } = languages;
  const lookup = <Q extends { tokens: Tokens }, A>(
    codec: Codec<Q>,
    answer: Codec<A>,
    ask: (caller: Caller, question: Q) => Promise<A>,
  ): Route =>
    route(["get"], ns, codec, async (question, iq) =>
      sendable(answer.encode(await ask(callerOf(iq, question.tokens), question), ns), payloadBytesOf(deps)),
    );
  const list = <Q extends { tokens: Tokens }>(
    codec: Codec<Q>,
    ask: (caller: Caller, question: Q) => Promise<Iterable<wire.NodeInfoOnWire>>,
  ): Route =>
    route(["get"], ns, codec, async (question, iq) =>
      bounded(await ask(callerOf(iq, question.tokens), question), ns, payloadBytesOf(deps)),
    );
  const contains = async (caller: Caller, ref: wire.AskedRef) =>
    ref.nodeId !== "" && (await concentrator.contains(caller, resolve(ref)));
  /** How texts are said to this caller. */
  const saying =
    ({ language }: Caller): Say =>
    text =>
      localize(language, text);
  const { sourceId: standardSource } = resolve({ nodeId: "", sourceId: "", partition: "" });

  return [
    lookup(wire.getAllDataSources, wire.dataSources, async caller =>
      sources(await concentrator.sources(caller), saying(caller)),
    ),
    lookup(wire.getRootDataSources, wire.dataSources, async caller =>
      sources(await concentrator.rootSources(caller), saying(caller)),
    ),
    lookup(wire.getChildDataSources, wire.dataSources, async (caller, { sourceId }) =>
      sources(await concentrator.childSources(caller, sourceId), saying(caller)),
    ),
    lookup(wire.containsNode, wire.bool, (caller, { ref }) => contains(caller, ref)),
    lookup(wire.containsNodes, wire.bools, (caller, { refs }) => inOrder(refs, ref => contains(caller, ref))),
    lookup(wire.getNode, wire.nodeInfo, async (caller, { ref, details }) =>
      describe(await concentrator.node(caller, resolve(ref)), details, saying(caller)),
    ),
    lookup(wire.getNodes, wire.nodeInfos, (caller, { refs, details }) =>
      inOrder(refs, async ref => describe(await concentrator.node(caller, resolve(ref)), details, saying(caller))),
    ),
    list(wire.getAllNodes, async (caller, { sourceId, types, details }) =>
      describeAll(await concentrator.allNodes(caller, sourceId || standardSource, types), details, saying(caller)),
    ),
    list(wire.getRootNodes, async (caller, { sourceId, details }) =>
      describeAll(await concentrator.rootNodes(caller, sourceId || standardSource), details, saying(caller)),
    ),
    list(wire.getChildNodes, async (caller, { ref, details }) =>
      describeAll(await concentrator.childNodes(caller, resolve(ref)), details, saying(caller)),
    ),
    list(wire.getAncestors, async (caller, { ref, details }) =>
      describeAll(await concentrator.ancestors(caller, resolve(ref)), details, saying(caller)),
    ),
    lookup(wire.getNodeInheritance, wire.inheritance, async (caller, { ref }) => {
      const { baseClasses, interfaces } = await concentrator.inheritance(caller, resolve(ref));
      return { baseClasses, interfaces: interfaces.length === 0 ? undefined : interfaces };
    }),
  ];
}

/** One after the other: a request of many nodes must not become as many lookups at once. */
async function inOrder<T, U>(items: readonly T[], each: (item: T) => Promise<U>): Promise<U[]> {
  if (items.length > nodesPerRequestMax) {
    throw new Refusal("not-acceptable", `at most ${nodesPerRequestMax} nodes in one request`);
  }
  const results: U[] = [];
  for (const item of items) results.push(await each(item));
  return results;
}

/** A broker ends the stream at a stanza that is too large: better refuse one answer than lose the connection by it. */
function sendable(answer: Element, bytesMax: number): Element {
  if (formattedBytes(answer) > bytesMax) throw tooLarge(bytesMax);
  return answer;
}

/**
 * `nodeInfos`, given up as soon as it is too large. What is between a node and its element is made and forgotten one by one:
 * ten thousand at once are garbage to be collected.
 */
function bounded(infos: Iterable<wire.NodeInfoOnWire>, ns: string, bytesMax: number): Element {
  const children: Element[] = [];
  let left = bytesMax;
  for (const info of infos) {
    const child = wire.nodeInfo.encode(info, ns);
    left -= formattedBytes(child, ns);
    if (left < 0) throw tooLarge(bytesMax);
    children.push(child);
  }
  return element(wire.nodeInfos.name, ns, {}, children);
}

const tooLarge = (bytesMax: number): Refusal =>
  new Refusal(
    "not-acceptable",
    `the answer has more than the ${bytesMax} bytes the broker carries; ask without parameters and messages, or for the children of one node at a time`,
  );

type Say = (text: string) => string;

const sources = (infos: readonly SourceInfo[], say: Say): wire.DataSource[] =>
  infos.map(({ sourceId, name, hasChildren, lastChanged }) => ({
    sourceId,
    name: say(name),
    hasChildren,
    lastChanged,
  }));

function* describeAll(infos: readonly NodeInfo[], details: wire.Details, say: Say): Generator<wire.NodeInfoOnWire> {
  for (const info of infos) yield describe(info, details, say);
}

export const describe = (info: NodeInfo, details: wire.Details, say: Say): wire.NodeInfoOnWire => ({
  ref: info.ref,
  // Clients label their trees with it, so there always is one (CON-NI-01).
  localId: info.localId || info.ref.nodeId,
  logId: undefined,
  displayName: info.displayName || undefined,
  nodeType: info.nodeType,
  state: info.state,
  hasChildren: info.hasChildren,
  childrenOrdered: info.childrenOrdered,
  isReadable: info.isReadable,
  isControllable: info.isControllable,
  hasCommands: info.hasCommands,
  sniffable: info.sniffable,
  parent: info.parent && { nodeId: info.parent.nodeId, partition: info.parent.partition },
  lastChanged: info.lastChanged,
  parameters: details.parameters
    ? info.parameters.filter(({ value }) => isSayable(value)).map(one => inWords(one, say))
    : [],
  messages: details.messages
    ? info.messages
        .toSorted((a, b) => a.at - b.at)
        .slice(-messagesShownMax)
        .map(one => ({ ...one, text: say(one.text) }))
    : [],
});

/** Names are for people; of the values the title of the type alone is, all others are what somebody configured. */
const inWords = ({ id, name, value }: DisplayParameter, say: Say): DisplayParameter => ({
  id,
  name: say(name),
  value: id === "Type" && value.kind === "string" ? { ...value, value: say(value.value) } : value,
});

/** Not a number has no form on the wire (COM-LEX-03). */
const isSayable = (value: DisplayParameter["value"]): boolean =>
  value.kind !== "double" || Number.isFinite(value.value);
