// Finding the models of a SunSpec device: the word "SunS" at one of the usual bases, then the chain of models, each with its id
// and length. SunSpec Device Information Model Specification 1.1, clause 3. Bases move with firmware, so none is remembered
// beyond the connection.

import { DeviceFault } from "#contract/faults.ts";
import { sunspecModelsMax } from "#limits.ts";
import { type Answer, describeException, type Request } from "./pdu.ts";
import { definitionOf } from "./sunspec-definition.ts";
import { headWords, layoutOf } from "./sunspec-layout.ts";
import { pointValueOf } from "./sunspec-value.ts";

/** A model where the device has it. */
export interface FoundModel {
  readonly id: number;
  /** Registers behind id and length. */
  readonly length: number;
  /** Of its id, on the wire. */
  readonly address: number;
}

export interface SunspecMap {
  readonly base: number;
  readonly models: readonly FoundModel[];
  /** Why the chain was left before its end mark; what was found is there all the same. */
  readonly cut?: string;
}

export type Ask = (request: Request) => Promise<Answer>;

/** Where the standard puts it, then the same as those write it who count registers from 1. */
export const usualBases: readonly number[] = [40_000, 50_000, 0, 39_999, 49_999, 1];

const mark = [0x5375, 0x6e53] as const;
const chainEnd = 0xffff;

/**
 * The base of the map; undefined where there is none. A unit that refuses an address has nothing there; one that is silent is not
 * asked at the other bases: throws its `DeviceFault`.
 */
export async function findBase(ask: Ask, bases: readonly number[] = usualBases): Promise<number | undefined> {
  for (const base of bases) {
    const registers = await read(ask, base, 2);
    if (typeof registers !== "string" && registers[0] === mark[0] && registers[1] === mark[1]) return base;
  }
  return undefined;
}

/** The chain from a base on. Throws `DeviceFault` when the unit falls silent on the way. */
export async function walkModels(ask: Ask, base: number): Promise<SunspecMap> {
  const models: FoundModel[] = [];
  for (let address = base + mark.length; ; ) {
    if (models.length >= sunspecModelsMax) return { base, models, cut: `more than ${sunspecModelsMax} models` };
    const head = address + headWords > 0x10000 ? "the registers end" : await read(ask, address, headWords);
    // Some have no end mark: the first register that does not exist is the end.
    if (typeof head === "string") return { base, models, ...(models.length === 0 && { cut: head }) };
    const [id = chainEnd, length = 0] = head;
    if (id === chainEnd) return { base, models };
    if (length === 0) return { base, models, cut: `model ${id} has no length` };
    models.push({ id, length, address });
    address += headWords + length;
  }
}

export interface SunspecIdentity {
  readonly manufacturer?: string;
  readonly model?: string;
  readonly version?: string;
  readonly serialNumber?: string;
}

const identityPoints = { Mn: "manufacturer", Md: "model", Vr: "version", SN: "serialNumber" } as const;

/** Who the device says it is in its common model, from registers that begin with the model's id. */
export function identityIn(registers: readonly number[]): SunspecIdentity {
  const common = definitionOf(1);
  if (common === undefined) return {};
  const identity: { -readonly [name in keyof SunspecIdentity]: SunspecIdentity[name] } = {};
  for (const placed of layoutOf(common, registers.length - headWords)) {
    const name = identityPoints[placed.point.name as keyof typeof identityPoints];
    const value = name && pointValueOf(placed, offset => registers[offset]);
    if (value?.kind === "text") identity[name] = value.value;
  }
  return identity;
}

/**
 * What a search says of a unit: its base and identity; undefined where it is no SunSpec device. Silence at a register says as
 * little as a refusal. Throws `DeviceFault` unreachable.
 */
export async function recognise(ask: Ask): Promise<(SunspecIdentity & { readonly base: number }) | undefined> {
  try {
    const base = await findBase(ask);
    if (base === undefined) return undefined;
    const address = base + mark.length;
    const head = await read(ask, address, headWords);
    if (typeof head === "string" || head[0] !== 1) return { base };
    const common = await read(ask, address, headWords + Math.min(head[1] ?? 0, commonWords));
    return { base, ...(typeof common === "string" ? {} : identityIn(common)) };
  } catch (error) {
    if (error instanceof DeviceFault && error.kind !== "unreachable") return undefined;
    throw error;
  }
}

/** Of the common model, behind id and length; what a device has beyond is none of its identity. */
const commonWords = 66;

/** The registers, or why there are none, in words: exceptions and answers that hold nothing are answers too. */
async function read(ask: Ask, address: number, quantity: number): Promise<readonly number[] | string> {
  try {
    const answer = await ask({ function: 3, address, quantity });
    if (answer.kind === "registers") return answer.registers;
    return answer.kind === "exception" ? `the unit answers ${describeException(answer.code)}` : "no registers came";
  } catch (error) {
    if (error instanceof DeviceFault && error.kind === "garbled") return error.message;
    throw error;
  }
}
