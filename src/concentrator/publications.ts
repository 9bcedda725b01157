// Which nodes publish their values, and to whom, as it survives a power cut: the port between publishing.ts, the store and the
// pubsub service. Types only.

import type { Reading } from "./contract/field.ts";
import type { NodeRef } from "./contract/node.ts";

export interface Publication {
  readonly node: NodeRef;
  /** The owner who enabled it; it ends with his ownership (PUB-GEN-01). Bare, normalised. */
  readonly by: string;
  /** Bare JIDs he named; each reads as long as he may read the node unrestricted (PUB-NODE-03). */
  readonly readers: readonly string[];
  /** Not more often than this. */
  readonly minSeconds: number;
  /** And at least this often. */
  readonly maxSeconds: number;
  /** A number that changed by less is no news; percent of the number published last. */
  readonly deadbandPercent: number;
}

/** Every write is on the disk when the call returns. */
export interface PublicationStore {
  all(): Publication[];
  put(publication: Publication): void;
  delete(node: NodeRef): void;
}

/** Where values are published. All throw when it cannot be done now; `Refusal` denied when the place belongs to somebody else. */
export interface PublishingPlace {
  /** Makes the place, or takes up our own again, and lets exactly these read it. */
  open(node: NodeRef, readers: readonly string[], signal: AbortSignal): Promise<void>;
  publish(node: NodeRef, readings: readonly Reading[], signal: AbortSignal): Promise<void>;
  /** One that is not there is no error. */
  close(node: NodeRef, signal: AbortSignal): Promise<void>;
}
