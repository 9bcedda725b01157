// How commands ask a unit: behind everybody else, and taking silence, a refusal and nonsense alike for "no" where a unit may not
// know what it is asked. What it says of itself (functions 43/14 and 17) is put together here.

import { QueueFull } from "#base/turns.ts";
import { DeviceFault } from "#contract/faults.ts";
import { lineBusyMs, modbusIdentityAsksMax } from "#limits.ts";
import type { ModbusLine } from "./line.ts";
import type { Answer, Request } from "./pdu.ts";

export type AskUnit = (request: Request) => Promise<Answer>;

/** A scan goes behind everybody else: where even the queue is full it waits outside. */
export async function patiently<T>({ clock }: ModbusLine, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof QueueFull)) throw error;
      await clock.sleep(lineBusyMs, signal);
    }
  }
}

/** A unit that does not know a function may refuse it, be silent or answer nonsense: all say no. */
export async function answered(ask: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    const answer = await ask();
    return answer.kind === "exception" ? undefined : answer;
  } catch (error) {
    if (error instanceof DeviceFault && error.kind !== "unreachable") return undefined;
    throw error;
  }
}

/** Text as far as it is text. */
export const readable = (bytes: Uint8Array): string =>
  Array.from(bytes, one => (one >= 32 && one < 127 ? String.fromCharCode(one) : "·")).join("");

export interface IdentityObject {
  readonly id: number;
  readonly text: string;
}

/**
 * All objects of its identification that the unit has, by id: the basic ones, and the regular and extended ones if it says that
 * it has them; one by one where it does not send them as a stream. None where it does not know the function, as most do not.
 */
export async function identification(ask: AskUnit, basicOnly = false): Promise<IdentityObject[]> {
  const objects = new Map<number, Uint8Array>();
  const level = (await stream(ask, 1, objects)) ?? (await single(ask, objects));
  if (!basicOnly) for (const code of [2, 3] as const) if (code <= (level & 0x03)) await stream(ask, code, objects);
  return [...objects].sort(([a], [b]) => a - b).map(([id, bytes]) => ({ id, text: readable(bytes) }));
}

/** Returns the conformity level; undefined where the unit does not send this stream. */
async function stream(ask: AskUnit, code: 1 | 2 | 3, into: Map<number, Uint8Array>): Promise<number | undefined> {
  let level: number | undefined;
  let object = 0;
  for (let asked = 0; asked < modbusIdentityAsksMax; asked++) {
    const answer = await answered(() => ask({ function: 43, code, object }));
    if (answer?.kind !== "identification") return level;
    level ??= answer.conformity;
    for (const [id, bytes] of answer.objects) into.set(id, bytes);
    // "More follows" that leads back to where it came from would never end.
    if (answer.next === undefined || answer.next <= object) return level;
    object = answer.next;
  }
  return level;
}

async function single(ask: AskUnit, into: Map<number, Uint8Array>): Promise<number> {
  for (const object of [0, 1, 2]) {
    const answer = await answered(() => ask({ function: 43, code: 4, object }));
    if (answer?.kind !== "identification") break;
    for (const [id, bytes] of answer.objects) into.set(id, bytes);
  }
  return 0;
}
