// Requests of a serial line that nobody answered, not even late. RTU answers carry no number: theirs may still come, and would
// pass for the answers to other requests of the same unit and function.

import type { Clock } from "#base/clock.ts";
import { modbusOwedMax } from "#limits.ts";
import { encodeRequest, type Request } from "./pdu.ts";

export interface Debts {
  add(unit: number, request: Request): void;
  /** An answer may come that this request would mistake for its own. */
  has(unit: number, request: Request): boolean;
  /** The answer that came may have been an earlier one's: then this one's is still owed, and as fresh as can be. */
  answered(unit: number, request: Request): void;
  /** The unit has answered something that only this moment's request can have caused: nothing older comes any more. */
  clear(unit: number): void;
}

/** Forgotten after `forgetMs`. */
export function createDebts(forgetMs: number, clock: Clock): Debts {
  let debts: { readonly unit: number; readonly request: Request; at: number }[] = [];
  const ofFunction = (unit: number, request: Request) => {
    const now = clock.monotonic();
    debts = debts.filter(({ at }) => now - at <= forgetMs);
    return debts.filter(debt => debt.unit === unit && debt.request.function === request.function);
  };
  return {
    add(unit, request) {
      debts.push({ unit, request, at: clock.monotonic() });
      if (debts.length > modbusOwedMax) debts.shift();
    },
    // Not even the length tells them apart: an exception has but one.
    has: (unit, request) => ofFunction(unit, request).some(debt => !same(debt.request, request)),
    answered(unit, request) {
      for (const debt of ofFunction(unit, request)) debt.at = clock.monotonic();
    },
    clear(unit) {
      debts = debts.filter(debt => debt.unit !== unit);
    },
  };
}

function same(a: Request, b: Request): boolean {
  const [one, other] = [encodeRequest(a), encodeRequest(b)];
  return one.length === other.length && one.every((byte, n) => byte === other[n]);
}
