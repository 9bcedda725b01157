// The text of a profile to the profile, or to its faults: each with line and column, what is expected and some advice, so that who
// writes one need not know how it is read.

import { type Document, isMap, isNode, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import type * as z from "zod";
import { profileBytesMax, profileFaultsMax } from "#limits.ts";
import { type ExampleResult, type ProfileHead, type ProfileKind, type Protocol, protocols } from "./profile.ts";
import { adviceForKey, nearest, sayIssue } from "./profile-words.ts";

export interface ProfileFault {
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** "fields[3].type"; empty for the whole file. */
  readonly place: string;
  readonly what: string;
  readonly advice?: string;
}

export type ReadProfile =
  | { readonly profile: ProfileHead; readonly examples: readonly PlacedResult[] }
  | { readonly faults: readonly ProfileFault[] };

/** The outcome of an example, and where it stands. */
export interface PlacedResult extends ExampleResult {
  readonly line: number;
  readonly column: number;
}

export type Kinds = { readonly [P in Protocol]?: ProfileKind };

/** Never throws, whatever the text is. Its examples are run, and may be wrong. */
export function readProfile(text: string, kinds: Kinds): ReadProfile {
  if (text.length > profileBytesMax) {
    return { faults: [at(1, 1, `the file is longer than ${profileBytesMax} octets: a profile is a page or two`)] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (document.errors.length > 0) {
    return {
      faults: document.errors.slice(0, profileFaultsMax).map(error => ({
        ...position(error.pos[0]),
        place: "",
        what: `this is no YAML: ${(error.message.split("\n")[0] ?? "").replace(/ at line.*$/, "")}`,
        advice: adviceOf(error.code),
      })),
    };
  }
  if (!isMap(document.contents)) {
    return {
      faults: [at(1, 1, "a profile is expected: lines of the form name: value", "isthmus profile show prints one")],
    };
  }
  const value = valueIn(document);
  if (value === undefined) return { faults: [at(1, 1, "its aliases (&, *) unfold to more than a profile can hold")] };
  const kind = kinds[value.protocol as Protocol];
  if (kind === undefined) {
    const node = document.get("protocol", true);
    const said =
      value.protocol === undefined ? "protocol is missing" : `${JSON.stringify(value.protocol)} is no protocol`;
    const advice = nearest(String(value.protocol ?? ""), protocols);
    return {
      faults: [
        {
          ...(isNode(node) && node.range ? position(node.range[0]) : { line: 1, column: 1 }),
          place: "protocol",
          what: `${said}; expected: ${protocols.join(" or ")}`,
          ...(advice !== undefined && { advice: `did you mean ${advice}?` }),
        },
      ],
    };
  }
  const parsed = kind.schema.safeParse(value, { reportInput: true });
  if (parsed.success) {
    const examples = kind.runExamples(parsed.data).map(result => ({
      ...result,
      ...where(document, ["examples", result.example - 1], position),
    }));
    return { profile: parsed.data, examples };
  }
  const faults = parsed.error.issues.flatMap(issue => faultsOf(issue, document, position));
  return { faults: faults.slice(0, profileFaultsMax).sort((a, b) => a.line - b.line || a.column - b.column) };
}

const at = (line: number, column: number, what: string, advice?: string): ProfileFault => ({
  line,
  column,
  place: "",
  what,
  ...(advice !== undefined && { advice }),
});

/** Undefined where aliases multiply into more than the file could have said. */
function valueIn(document: Document.Parsed): Record<string, unknown> | undefined {
  try {
    return document.toJS({ maxAliasCount: 100 }) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

const adviceOf = (code: string): string =>
  code === "TAB_AS_INDENT"
    ? "indent with blanks, not with tabs"
    : code === "DUPLICATE_KEY"
      ? "each name stands once"
      : 'look for a missing colon, bracket or quote; put texts with a comma or colon in quotes: "Energy, Export"';

type Position = (offset: number) => { line: number; column: number };

function faultsOf(issue: z.core.$ZodIssue, document: Document.Parsed, position: Position): ProfileFault[] {
  // What is wrong with each alternative of a union is told of the one that the value looks like.
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map(key => {
      const advice = adviceForKey(key);
      return {
        ...whereKey(document, issue.path, key, position),
        place: placeOf([...issue.path, key]),
        what: `there is nothing called ${key} here`,
        ...(advice !== undefined && { advice }),
      };
    });
  }
  const node = document.getIn(issue.path as never[], true);
  const source = isScalar(node) ? node.source : undefined;
  return [{ ...where(document, issue.path, position), place: placeOf(issue.path), ...sayIssue(issue, source) }];
}

/** "fields[3].type", counted from 1 as people count. */
const placeOf = (path: readonly PropertyKey[]): string =>
  path
    .map(step => (typeof step === "number" ? `[${step + 1}]` : `.${String(step)}`))
    .join("")
    .replace(/^\./, "");

/** Of the value, or of what is nearest above it where it is missing. */
function where(document: Document.Parsed, path: readonly PropertyKey[], position: Position) {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length) as never[], true);
    if (isNode(node) && (node as Node).range) return position((node as Node).range?.[0] ?? 0);
  }
  return { line: 1, column: 1 };
}

/** Of the name itself. */
function whereKey(document: Document.Parsed, path: readonly PropertyKey[], key: string, position: Position) {
  const map = path.length === 0 ? document.contents : document.getIn(path as never[], true);
  if (isMap(map)) {
    for (const { key: own } of map.items) {
      if (isScalar(own) && own.range && String(own.value) === key) return position(own.range[0]);
    }
  }
  return where(document, path, position);
}
