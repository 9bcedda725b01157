// The information models of SunSpec as published (sunspec-models/), each read from its file when a device first has it: there
// are more than a hundred and a site has five.

import { readFileSync } from "node:fs";

export interface ModelPoint {
  readonly name: string;
  readonly label?: string;
  readonly type: PointType;
  /** Registers. */
  readonly size: number;
  /** The name of the point that holds the power of ten, or the power itself. */
  readonly sf?: string | number;
  readonly units?: string;
  readonly access?: "RW";
  /** By code, or by bit. */
  readonly symbols?: Readonly<Record<string, string>>;
}

export interface ModelGroup {
  readonly name: string;
  readonly label?: string;
  /** How often it stands there: a number, the name of the point that counts it, 0 to the end of the model. Once without it. */
  readonly count?: string | number;
  readonly points: readonly ModelPoint[];
  readonly groups?: readonly ModelGroup[];
}

export interface ModelDefinition extends ModelGroup {
  readonly id: number;
}

export type PointType =
  | "int16"
  | "int32"
  | "int64"
  | "uint16"
  | "uint32"
  | "uint64"
  | "count"
  | "acc16"
  | "acc32"
  | "acc64"
  | "enum16"
  | "enum32"
  | "bitfield16"
  | "bitfield32"
  | "bitfield64"
  | "float32"
  | "float64"
  | "string"
  | "sunssf"
  | "pad"
  | "ipaddr"
  | "ipv6addr"
  | "eui48";

const known = new Map<number, ModelDefinition | undefined>();

/** Undefined for a model that is not published: its registers mean nothing to us. */
export function definitionOf(id: number): ModelDefinition | undefined {
  if (!known.has(id)) known.set(id, read(id));
  return known.get(id);
}

function read(id: number): ModelDefinition | undefined {
  try {
    return JSON.parse(readFileSync(new URL(`sunspec-models/${id}.json`, import.meta.url), "utf8")) as ModelDefinition;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Of one occurrence, without the groups that repeat. */
export const wordsOfPoints = (group: ModelGroup): number => group.points.reduce((sum, { size }) => sum + size, 0);
