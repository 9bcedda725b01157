// The faces of the concentrator on the network, put together: what each serves, and who is told when a caller has left or has
// lost his consent. A new interface is one line here.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Concentrator } from "#concentrator/concentrator.ts";
import type { Languages } from "#contract/language.ts";
import { createClockFace } from "#iot/clock.ts";
import { createCommands } from "#iot/commands.ts";
import { createControl } from "#iot/control.ts";
import { createDynamicForms } from "#iot/dynamic-forms.ts";
import { createEditing } from "#iot/editing.ts";
import { createEvents } from "#iot/events.ts";
import { createHarmonized } from "#iot/harmonized.ts";
import { createNodes } from "#iot/nodes.ts";
import { createSensorData } from "#iot/sensor-data.ts";
import { createSniffers } from "#iot/sniffers.ts";
import { createSourceEvents } from "#iot/source-events.ts";
import type { Element } from "#xml/element.ts";
import type { MessageRoute, Route } from "#xmpp/router.ts";

/** One interface, or a part of one, as it is served. */
export interface Face {
  readonly routes: readonly Route[];
  readonly messages?: readonly MessageRoute[];
  /** This full JID is not there any more, or a message to it bounced. */
  gone?(fullJid: string): void;
  /** This bare JID's consent was withdrawn. */
  withdrawn?(bareJid: string): void;
  /** What somebody may see or do is perhaps not what it was. */
  rightsChanged?(): void;
}

export interface FacesDeps {
  readonly concentrator: Concentrator;
  /** Sends a payload in a message to a full JID. Throws `Refusal` busy when the outbox is full. */
  readonly send: (to: string, payload: Element) => void;
  /** What the broker takes in one stanza. */
  readonly stanzaBytes: () => number;
  /** What people read is said in the language of who asked, where it leaves: `localize(caller.language, text)`. */
  readonly languages: Languages;
  /** Bare JID of the clock followed over XMPP. */
  readonly clockSource: () => string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export function createFaces(deps: FacesDeps): Required<Face> {
  const forms = createDynamicForms(deps);
  /** Those of the concentrator interface: its capabilities list what they serve. */
  const concentrating: readonly Face[] = [
    createEditing({ ...deps, forms }),
    createCommands(deps),
    createSniffers(deps),
    createSourceEvents(deps),
  ];
  const others: readonly Face[] = [
    createSensorData(deps),
    createEvents(deps),
    createControl({ ...deps, forms }),
    createClockFace({ ...deps, source: deps.clockSource }),
    createHarmonized(deps),
  ];
  const nodes = createNodes({ ...deps, others: concentrating.flatMap(({ routes }) => routes) });
  const faces: readonly Face[] = [nodes, forms, ...concentrating, ...others];
  return {
    routes: faces.flatMap(({ routes }) => routes),
    messages: faces.flatMap(({ messages }) => messages ?? []),
    gone(fullJid) {
      for (const face of faces) face.gone?.(fullJid);
    },
    withdrawn(bareJid) {
      for (const face of faces) face.withdrawn?.(bareJid);
    },
    rightsChanged() {
      deps.concentrator.rightsChanged();
      for (const face of faces) face.rightsChanged?.();
    },
  };
}
