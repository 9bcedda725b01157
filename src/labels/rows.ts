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
  /** White above it. */
  readonly gapEm: number;
}

/** What can be left out, first what is missed least. Name, serial number and state always stand there. */
const leftOut = ["address", "model", "longName", "registry", "caption", "room"] as const;

/** `step` of these are left out; none is left when `step` is more than there are. */
export function rowsOf(face: LabelFace, step: number, say: Sentence): Row[] {
  if (step > leftOut.length) return [];
  const shows = (what: (typeof leftOut)[number]) => leftOut.indexOf(what) >= step;
  const nodeId = face.address.replace(/ \(.*\)$/, "");
  const large = face.serial || nodeId;
  const rows: (Row | undefined)[] = [
    line(face.name, { weight: "bold", em: 1.15, linesMax: shows("longName") ? 2 : 1 }),
    shows("caption") && large !== "" ? line(say(face.serial === "" ? words.node : words.serial), small) : undefined,
    line(large, { weight: "bold", em: 2.4, emMin: 1.15, linesMax: 2, gapEm: shows("caption") ? 0 : 0.15 }),
    shows("model") ? line(face.model) : undefined,
    shows("room") && face.room !== "" ? line(`${say(words.room)}: ${face.room}`) : undefined,
    shows("address") && face.serial !== "" ? line(face.address) : undefined,
    line(say(words[face.state]), { weight: "bold", em: 0.95, linesMax: 2, gapEm: 0.25 }),
    shows("registry") ? line(face.registry, { em: 0.85, emMin: 0.85 }) : undefined,
  ];
  return rows.filter(row => row !== undefined);
}

const small: Partial<Row> = { em: 0.8, gapEm: 0.25 };

const line = (text: string, as: Partial<Row> = {}): Row | undefined =>
  text === ""
    ? undefined
    : { text, weight: "regular", em: 1, emMin: Math.min(as.em ?? 1, 0.85), linesMax: 1, gapEm: 0, ...as };
