// Things as an appliance tells of them, for tests of their labels.

import type { NodeRef } from "#contract/node.ts";
import { encodeClaim } from "#iot/iotdisco-encode.ts";
import { faceOf, type LabelFace, type LabelThing } from "#labels/face.ts";

export const registry = "things.house.example";

/** A meter that nobody owns; its KEY is made of the number. */
export function meter(number = 1, given: Partial<LabelThing> = {}): LabelThing {
  const ref: NodeRef = { nodeId: `heat-${number}`, sourceId: "MeteringTopology", partition: "attic" };
  const facts = { serial: String(66_120_000 + number), model: "Kamstrup MULTICAL 403", room: `Room ${number}` };
  return { ref, name: `Wärmezähler ${number}`, state: "registered", uri: uriOf(number), ...facts, ...given };
}

export const uriOf = (number: number, extra = ""): string =>
  encodeClaim(
    [
      { name: "CLASS", value: "HeatMeter" },
      { name: "SN", value: String(66_120_000 + number) },
      { name: "ROOM", value: `Room ${number}${extra}` },
      { name: "V", value: 2.1 },
    ],
    number.toString(16).padStart(64, "a"),
    registry,
  );

export const claimed = (number = 1, given: Partial<LabelThing> = {}): LabelThing =>
  meter(number, { state: "claimed", uri: undefined, ...given });

export const face = (thing: LabelThing): LabelFace => faceOf(thing, registry);
