// The words of a label, row by row, with their sizes to each other; and what is left out first where there is little room.

import type { LabelFace } from "./face.ts";
import type { Weight } from "./fonts.ts";
import { words } from "./words.ts";

export type Sentence = (english: string) => string;

export interface Row {
  readonly text: string;
  readonly weight: Weight;
  /** Size, and the smallest it shrinks to before it is broken or cut, to the unit. */
  readonly em: number;
  readonly emMin: number;
  readonly linesMax: number;
  /** Broken or cut only where the words would be small otherwise. */
  readonly keepsWhole: boolean;
  /** White above it. */
  readonly gapEm: number;
}

/** What can be left out, first what is missed least. Name, serial number and state always stand there. */
const leftOut = ["address", "model", "longName", "registry", "caption", "room"] as const;

/** `step` of these are left out; no row is left when `step` is more than there are. */
export function rowsOf(face: LabelFace, step: number, say: Sentence): Row[] {
  if (step > leftOut.length) return [];
  const shows = (what: (typeof leftOut)[number]) => leftOut.indexOf(what) >= step;
  const { nodeId } = face.ref;
  const large = face.serial || nodeId;
  const room = face.room === "" ? "" : `${say(words.room)}: ${face.room}`;
  const caption = large === "" ? "" : say(face.serial === "" ? words.node : words.serial);
  const rows: readonly (Row | false)[] = [
    row(face.name, { weight: "bold", em: 1.15, linesMax: shows("longName") ? 2 : 1, keepsWhole: false }),
    shows("caption") && row(caption, { em: 0.8, gapEm: 0.25 }),
    row(large, { weight: "bold", em: 2.4, emMin: 1.15, linesMax: 2, gapEm: shows("caption") ? 0 : 0.15 }),
    shows("model") && row(face.model, { linesMax: 2 }),
    shows("room") && row(room, { linesMax: 2 }),
    shows("address") && face.address !== large && row(face.address),
    row(say(words[face.state]), { weight: "bold", em: 0.95, linesMax: 2, gapEm: 0.25 }),
    shows("registry") && row(face.registry, { em: 0.85 }),
  ];
  return rows.filter(one => one !== false);
}

const row = (text: string, as: Partial<Row> = {}): Row | false =>
  text !== "" && { text, weight: "regular", em: 1, emMin: 0.8, linesMax: 1, keepsWhole: true, gapEm: 0, ...as };
