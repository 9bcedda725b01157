// What stands on one label, taken from what the appliance tells of a thing. A thing that has an owner gets no code, whatever
// was told: nothing by which it could be claimed is ever printed.

import { createHash } from "node:crypto";
import { describeNode, type NodeRef, rootRef, sameNode } from "#contract/node.ts";
import { decodeUri } from "#iot/iotdisco.ts";
import type { LabelFacts } from "./facts.ts";

/** A thing as the appliance tells of it, over its socket or over the network. */
export interface LabelThing extends LabelFacts {
  readonly ref: NodeRef;
  readonly name: string;
  readonly state: "unregistered" | "registered" | "claimed";
  /** Its claim code; only while it is registered and nobody owns it. */
  readonly uri: string | undefined;
}

export interface LabelFace extends LabelFacts {
  readonly ref: NodeRef;
  /** "heat-3 (attic)"; empty for the appliance itself. */
  readonly address: string;
  readonly name: string;
  readonly state: LabelThing["state"];
  readonly uri: string | undefined;
  /** Domain of the registry, empty when it is not known. */
  readonly registry: string;
}

/** Throws `IotdiscoError` where the code is none. */
export function faceOf({ ref, name, serial, model, room, state, uri }: LabelThing, registry: string): LabelFace {
  const code = state === "registered" && uri !== undefined ? decodeUri(uri) : undefined;
  const isClaim = code?.kind === "claim";
  return {
    ref,
    address: sameNode(ref, rootRef) ? "" : describeNode(ref),
    name,
    serial,
    model,
    room,
    state,
    uri: isClaim ? uri : undefined,
    registry: (isClaim ? code.registry : undefined) ?? registry,
  };
}

/** Tells two codes apart, and two labels; says nothing of what is in them. */
export const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex");
/** Of all that stands on it but the code. */
export const wordsDigest = ({ address, name, serial, model, room, state, registry }: LabelFace): string =>
  digestOf(JSON.stringify([address, name, serial, model, room, state, registry]));
