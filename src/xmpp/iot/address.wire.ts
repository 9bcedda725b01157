// How nodes are named and evidence is carried, alike in all interfaces: the attribute groups nodeIdentity and tokens of
// SensorData.xsd, Control.xsd, Concentrator.xsd and their siblings.

import type { Tokens } from "#contract/caller.ts";
import type { NodeRef } from "#contract/node.ts";
import { attr, attrOr, type Codec, element, group, mapped, optional, type Part } from "#xml/codec.ts";
import { identifier, type Scalar, ScalarError, words } from "#xml/scalars.ts";

const nodeShape = {
  nodeId: attr("id", identifier),
  sourceId: attrOr("src", identifier, ""),
  partition: attrOr("pt", identifier, ""),
};

/** `id` (required), `src`, `pt` on an element: the triple. */
export const nodeAttributes: Part<NodeRef> = group(nodeShape);

/** `nd`: one node of a list. */
export const nodeElement: Codec<NodeRef> = element("nd", nodeShape);

/** An identifier that may be empty, where the interface gives emptiness a meaning of its own; still bounded (COM-LEX-08). */
export const boundedText: Scalar<string> = {
  parse(value) {
    if (value.length > 1024) throw new ScalarError("longer than 1024 characters");
    return value;
  },
  format: value => value,
};

const wordList = (attribute: string): Part<readonly string[]> =>
  mapped(
    optional(attribute, words),
    value => value ?? [],
    value => (value.length === 0 ? undefined : value),
  );

/** `st`, `dt`, `ut`: blank-separated lists, absent when empty. */
export const tokens: Part<Tokens> = group({ service: wordList("st"), device: wordList("dt"), user: wordList("ut") });
