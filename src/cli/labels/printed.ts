// Which labels were made, when, and what stood on them: so that one knows which are out of date. Only digests are kept; no
// code can be made of them.

import { mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import * as z from "zod";
import { nodeKey } from "#contract/node.ts";
import { digestOf, type LabelFace, wordsDigest } from "#labels/face.ts";
import { createOutputFiles } from "#labels/output-file.ts";

/** never: none was made · current · code: its code is worth nothing any more · claimed: somebody owns it since · words. */
export type LabelState = "never" | "current" | "code" | "claimed" | "words";

export interface Printed {
  stateOf(face: LabelFace): LabelState;
  /** Milliseconds since 1970, undefined for never. */
  madeAt(face: LabelFace): number | undefined;
  /** These were made now; `all` are those there are, the others are forgotten. */
  made(faces: readonly LabelFace[], all: readonly LabelFace[], at: number): void;
}

const schema = z.object({
  version: z.literal(1),
  labels: z.record(z.string(), z.object({ at: z.iso.datetime(), code: z.string().optional(), words: z.string() })),
});
type Labels = z.output<typeof schema>["labels"];

/** In this file, made when it is needed. A damaged one counts as none: then labels are out of date. */
export function openPrinted(file: string): Printed {
  let labels = read(file);
  const of = (face: LabelFace) => labels[keyOf(face)];
  return {
    stateOf(face) {
      const known = of(face);
      if (known === undefined) return "never";
      if (known.code !== codeOf(face)) return face.state === "claimed" ? "claimed" : "code";
      return known.words === wordsDigest(face) ? "current" : "words";
    },
    madeAt: face => {
      const at = of(face)?.at;
      return at === undefined ? undefined : Date.parse(at);
    },
    made(faces, all, at) {
      const present = new Set(all.map(keyOf));
      const time = new Date(at).toISOString();
      const fresh = faces.map(face => {
        const code = codeOf(face);
        return [keyOf(face), { at: time, words: wordsDigest(face), ...(code === undefined ? {} : { code }) }] as const;
      });
      labels = {
        ...Object.fromEntries(Object.entries(labels).filter(([key]) => present.has(key))),
        ...Object.fromEntries(fresh),
      };
      makeFolder(dirname(file));
      using files = createOutputFiles(true);
      files.open(file)(Buffer.from(`${JSON.stringify({ version: 1, labels })}\n`));
      files.commit();
    },
  };
}

const keyOf = ({ ref }: LabelFace): string => nodeKey(ref).replaceAll("\u0000", " ");
const codeOf = ({ uri }: LabelFace): string | undefined => (uri === undefined ? undefined : digestOf(uri));

function read(file: string): Labels {
  try {
    return schema.parse(JSON.parse(readFileSync(file, "utf8"))).labels;
  } catch {
    return {};
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch {
    // Why it is not there is said when the file cannot be written.
  }
}
