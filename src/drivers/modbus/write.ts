// Writing a point: sent once, then read back and compared raw with raw, so that neither rounding nor a lost answer decides
// what the result is called.

import type { ControlParameter, ControlValue, WriteOutcome } from "#contract/control.ts";
import { DeviceFault } from "#contract/faults.ts";
import { type Answer, describeException, type Request } from "./pdu.ts";
import { controlKind, fieldValue, type Point, wordsFor } from "./point.ts";
import { decodeRegisters, rawHex } from "./registers.ts";
import type { UnitLink } from "./unit-link.ts";

export function parameterOf(point: Point, link: UnitLink): ControlParameter {
  const kind = controlKind(point);
  const { min, max } = point.writable ?? {};
  return {
    name: point.field,
    label: point.field,
    kind,
    ...(point.unit !== "" && { unit: point.unit }),
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(kind === "enum" && { options: [...(point.names?.values() ?? [])] }),
    get: signal => currentValue(point, link, signal),
    set: (value, signal) =>
      point.table === "coil" ? writeCoil(point, link, value, signal) : writeRegisters(point, link, value, signal),
  };
}

async function currentValue(point: Point, link: UnitLink, signal: AbortSignal): Promise<ControlValue | undefined> {
  if (point.table === "coil") {
    const answer = await link.ask({ function: 1, address: point.address, quantity: 1 }, "control", signal);
    return answer.kind === "bits" ? { kind: "boolean", value: answer.bits[0] ?? false } : undefined;
  }
  const answer = await link.ask({ function: 3, address: point.address, quantity: point.words }, "control", signal);
  if (answer.kind !== "registers") return undefined;
  const value = fieldValue(point, decodeRegisters(point, answer.registers));
  if (value.kind === "quantity") return { kind: "double", value: value.value };
  return value.kind === "missing" ? undefined : value;
}

async function writeCoil(
  { address, writable }: Point,
  link: UnitLink,
  { value }: ControlValue,
  signal: AbortSignal,
): Promise<WriteOutcome> {
  const on = value === true;
  const single = { function: 5, address, value: on } as const;
  const multiple = { function: 15, address, bits: [on] } as const;
  const lost = await send(link, ways(writable?.by, single, multiple), signal);
  const answer = await readBack(link, { function: 1, address, quantity: 1 }, signal);
  return compare(lost, answer?.kind === "bits" ? String(answer.bits[0]) : undefined, String(on));
}

async function writeRegisters(
  point: Point,
  link: UnitLink,
  value: ControlValue,
  signal: AbortSignal,
): Promise<WriteOutcome> {
  const { address, writable } = point;
  const words = wordsFor(point, value);
  if (typeof words === "string") throw new DeviceFault("refused", words);
  if (point.type === "bitfield") return writeBits(point, link, words[0] ?? 0, signal);
  if (writable?.by === 23) return writeAndRead(link, address, words, signal);
  const multiple = { function: 16, address, values: words } as const;
  const single = words.length === 1 ? ({ function: 6, address, value: words[0] ?? 0 } as const) : multiple;
  const lost = await send(link, ways(writable?.by, single, multiple), signal);
  const answer = await readBack(link, { function: 3, address, quantity: words.length }, signal);
  return compare(lost, answer?.kind === "registers" ? rawHex(answer.registers) : undefined, rawHex(words));
}

/** As declared; otherwise the one for one value, and the other where that is refused as unknown, as some units do. */
function ways(by: number | undefined, single: Request, multiple: Request): readonly Request[] {
  if (by === multiple.function || single === multiple) return [multiple];
  return by === single.function ? [single] : [single, multiple];
}

/** Only these bits: by the mask (function 22), or by reading the register and writing it back where the unit knows no masks. */
async function writeBits(
  { address, mask = 0xffff, writable }: Point,
  link: UnitLink,
  bits: number,
  signal: AbortSignal,
): Promise<WriteOutcome> {
  const others = ~mask & 0xffff;
  let lost: DeviceFault | undefined;
  try {
    lost = await send(link, [{ function: 22, address, and: others, or: bits }], signal);
  } catch (error) {
    if (!(error instanceof UnknownFunction)) throw error;
    const now = await link.ask({ function: 3, address, quantity: 1 }, "control", signal);
    if (now.kind !== "registers") throw error;
    const word = ((now.registers[0] ?? 0) & others) | bits;
    const [single, multiple] = [
      { function: 6, address, value: word } as const,
      { function: 16, address, values: [word] } as const,
    ];
    lost = await send(link, ways(writable?.by, single, multiple), signal);
  }
  const answer = await readBack(link, { function: 3, address, quantity: 1 }, signal);
  const got = answer?.kind === "registers" ? rawHex([(answer.registers[0] ?? 0) & mask]) : undefined;
  return compare(lost, got, rawHex([bits]));
}

/** Written and read back in one request, between which nobody else can write. */
async function writeAndRead(
  link: UnitLink,
  address: number,
  words: readonly number[],
  signal: AbortSignal,
): Promise<WriteOutcome> {
  const readQuantity = words.length;
  const request = { function: 23, readAddress: address, readQuantity, writeAddress: address, values: words } as const;
  const { lost, answer } = await once(link, request, signal);
  const got = answer ?? (await readBack(link, { function: 3, address, quantity: words.length }, signal));
  return compare(lost, got?.kind === "registers" ? rawHex(got.registers) : undefined, rawHex(words));
}

class UnknownFunction extends DeviceFault {}

/**
 * Sent once; the next way only where the one before was refused as unknown. Undefined when the unit said that it took it; the
 * fault when its answer was lost, which leaves open whether it did.
 */
async function send(
  link: UnitLink,
  requests: readonly Request[],
  signal: AbortSignal,
): Promise<DeviceFault | undefined> {
  for (const [n, request] of requests.entries()) {
    try {
      return (await once(link, request, signal)).lost;
    } catch (error) {
      if (!(error instanceof UnknownFunction) || n === requests.length - 1) throw error;
    }
  }
  return undefined;
}

/** Throws `DeviceFault` refused when the unit says no. */
async function once(
  link: UnitLink,
  request: Request,
  signal: AbortSignal,
): Promise<{ lost?: DeviceFault; answer?: Answer }> {
  let answer: Answer;
  try {
    answer = await link.ask(request, "control", signal);
  } catch (error) {
    if (error instanceof DeviceFault && (error.kind === "timeout" || error.kind === "garbled")) return { lost: error };
    throw error;
  }
  if (answer.kind !== "exception") return { answer };
  // "Acknowledge": taken, and being worked on.
  if (answer.code === 5) return {};
  const refusal = `the unit refuses: ${describeException(answer.code)}`;
  throw answer.code === 1 ? new UnknownFunction("refused", refusal) : new DeviceFault("refused", refusal);
}

/** Undefined when it cannot be read: write-only registers exist. */
async function readBack(link: UnitLink, request: Request, signal: AbortSignal): Promise<Answer | undefined> {
  try {
    return await link.ask(request, "control", signal);
  } catch (error) {
    if (error instanceof DeviceFault) return undefined;
    throw error;
  }
}

function compare(lost: DeviceFault | undefined, got: string | undefined, wanted: string): WriteOutcome {
  if (got === wanted) return "confirmed";
  if (lost) throw lost;
  if (got === undefined) return "unconfirmed";
  throw new DeviceFault("refused", `the unit took it but reads back ${got} instead of ${wanted} (raw)`);
}
