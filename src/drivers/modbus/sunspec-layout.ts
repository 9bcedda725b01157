// Where each point of a model stands: the definition laid over the length the device gives, which is believed and not the table
// (sunspec/models issue 22: a common model of 65). SunSpec Device Information Model Specification 1.1, clauses 4 and 5. Pure.

import { sunspecPointsMax } from "#limits.ts";
import type { ModelDefinition, ModelGroup, ModelPoint } from "./sunspec-definition.ts";

/** One occurrence of a repeating group on the way to a point. */
export interface Step {
  readonly group: ModelGroup;
  /** From 1; undefined for a group that stands there once. */
  readonly number: number | undefined;
}

export interface PlacedPoint {
  readonly point: ModelPoint;
  /** Registers from the model's id on. */
  readonly offset: number;
  readonly path: readonly Step[];
  /** The register with the power of ten, or the power itself. */
  readonly scale?: { readonly offset: number } | { readonly power: number };
}

interface Scope {
  readonly above: Scope | undefined;
  readonly offsets: ReadonlyMap<string, number>;
}

/** Registers of a model with its id and length. */
export const headWords = 2;

/** `registerAt`: the register at an offset, for points that count groups; undefined where it was not read. */
export function layoutOf(
  definition: ModelDefinition,
  length: number,
  registerAt: (offset: number) => number | undefined = () => undefined,
): PlacedPoint[] {
  const end = headWords + length;
  const placed: PlacedPoint[] = [];

  /** Returns the offset behind the group. */
  const place = (group: ModelGroup, from: number, path: readonly Step[], above: Scope | undefined): number => {
    const offsets = new Map<string, number>();
    const scope: Scope = { above, offsets };
    let at = from;
    for (const point of group.points) {
      offsets.set(point.name, at);
      at += point.size;
    }
    at = from;
    for (const point of group.points) {
      // What the length leaves out the device does not have.
      if (at + point.size > end || placed.length >= sunspecPointsMax) return at;
      const scale = scaleOf(point, scope, end);
      placed.push({ point, offset: at, path, ...(scale && { scale }) });
      at += point.size;
    }
    for (const below of group.groups ?? []) {
      const count = countOf(below, at, scope);
      for (let number = 1; number <= count && at < end && placed.length < sunspecPointsMax; number++) {
        at = place(
          below,
          at,
          [...path, { group: below, number: below.count === undefined ? undefined : number }],
          scope,
        );
      }
    }
    return at;
  };

  const countOf = (group: ModelGroup, at: number, scope: Scope): number => {
    if (group.count === undefined) return 1;
    if (group.count === 0) return Math.floor((end - at) / Math.max(1, fixedWords(group)));
    if (typeof group.count === "number") return group.count;
    const offset = find(scope, group.count);
    const count = offset === undefined ? undefined : registerAt(offset);
    return count === undefined || count === notImplemented ? 0 : count;
  };

  place(definition, 0, [], undefined);
  return placed;
}

const notImplemented = 0xffff;

/** Of one occurrence, groups within it that do not repeat included. */
const fixedWords = (group: ModelGroup): number =>
  group.points.reduce((sum, { size }) => sum + size, 0) +
  (group.groups ?? []).reduce((sum, below) => sum + (below.count === undefined ? fixedWords(below) : 0), 0);

/** A group is counted by a register: the model is to be read before it can be laid out. */
export const isCounted = (group: ModelGroup): boolean =>
  typeof group.count === "string" || (group.groups ?? []).some(isCounted);

function scaleOf({ sf }: ModelPoint, scope: Scope, end: number): PlacedPoint["scale"] {
  if (sf === undefined) return undefined;
  if (typeof sf === "number") return { power: sf };
  const offset = find(scope, sf);
  // A scale that lies behind the end is one the device does not have: read as such.
  return offset === undefined || offset >= end ? { offset: -1 } : { offset };
}

function find(scope: Scope | undefined, name: string): number | undefined {
  for (let at = scope; at !== undefined; at = at.above) {
    const offset = at.offsets.get(name);
    if (offset !== undefined) return offset;
  }
  return undefined;
}
