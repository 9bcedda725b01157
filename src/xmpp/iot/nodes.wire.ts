// Looking at a concentrator: Concentrator.xsd, capabilities, data sources and node lookup (sections 1 to 4 of the
// concentrator interface). Requests and answers in pairs, as both sides use them.

import type { DisplayParameter, NodeMessage, NodeRef, NodeState } from "#contract/node.ts";
import {
  attr,
  attrOr,
  body,
  type Codec,
  content,
  element,
  group,
  many,
  mapped,
  maybe,
  one,
  optional,
  type Part,
  type ShapeValue,
  type Value,
} from "#xml/codec.ts";
import { elements, noAttributes } from "#xml/element.ts";
import {
  boolean,
  color,
  dateTime,
  double,
  duration,
  identifier,
  int32,
  int64,
  oneOf,
  type Scalar,
  text,
  time,
} from "#xml/scalars.ts";
import { boundedText, nodeAttributes, nodeElement, tokens } from "./address.wire.ts";

/** Whether displayed parameters and messages are wanted: each its own choice (CON-GETNODE-02). */
const details = group({
  parameters: attrOr("parameters", boolean, false),
  messages: attrOr("messages", boolean, false),
});
export interface Details {
  readonly parameters: boolean;
  readonly messages: boolean;
}

const trimmed: Scalar<string> = { parse: value => identifier.parse(value.trim()), format: value => value };

// Requests. Where the source may be left out it is "", the default source (COM-ID-02).
export const getCapabilities = element("getCapabilities", { tokens });
export const getAllDataSources = element("getAllDataSources", { tokens });
export const getRootDataSources = element("getRootDataSources", { tokens });
export const getChildDataSources = element("getChildDataSources", { sourceId: attr("src", identifier), tokens });

/** Asking for the empty id is no error: there is no such node (CON-HAS-01). */
const askedNode = {
  nodeId: attr("id", boundedText),
  sourceId: attrOr("src", identifier, ""),
  partition: attrOr("pt", identifier, ""),
};
export type AskedRef = ShapeValue<typeof askedNode>;
export const containsNode = element("containsNode", { ref: group(askedNode), tokens });
export const containsNodes = element("containsNodes", { refs: many(element("nd", askedNode)), tokens });

export const getNode = element("getNode", { ref: nodeAttributes, details, tokens });
export const getNodes = element("getNodes", { refs: many(nodeElement), details, tokens });
export const getAllNodes = element("getAllNodes", {
  sourceId: attrOr("src", identifier, ""),
  types: many(content("onlyIfDerivedFrom", body(trimmed))),
  details,
  tokens,
});
export const getRootNodes = element("getRootNodes", { sourceId: attrOr("src", identifier, ""), details, tokens });
export const getChildNodes = element("getChildNodes", { ref: nodeAttributes, details, tokens });
export const getAncestors = element("getAncestors", { ref: nodeAttributes, details, tokens });
export const getNodeInheritance = element("getNodeInheritance", { ref: nodeAttributes, tokens });

// Answers.
const value = content("value", body(text));
export const strings = content("strings", many(value));

export const dataSource = element("dataSource", {
  sourceId: attr("src", text),
  name: attr("name", text),
  hasChildren: attrOr("hasChildren", boolean, false),
  lastChanged: optional("lastChanged", dateTime),
});
export type DataSource = Value<typeof dataSource>;
export const dataSources = content("dataSources", many(dataSource));

export const bool: Codec<boolean> = content("bool", body(boolean));
export const bools = content("bools", many(bool));

export const inheritance = element("inheritance", {
  baseClasses: one(content("baseClasses", many(value))),
  interfaces: maybe(content("interfaces", many(value))),
});
export type Inheritance = Value<typeof inheritance>;

type ParameterValue = DisplayParameter["value"];

const parameterValues: Readonly<Record<ParameterValue["kind"], Scalar<never>>> = {
  boolean: boolean as Scalar<never>,
  color: color as Scalar<never>,
  dateTime: dateTime as Scalar<never>,
  double: double as Scalar<never>,
  duration: duration as Scalar<never>,
  int: int32 as Scalar<never>,
  long: int64 as Scalar<never>,
  string: text as Scalar<never>,
  time: time as Scalar<never>,
};
const isKind = (name: string): name is ParameterValue["kind"] => Object.hasOwn(parameterValues, name);

/** boolean, color, … string: the element name is the kind. */
const parameters: Part<readonly DisplayParameter[]> = {
  read: (node, path) =>
    elements(node)
      .filter(child => child.ns === node.ns && isKind(child.name))
      .map((child, index) => {
        const kind = child.name as ParameterValue["kind"];
        const { id, name, value } = parameterShape(kind).read(child, `${path}/${kind}[${index + 1}]`);
        return { id, name, value: { kind, value } as ParameterValue };
      }),
  write(items, into, ns) {
    for (const { id, name, value } of items) {
      const draft = { attrs: noAttributes(), children: [] };
      parameterShape(value.kind).write({ id, name, value: value.value as never }, draft, ns);
      into.children.push({ name: value.kind, ns, attrs: draft.attrs, children: draft.children });
    }
  },
};

const parameterShape = (kind: ParameterValue["kind"]) =>
  group({ id: attr("id", text), name: attr("name", text), value: attr("value", parameterValues[kind]) });

export const message: Codec<NodeMessage> = element("message", {
  at: attr("timestamp", dateTime),
  type: attr("type", oneOf("Error", "Warning", "Information")),
  eventId: attrOr("eventId", text, ""),
  text: body(text),
});

/** The parent is in the node's own source. Absent on roots and where the caller may not see it. */
const parent: Part<{ nodeId: string; partition: string } | undefined> = mapped(
  group({ nodeId: optional("parentId", text), partition: attrOr("parentPartition", text, "") }),
  ({ nodeId, partition }) => (nodeId === undefined ? undefined : { nodeId, partition }),
  value => value ?? { nodeId: undefined, partition: "" },
);

export const nodeState: Scalar<NodeState> = oneOf(
  "None",
  "Information",
  "WarningSigned",
  "WarningUnsigned",
  "ErrorSigned",
  "ErrorUnsigned",
);

export interface NodeInfoOnWire {
  readonly ref: NodeRef;
  readonly localId: string | undefined;
  readonly logId: string | undefined;
  readonly displayName: string | undefined;
  readonly nodeType: string | undefined;
  readonly state: NodeState;
  readonly hasChildren: boolean;
  readonly childrenOrdered: boolean;
  readonly isReadable: boolean;
  readonly isControllable: boolean;
  readonly hasCommands: boolean;
  readonly sniffable: boolean;
  readonly parent: { readonly nodeId: string; readonly partition: string } | undefined;
  readonly lastChanged: number | undefined;
  readonly parameters: readonly DisplayParameter[];
  readonly messages: readonly NodeMessage[];
}

export const nodeInfo: Codec<NodeInfoOnWire> = element("nodeInfo", {
  ref: nodeAttributes,
  localId: optional("localId", text),
  logId: optional("logId", text),
  displayName: optional("displayName", text),
  nodeType: optional("nodeType", text),
  state: attr("state", nodeState),
  hasChildren: attr("hasChildren", boolean),
  childrenOrdered: attrOr("childrenOrdered", boolean, false),
  isReadable: attrOr("isReadable", boolean, false),
  isControllable: attrOr("isControllable", boolean, false),
  hasCommands: attrOr("hasCommands", boolean, false),
  sniffable: attrOr("sniffable", boolean, false),
  parent,
  lastChanged: optional("lastChanged", dateTime),
  parameters,
  messages: many(message),
});
export const nodeInfos = content("nodeInfos", many(nodeInfo));
