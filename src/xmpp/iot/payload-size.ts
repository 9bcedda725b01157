// How large a payload of ours may be, for every face: what the broker takes in one stanza, less what is around it. What is sent in
// parts is cut smaller than that, so that one answer does not hold up the others (COM-STZ-09).

import { envelopeBytesMax, fragmentBytesMax, stanzaBytesMax } from "#limits.ts";

export interface Outgoing {
  /** What the broker takes in one stanza; limits.stanzaBytesMax where nothing is said. */
  readonly stanzaBytes?: (() => number) | undefined;
}

/** Bytes of a payload that cannot be cut. */
export const payloadBytesOf = ({ stanzaBytes }: Outgoing): number =>
  (stanzaBytes?.() ?? stanzaBytesMax) - envelopeBytesMax;

/** Bytes of one part of what is cut. */
export const partBytesOf = ({ stanzaBytes }: Outgoing): number =>
  Math.min(fragmentBytesMax, stanzaBytes?.() ?? stanzaBytesMax) - envelopeBytesMax;
