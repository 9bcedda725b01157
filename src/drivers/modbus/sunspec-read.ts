// One SunSpec model, read: its blocks one after the other, each value beside its scale factor. What cannot be read costs the
// points of its block.

import { DeviceFault } from "#contract/faults.ts";
import { describeException } from "./pdu.ts";
import { headWords, type PlacedPoint } from "./sunspec-layout.ts";
import type { LoadedModel } from "./sunspec-models.ts";
import { type PointValue, pointValueOf } from "./sunspec-value.ts";
import type { Ask } from "./sunspec-walk.ts";

export interface ModelReading {
  /** Another model stands where this one was: nothing there is what it was taken for. */
  readonly moved: boolean;
  readonly values: ReadonlyMap<PlacedPoint, PointValue>;
  /** Points of blocks that could not be read, and why. */
  readonly failed: ReadonlyMap<PlacedPoint, DeviceFault>;
}

interface Span {
  /** From the model's id on. */
  readonly offset: number;
  readonly quantity: number;
}

const moved: ModelReading = { moved: true, values: new Map(), failed: new Map() };
const scaleMoved: PointValue = { kind: "none", reason: "its scale factor changed while it was read" };

/** Throws `DeviceFault` unreachable, and what is no fault of the device. */
export async function readModel(
  ask: Ask,
  model: LoadedModel,
  isWanted: (point: PlacedPoint) => boolean,
): Promise<ModelReading> {
  const values = new Map<PlacedPoint, PointValue>();
  const failed = new Map<PlacedPoint, DeviceFault>();
  const { chunks, far, farPoints } = model.plan;
  const isFar = new Set(farPoints.filter(isWanted));
  const scales = far === undefined || isFar.size === 0 ? undefined : await readSpan(ask, model, far);
  for (const [n, chunk] of chunks.entries()) {
    const wanted = chunk.points.filter(isWanted);
    if (wanted.length === 0 && n > 0) continue;
    const registers = await readSpan(ask, model, chunk);
    if (registers instanceof DeviceFault) {
      if (n === 0 && registers.kind === "refused" && !(await isInPlace(ask, model))) return moved;
      for (const point of wanted) failed.set(point, registers);
      continue;
    }
    if (n === 0 && !isHead(registers, model)) return moved;
    const own = (offset: number) => registers[offset - chunk.offset];
    const withScales = (offset: number) =>
      own(offset) ?? (Array.isArray(scales) ? scales[offset - (far?.offset ?? 0)] : undefined);
    for (const point of wanted) values.set(point, pointValueOf(point, isFar.has(point) ? withScales : own));
  }
  if (far !== undefined && isFar.size > 0) {
    const again = await readSpan(ask, model, far);
    const same = Array.isArray(again) && Array.isArray(scales) && again.every((register, n) => register === scales[n]);
    for (const point of isFar) if (!same && values.has(point)) values.set(point, scaleMoved);
  }
  return { moved: false, values, failed };
}

/** Its id and length stand where they were. */
const isHead = ([id, length]: readonly number[], model: { readonly id: number; readonly length: number }): boolean =>
  id === model.id && length === model.length;

/** The registers, or the fault that belongs to what stands there. Only long texts are read in parts: nothing else would keep. */
export async function readSpan(
  ask: Ask,
  { address, plan }: Pick<LoadedModel, "address" | "plan">,
  { offset, quantity }: Span,
): Promise<number[] | DeviceFault> {
  const registers: number[] = [];
  try {
    while (registers.length < quantity) {
      const part = Math.min(plan.wordsMax, quantity - registers.length);
      const answer = await ask({ function: 3, address: address + offset + registers.length, quantity: part });
      if (answer.kind !== "registers" || answer.registers.length !== part) {
        const what = answer.kind === "exception" ? describeException(answer.code) : "nothing";
        return new DeviceFault("refused", `the unit answers ${what}`);
      }
      registers.push(...answer.registers);
    }
    return registers;
  } catch (error) {
    if (error instanceof DeviceFault && error.kind !== "unreachable") return error;
    throw error;
  }
}

/** The registers of its id and length say so; a model whose registers are refused as a whole may still be there. */
export async function isInPlace(ask: Ask, model: LoadedModel): Promise<boolean> {
  const head = await readSpan(ask, model, { offset: 0, quantity: headWords });
  if (head instanceof DeviceFault && head.kind !== "refused") throw head;
  return !(head instanceof DeviceFault) && isHead(head, model);
}
