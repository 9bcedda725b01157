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
  point: Point,
  link: UnitLink,
  { value }: ControlValue,
  signal: AbortSignal,
): Promise<WriteOutcome> {
  const { address } = point;
  const lost = await send(link, { function: 5, address, value: value === true }, signal);
  const answer = await readBack(link, { function: 1, address, quantity: 1 }, signal);
  return compare(lost, answer?.kind === "bits" ? String(answer.bits[0]) : undefined, String(value === true));
}

async function writeRegisters(
  point: Point,
  link: UnitLink,
  value: ControlValue,
  signal: AbortSignal,
): Promise<WriteOutcome> {
  const { address } = point;
  const words = wordsFor(point, value);
  if (typeof words === "string") throw new DeviceFault("refused", words);
  const [first = 0] = words;
  // Some units know only one of the two functions: the other is tried when the first is refused as unknown.
  const multiple = { function: 16, address, values: words } as const;
  const single = words.length === 1 ? ({ function: 6, address, value: first } as const) : multiple;
  const lost = await send(link, single, signal, single === multiple ? undefined : multiple);
  const answer = await readBack(link, { function: 3, address, quantity: words.length }, signal);
  return compare(lost, answer?.kind === "registers" ? rawHex(answer.registers) : undefined, rawHex(words));
}

/** Undefined when the unit said that it took it; the fault when its answer was lost, which leaves open whether it did. */
async function send(
  link: UnitLink,
  request: Request,
  signal: AbortSignal,
  otherwise?: Request,
): Promise<DeviceFault | undefined> {
  let answer: Answer;
  try {
    answer = await link.ask(request, "control", signal);
  } catch (error) {
    if (error instanceof DeviceFault && (error.kind === "timeout" || error.kind === "garbled")) return error;
    throw error;
  }
  if (answer.kind !== "exception") return undefined;
  if (answer.code === 1 && otherwise) return send(link, otherwise, signal);
  // "Acknowledge": taken, and being worked on.
  if (answer.code === 5) return undefined;
  throw new DeviceFault("refused", `the unit refuses: ${describeException(answer.code)}`);
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
