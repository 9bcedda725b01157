// Each operation an appliance serves, as data: a request that is taken, and what its parts are, so that everything that can be
// wrong with it can be made of it. A route without a row here fails the test.

import { type Family, generationOf, namespace, namespaces } from "#iot/generations.ts";
import { oldDiscoveryNs } from "#iot/old-discovery.ts";
import { contact, owner, registry, tenant } from "./appliance.ts";

/** What may stand in an attribute, for making up what may not. `text`: anything that is short enough. */
export type Kind =
  | "count"
  | "identifier"
  | "text"
  | "boolean"
  | "dateTime"
  | "duration"
  | "seconds"
  | "category"
  | "jid";

export interface FormRow {
  /** Answers that are taken. */
  readonly valid: Readonly<Record<string, string>>;
  /** One field each, with a value that is not taken. */
  readonly wrong: readonly (readonly [string, string])[];
  /** Must not be left out. */
  readonly needed: readonly string[];
  /** What a fault in the content is called; a form comes back where it is not-acceptable. */
  readonly fault: string;
  /** What a field that no form has is called. */
  readonly unknown: string;
  /** What happens to a form that is given up. */
  readonly cancelled: string;
  /** Without any form. */
  readonly missing: string;
}

export interface Operation {
  /** Or the namespace, of what has one only. */
  readonly family: Family | (string & {});
  readonly name: string;
  readonly types: readonly ("get" | "set")[];
  readonly attrs: Readonly<Record<string, string>>;
  /** Of `attrs`, those without which there is no request. */
  readonly needed: readonly string[];
  /** Of all attributes the operation knows. */
  readonly kinds: Readonly<Record<string, Kind>>;
  /** How attributes are called in this dialect, where that is otherwise. */
  readonly spelt?: Readonly<Record<string, string>>;
  /** Where nodes are named: in its own attributes, in `nd`, or only a source. */
  readonly where?: "attributes" | "children" | "source";
  /** Nodes that the valid request names. */
  readonly nodes?: readonly string[];
  /** Without any `nd`. */
  readonly noNodes?: string;
  /** More `nd` than are taken. */
  readonly nodesMax?: number;
  /** What stands in it besides nodes and form. */
  readonly inside?: string;
  /** Children that are wrong, and what is said of them. */
  readonly wrongInside?: readonly (readonly [string, string])[];
  readonly form?: FormRow;
  /** Said to the request as it stands; "" (a result) unless said. */
  readonly taken?: string;
  /** Who may; the owner of the appliance unless said. */
  readonly from?: string;
  /** Said of a node that is not there, or that the asker may not see. */
  readonly unknownNode?: string;
  /** Said to who sees the node and may no more; undefined where he may. */
  readonly contact?: string;
  /** Said to somebody who is not a contact. */
  readonly stranger?: string;
  /** Done first, as the same person, in the same namespace; `$id` in `attrs` is what it answers as its snifferId. */
  readonly before?: readonly Operation[];
}

const bad = "modify bad-request";
const notFound = "cancel item-not-found";
const forbidden = "auth forbidden";

const nodeKinds = { id: "identifier", src: "identifier", pt: "identifier" } as const;
const tokenKinds = {} as const;
const detailKinds = { parameters: "boolean", messages: "boolean" } as const;

const one = (name: string, type: "get" | "set", more: Partial<Operation> = {}): Operation => ({
  family: "concentrator",
  name,
  types: [type],
  where: "attributes",
  nodes: ["own"],
  ...more,
  attrs: { ...more.attrs },
  needed: ["id", ...(more.needed ?? [])],
  kinds: { ...nodeKinds, ...tokenKinds, ...more.kinds },
});
const several = (name: string, types: readonly ("get" | "set")[], more: Partial<Operation> = {}): Operation => ({
  family: "concentrator",
  name,
  types,
  where: "children",
  nodes: ["own", "beside"],
  noNodes: bad,
  nodesMax: 10_000,
  attrs: {},
  needed: [],
  kinds: {},
  ...more,
});
const plain = (
  family: Operation["family"],
  name: string,
  types: Operation["types"],
  more: Partial<Operation> = {},
) => ({
  family,
  name,
  types,
  attrs: {},
  needed: [],
  kinds: {},
  ...more,
});

const edited: FormRow = {
  valid: { Name: "Another name", fields: "7" },
  wrong: [
    ["fields", "501"],
    ["fields", "0"],
    ["fields", "many"],
    ["latencyMs", "-1"],
    ["failing", "sometimes"],
    ["LAT", "90.5"],
    ["LAT", "INF"],
    ["Name", "x".repeat(129)],
    ["NodeId", ""],
    ["NodeId", "beside"],
    ["NodeId", "x".repeat(1_025)],
    ["HistoryDays", "1e3"],
    ["Registered", "perhaps"],
  ],
  needed: [],
  fault: "modify not-acceptable",
  unknown: "modify not-acceptable",
  cancelled: "",
  missing: bad,
};
const logged: FormRow = {
  ...edited,
  valid: { type: "Warning", text: "Look at this" },
  wrong: [
    ["type", "Catastrophe"],
    ["text", ""],
    ["text", "x".repeat(1_025)],
  ],
  needed: ["text"],
};
const command = { needed: ["command"], attrs: { command: "LogMessage" }, kinds: { command: "identifier" } } as const;
const query = {
  attrs: { command: "ReadNow", queryId: "q1" },
  needed: ["command", "queryId"],
  kinds: { command: "identifier", queryId: "identifier" },
} as const;
/** One that does not end by itself. */
const listening = { ...query, nodes: ["tap"], attrs: { command: "Listen", queryId: "q1" } } as const;
const eventKinds = {
  nodeAdded: "boolean",
  nodeUpdated: "boolean",
  nodeStatusChanged: "boolean",
  nodeRemoved: "boolean",
  nodeMovedUp: "boolean",
  nodeMovedDown: "boolean",
} as const;

const executeNodeQuery = one("executeNodeQuery", "set", { ...query, contact: forbidden });
const executeCommonNodeQuery = several("executeCommonNodeQuery", ["get", "set"], {
  ...query,
  nodesMax: 100,
  contact: forbidden,
});
const registerSniffer = one("registerSniffer", "set", {
  nodes: ["tap"],
  kinds: { expires: "dateTime" },
  contact: forbidden,
});

const concentrator: readonly Operation[] = [
  ...["getCapabilities", "getAllDataSources", "getRootDataSources"].map(name => plain("concentrator", name, ["get"])),
  plain("concentrator", "getChildDataSources", ["get"], {
    where: "source",
    attrs: { src: "MeteringTopology" },
    needed: ["src"],
    kinds: { src: "identifier" },
  }),
  one("containsNode", "get", { kinds: { id: "text" }, unknownNode: "" }),
  several("containsNodes", ["get"], { noNodes: "", unknownNode: "" }),
  one("getNode", "get", { kinds: detailKinds }),
  several("getNodes", ["get"], { noNodes: "", kinds: detailKinds }),
  plain("concentrator", "getAllNodes", ["get"], {
    where: "source",
    kinds: { src: "identifier", ...detailKinds },
    wrongInside: [
      ["<onlyIfDerivedFrom/>", bad],
      ["<onlyIfDerivedFrom>   </onlyIfDerivedFrom>", bad],
      ["<onlyIfDerivedFrom>no.such</onlyIfDerivedFrom>", notFound],
    ],
  }),
  plain("concentrator", "getRootNodes", ["get"], { where: "source", kinds: { src: "identifier", ...detailKinds } }),
  one("getChildNodes", "get", { nodes: ["attic"], kinds: detailKinds }),
  one("getAncestors", "get", { kinds: detailKinds }),
  one("getNodeInheritance", "get"),
  one("getNodeParametersForEdit", "get", { contact: forbidden }),
  one("setNodeParametersAfterEdit", "set", { nodes: ["hidden"], form: edited, contact: forbidden }),
  several("getCommonNodeParametersForEdit", ["get"], { contact: forbidden }),
  several("setCommonNodeParametersAfterEdit", ["set"], {
    nodes: ["hidden", "beside"],
    form: { ...edited, valid: { fields: "7" } },
    contact: forbidden,
  }),
  one("getAddableNodeTypes", "get", { nodes: ["attic"], contact: forbidden }),
  one("getParametersForNewNode", "get", {
    nodes: ["attic"],
    attrs: { type: "sim.meter" },
    needed: ["type"],
    kinds: { type: "identifier" },
    contact: forbidden,
  }),
  one("createNewNode", "set", {
    nodes: ["attic"],
    attrs: { type: "sim.meter" },
    needed: ["type"],
    kinds: { type: "identifier" },
    form: { ...edited, valid: { NodeId: "new", fields: "7" }, needed: ["NodeId"] },
    contact: forbidden,
  }),
  one("destroyNode", "set", { nodes: ["beside"], contact: forbidden }),
  one("moveNodeUp", "set", { nodes: ["beside"], contact: forbidden }),
  one("moveNodeDown", "set", { contact: forbidden }),
  several("moveNodesUp", ["set"], { nodes: ["beside", "hidden"], contact: forbidden }),
  several("moveNodesDown", ["set"], { nodes: ["own", "hidden"], contact: forbidden }),
  one("getNodeCommands", "get"),
  one("getCommandParameters", "get", { ...command, contact: forbidden }),
  one("executeNodeCommand", "set", { ...command, form: logged, contact: forbidden }),
  executeNodeQuery,
  one("abortNodeQuery", "set", { ...listening, before: [one("executeNodeQuery", "set", listening)] }),
  several("getCommonNodeCommands", ["get"], { nodesMax: 100 }),
  several("getCommonCommandParameters", ["get"], { ...command, nodesMax: 100, contact: forbidden }),
  several("executeCommonNodeCommand", ["get", "set"], { ...command, nodesMax: 100, form: logged, contact: forbidden }),
  executeCommonNodeQuery,
  several("abortCommonNodeQuery", ["set"], {
    ...listening,
    nodesMax: 100,
    before: [several("executeCommonNodeQuery", ["set"], listening)],
  }),
  plain("concentrator", "subscribe", ["set"], {
    where: "source",
    attrs: { ttl: "60" },
    needed: ["ttl"],
    kinds: { src: "identifier", ttl: "seconds", getEventsSince: "dateTime", ...detailKinds, ...eventKinds },
  }),
  plain("concentrator", "unsubscribe", ["set"], { where: "source", kinds: { src: "identifier", ...eventKinds } }),
  registerSniffer,
  one("unregisterSniffer", "set", {
    nodes: ["tap"],
    attrs: { snifferId: "$id" },
    needed: ["snifferId"],
    kinds: { snifferId: "identifier" },
    before: [registerSniffer],
  }),
];

const categories = {
  m: "boolean",
  p: "boolean",
  s: "boolean",
  c: "boolean",
  i: "boolean",
  h: "boolean",
  all: "boolean",
} as const;
const reading: readonly Operation[] = [
  several("req", ["get", "set"], {
    family: "sensorData",
    attrs: { id: "r1", m: "true" },
    needed: ["id"],
    kinds: { id: "identifier", from: "dateTime", to: "dateTime", when: "dateTime", ...categories },
    inside: "<f n='Energy'/>",
    wrongInside: [
      ["<f/>", bad],
      ["<f n=''/>", bad],
    ],
    noNodes: "",
    contact: forbidden,
  }),
  plain("sensorData", "cancel", ["get", "set"], {
    attrs: { id: "r1" },
    needed: ["id"],
    kinds: { id: "identifier" },
  }),
  several("subscribe", ["get", "set"], {
    family: "events",
    attrs: { id: "s1", m: "true" },
    needed: ["id"],
    kinds: {
      id: "identifier",
      maxAge: "duration",
      minInt: "duration",
      maxInt: "duration",
      req: "boolean",
      ...categories,
    },
    inside: "<f n='Energy' by='1'/>",
    wrongInside: [
      ["<f/>", bad],
      ["<f n='Energy' by='0'/>", bad],
      ["<f n='Energy' up='-1'/>", bad],
      ["<f n='Energy' dn='NaN'/>", bad],
      ["<f n='Energy' v='warm'/>", bad],
    ],
    noNodes: "",
    contact: forbidden,
  }),
  plain("events", "unsubscribe", ["get", "set"], {
    attrs: { id: "s1" },
    needed: ["id"],
    kinds: { id: "identifier" },
    before: [several("subscribe", ["get"], { family: "events", attrs: { id: "s1", m: "true" }, noNodes: "" })],
  }),
];

const setPoint = "<db n='Set Point' v='21.5'/>";
const controlling: readonly Operation[] = [
  several("set", ["set"], {
    family: "control",
    nodes: ["hidden", "beside"],
    inside: setPoint,
    wrongInside: [
      ["", bad],
      ["<db n='Set Point'/>", bad],
      ["<db v='20'/>", bad],
      ["<db n='Set Point' v='warm'/>", bad],
      ["<db n='Set Point' v='30.5'/>", bad],
      ["<db n='Set Point' v='-1e300'/>", bad],
      ["<s n='Set Point' v='20'/>", bad],
      ["<b n='Set Point' v='true'/>", bad],
      ["<cl n='Set Point' v='FFFFFF'/>", bad],
      ["<e n='Set Point' v='20'/>", bad],
      ["<i n='Set Point' v='99999999999'/>", bad],
      ["<zz n='Set Point' v='20'/>", bad],
      [`${setPoint}${setPoint}`, bad],
      ["<db n='No Such' v='20'/>", notFound],
      [`${setPoint}<db n='No Such' v='20'/>`, notFound],
      [`${setPoint}<b n='Silent' v='perhaps'/>`, bad],
    ],
    contact: forbidden,
  }),
  several("getForm", ["get"], { family: "control", nodes: ["hidden", "beside"], contact: forbidden }),
];

const unread = { from: registry, stranger: forbidden, where: "attributes", nodes: ["own"] } as const;
/** The registry names a thing whole. */
const attic = { attrs: { pt: "attic" } } as const;
const addressKinds = { id: "text", src: "text", pt: "text" } as const;
const ofDiscovery: readonly Operation[] = [
  plain("discovery", "claimed", ["set"], {
    ...unread,
    nodes: ["beside"],
    attrs: { pt: "attic", jid: "new@city.example" },
    needed: ["jid"],
    kinds: { ...addressKinds, jid: "jid", public: "boolean" },
  }),
  plain("discovery", "removed", ["set"], { ...unread, ...attic, nodes: ["beside"], kinds: addressKinds }),
  plain("discovery", "disowned", ["set"], { ...unread, ...attic, kinds: addressKinds }),
];
const told: readonly Operation[] = [
  ...ofDiscovery,
  ...ofDiscovery.map(one => ({
    ...one,
    family: oldDiscoveryNs,
    spelt: { id: "nodeId", src: "sourceId", pt: "cacheType" },
  })),
  // What it names need not be there: of what is not known nothing is remembered.
  plain("provisioningDevice", "clearCache", ["set"], {
    from: registry,
    stranger: forbidden,
    attrs: { id: "own" },
    kinds: addressKinds,
  }),
];

const dynamic = "urn:xmpp:xdata:dynamic";
const form = (session: string) =>
  `<x xmlns='jabber:x:data' type='submit'><field var='xdd session'><value>${session}</value></field></x>`;
const wrongForms: Operation["wrongInside"] = [
  ["", bad],
  [form("none"), notFound],
  [form("").replace("submit", "form"), bad],
  [form("") + form(""), bad],
  ["<x xmlns='jabber:x:data'/>", bad],
];
/** The account itself: in whose name the broker tells what its lists hold. */
export const broker = "gw@city.example";

const others: readonly Operation[] = [
  ...["urn:nfi:iot:hi:1.0", "urn:xmpp:iot:interoperability"].map(ns =>
    plain(ns, "getInterfaces", ["get"], {
      where: "attributes",
      nodes: ["own"],
      kinds: nodeKinds,
    }),
  ),
  plain("synchronization", "req", ["get"]),
  plain("synchronization", "sourceReq", ["get"], { taken: notFound }),
  ...(["submit", "cancel"] as const).map(name =>
    plain(dynamic, name, ["set"], { inside: form("$session"), wrongInside: wrongForms }),
  ),
  plain("http://jabber.org/protocol/disco#info", "query", ["get"], { kinds: { node: "text" } }),
  plain("http://jabber.org/protocol/disco#items", "query", ["get"], { kinds: { node: "text" } }),
  plain("urn:xmpp:ping", "ping", ["get"]),
  // Of nobody's token nothing is told, not even that.
  plain("provisioningTokens", "tokenChallenge", ["get"], {
    attrs: { token: `${registry}:abcdefghijklmnopqrstuvwxyz012345` },
    needed: ["token"],
    kinds: { token: "text", hops: "count" },
    inside: "AQID",
    wrongInside: [
      ["", bad],
      ["not base64!", bad],
      ["<a/>", bad],
    ],
    taken: "cancel forbidden",
  }),
  ...["block", "unblock"].map(name =>
    plain("urn:xmpp:blocking", name, ["set"], {
      from: broker,
      stranger: forbidden,
      inside: "<item jid='somebody@elsewhere.example'/>",
      wrongInside: [["<item/>", bad]],
    }),
  ),
  plain("jabber:iq:roster", "query", ["set"], {
    from: broker,
    stranger: forbidden,
    inside: "<item jid='somebody@city.example' subscription='both'/>",
    wrongInside: [
      ["<item/>", bad],
      ["<item jid='a@b' subscription='all'/>", bad],
    ],
  }),
];

export const operations: readonly Operation[] = [...concentrator, ...reading, ...controlling, ...told, ...others];

export const namespacesOf = ({ family }: Operation): readonly string[] =>
  family.includes(":") ? [family] : namespaces(family as Family);

const families = [
  "concentrator",
  "sensorData",
  "events",
  "control",
  "discovery",
  "provisioningDevice",
  "provisioningOwner",
  "provisioningTokens",
  "synchronization",
  "softwareUpdates",
] as const satisfies readonly Family[];

/** The family of a namespace, or itself. */
export const familyOf = (ns: string): string => families.find(one => generationOf(one, ns) !== undefined) ?? ns;

export const nd = (id: string, src = "MeteringTopology", pt = ""): string =>
  `<nd id='${id}'${src === "" ? "" : ` src='${src}'`}${pt === "" ? "" : ` pt='${pt}'`}/>`;

export const formOf = (
  answers: Readonly<Record<string, string>> | readonly (readonly [string, string])[],
  type = "submit",
) =>
  `<x xmlns='jabber:x:data'${type === "" ? "" : ` type='${type}'`}>${(Array.isArray(answers)
    ? answers
    : Object.entries(answers)
  )
    .map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`)
    .join("")}</x>`;

/** What of a request is otherwise than in the one that is taken. */
export interface Change {
  readonly attrs?: Readonly<Record<string, string | undefined>>;
  readonly nodes?: readonly string[];
  readonly src?: string;
  /** Instead of the `nd`. */
  readonly nds?: string;
  readonly inside?: string;
  readonly form?: string;
}

/** The request as XML. */
export function requestOf(one: Operation, ns: string, change: Change = {}): string {
  const nodes = change.nodes ?? one.nodes ?? [];
  const src = change.src ?? "MeteringTopology";
  const named = one.where === "attributes" && nodes[0] !== undefined ? { id: nodes[0], src } : {};
  const source = one.where === "source" && change.src !== undefined ? { src } : {};
  const attrs = Object.entries({ ...one.attrs, ...named, ...source, ...change.attrs })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${one.spelt?.[name] ?? name}='${value}'`)
    .join("");
  const nds = one.where === "children" ? (change.nds ?? nodes.map(id => nd(id, src)).join("")) : "";
  const inside = change.inside ?? one.inside ?? "";
  const submitted = change.form ?? (one.form === undefined ? "" : formOf(one.form.valid));
  return `<${one.name} xmlns='${ns}'${attrs}>${nds}${inside}${submitted}</${one.name}>`;
}

/** Values an attribute may not have, by what is expected of it. */
export const malformed: Readonly<Record<Kind, readonly string[]>> = {
  identifier: ["x".repeat(1_025)],
  text: ["x".repeat(1_025)],
  count: ["-1", "1.5", "many", "99999999999"],
  boolean: ["maybe", "2", "tr ue"],
  dateTime: ["yesterday", "2031-02-30T00:00:00Z", "2031-13-01T00:00:00Z", "12"],
  duration: ["5", "P", "-PT5S", "PT1X", "PT"],
  seconds: ["0", "-1", "1.5", "many", "99999999999999999999"],
  category: ["maybe"],
  jid: ["a b", "@", "x".repeat(4_000)],
};

export { bad, contact, forbidden, namespace, notFound, owner, tenant };
