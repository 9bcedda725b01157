// Writing a SunSpec point: the model is recognised and its scale factor read right before, never from memory, because both move;
// then the registers are written with function 16 and read back.

import { type Decimal, divideExactly, formatDecimal } from "#base/decimal.ts";
import type { ControlParameter, ControlValue, WriteOutcome } from "#contract/control.ts";
import { DeviceFault } from "#contract/faults.ts";
import { describeException } from "./pdu.ts";
import { rawHex } from "./registers.ts";
import type { ModelPoint } from "./sunspec-definition.ts";
import { controlKind, controlValueOf, decimalFor, type NamedPoint } from "./sunspec-field.ts";
import { type PointValue, pointValueOf } from "./sunspec-value.ts";
import type { Ask } from "./sunspec-walk.ts";

/** Registers of one model, fresh from the unit, after its id was seen to be right. */
export interface Fresh {
  /** On the wire, of the model's id. */
  readonly address: number;
  registerAt(offset: number): number | undefined;
}

/** `fresh`: reads a point with its scale factor. Throws `DeviceFault`. */
export type ReadFresh = (named: NamedPoint, signal: AbortSignal) => Promise<Fresh>;

export function parameterOf(
  named: NamedPoint,
  fresh: ReadFresh,
  askWith: (signal: AbortSignal) => Ask,
  unit: string,
): ControlParameter {
  const { point } = named.placed;
  const kind = controlKind(point);
  return {
    name: named.name,
    label: named.name,
    kind,
    ...(unit !== "" && { unit }),
    ...(kind === "enum" && { options: Object.values(point.symbols ?? {}) }),
    async get(signal) {
      const { registerAt } = await fresh(named, signal);
      return controlValueOf(named, pointValueOf(named.placed, registerAt));
    },
    async set(value, signal) {
      const { address, registerAt } = await fresh(named, signal);
      const registers = registersFor(named, value, registerAt);
      if (typeof registers === "string") throw new DeviceFault("refused", registers);
      return write(askWith(signal), address + named.placed.offset, registers);
    },
  };
}

/** The registers to write, or why not, in words for a person. */
function registersFor(
  named: NamedPoint,
  value: ControlValue,
  registerAt: Fresh["registerAt"],
): readonly number[] | string {
  const { point, scale } = named.placed;
  if (point.type === "string") return textRegisters(String(value.value), point.size);
  if (point.symbols !== undefined) return symbolRegisters(point, String(value.value));
  if (typeof value.value !== "number" && typeof value.value !== "bigint")
    return `a ${value.kind} cannot be written here`;
  const wanted = decimalFor(named, value.value);
  if (point.type === "float32") return floatRegisters(Number(formatDecimal(wanted)));
  const power = powerOf(scale, registerAt);
  if (typeof power === "string") return power;
  const step: Decimal = { mantissa: 1, exponent: power };
  const raw = divideExactly(wanted, step);
  if (raw === undefined) return `${formatDecimal(wanted)} is not a multiple of ${formatDecimal(step)}`;
  const [least, greatest] = rangeOf(point);
  if (raw < least || raw > greatest) return `${formatDecimal(wanted)} does not fit into the register`;
  return integerRegisters(raw, point.size);
}

function powerOf(scale: NamedPoint["placed"]["scale"], registerAt: Fresh["registerAt"]): number | string {
  if (scale === undefined) return 0;
  if ("power" in scale) return scale.power;
  const factor: PointValue = pointValueOf(
    { point: { name: "", type: "int16", size: 1 }, offset: scale.offset, path: [] },
    registerAt,
  );
  return factor.kind === "decimal" && Math.abs(Number(factor.value.mantissa)) <= 10
    ? Number(factor.value.mantissa)
    : "the device gives no scale factor for it";
}

/** Without what means "not implemented". */
function rangeOf({ type, size }: ModelPoint): readonly [bigint, bigint] {
  const bits = BigInt(size * 16);
  return type.startsWith("int") ? [-(1n << (bits - 1n)) + 1n, (1n << (bits - 1n)) - 1n] : [0n, (1n << bits) - 2n];
}

const integerRegisters = (raw: bigint, size: number): number[] =>
  Array.from({ length: size }, (_, n) =>
    Number((BigInt.asUintN(size * 16, raw) >> BigInt(16 * (size - 1 - n))) & 0xffffn),
  );

function floatRegisters(value: number): number[] {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return [view.getUint16(0), view.getUint16(2)];
}

function textRegisters(text: string, size: number): readonly number[] | string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > size * 2) return `a text of at most ${size * 2} octets fits here`;
  return Array.from({ length: size }, (_, n) => ((bytes[2 * n] ?? 0) << 8) | (bytes[2 * n + 1] ?? 0));
}

/** An enumeration takes one name, a bit field any of them: "ENABLED, OVERRIDE". */
function symbolRegisters({ type, size, symbols = {} }: ModelPoint, text: string): readonly number[] | string {
  const names = text === "" && !type.startsWith("enum") ? [] : text.split(",").map(name => name.trim());
  let raw = 0n;
  for (const name of names) {
    const code = Object.keys(symbols).find(one => symbols[one] === name);
    if (code === undefined) return `"${name}" is not in the list`;
    raw = type.startsWith("enum") ? BigInt(code) : raw | (1n << BigInt(code));
  }
  return integerRegisters(raw, size);
}

async function write(ask: Ask, address: number, values: readonly number[]): Promise<WriteOutcome> {
  let lost: DeviceFault | undefined;
  try {
    const answer = await ask({ function: 16, address, values });
    if (answer.kind === "exception" && answer.code !== 5) {
      throw new DeviceFault("refused", `the unit refuses: ${describeException(answer.code)}`);
    }
  } catch (error) {
    // A lost answer leaves open whether it was done: reading back tells.
    if (!(error instanceof DeviceFault) || (error.kind !== "timeout" && error.kind !== "garbled")) throw error;
    lost = error;
  }
  const back = await ask({ function: 3, address, quantity: values.length }).catch(error => {
    if (error instanceof DeviceFault) return undefined;
    throw error;
  });
  const got = back?.kind === "registers" ? rawHex(back.registers) : undefined;
  const wanted = rawHex(values);
  if (got === wanted) return "confirmed";
  if (lost) throw lost;
  if (got === undefined) return "unconfirmed";
  throw new DeviceFault("refused", `the unit took it but reads back ${got} instead of ${wanted} (raw)`);
}
