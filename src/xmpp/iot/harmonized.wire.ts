// Which harmonized interfaces a node has: HarmonizedInterfaces.xsd, and the older element of the same purpose. There is one
// generation of each.

import type { NodeRef } from "#contract/node.ts";
import { attr, attrOr, content, element, group, many, mapped } from "#xml/codec.ts";
import { identifier, text } from "#xml/scalars.ts";
import { tokens } from "./address.wire.ts";

/** Without an id the concentrator itself is meant. */
const node = mapped(
  group({
    nodeId: attrOr("id", identifier, ""),
    sourceId: attrOr("src", identifier, ""),
    partition: attrOr("pt", identifier, ""),
  }),
  (ref): NodeRef | undefined => (ref.nodeId === "" ? undefined : ref),
  ref => ref ?? { nodeId: "", sourceId: "", partition: "" },
);

export const getInterfaces = element("getInterfaces", { node, tokens });

export const interfaces = content("interfaces", many(content("interface", attr("ref", text))));
/** The older answer, with the same URIs. */
export const olderInterfaces = content("getInterfacesResponse", many(content("interface", attr("name", text))));
