// Requests of a serial line that nobody answered, not even late: RTU answers carry no number, so theirs may still come and would
// pass for the answers to requests of the same unit, function and length.

import type { Clock } from "#base/clock.ts";
import { modbusOwedMax } from "#limits.ts";
import type { Request } from "./pdu.ts";

export interface Debts {
  add(unit: number, request: Request): void;
  /** How many answers may come that this request would mistake for its own. */
  confusable(unit: number, request: Request): number;
  settle(unit: number, request: Request): void;
}

/** Forgotten after `forgetMs`. */
export function createDebts(forgetMs: number, clock: Clock): Debts {
  const debts: { unit: number; request: Request; at: number }[] = [];
  const length = (request: Request) => ("quantity" in request ? request.quantity : 0);
  const isLike = (unit: number, request: Request) => (debt: (typeof debts)[number]) =>
    debt.unit === unit && debt.request.function === request.function && length(debt.request) === length(request);
  return {
    add(unit, request) {
      // The answer to a write names its address and value.
      if (isConfusable(request)) debts.push({ unit, request, at: clock.monotonic() });
      if (debts.length > modbusOwedMax) debts.shift();
    },
    confusable(unit, request) {
      const now = clock.monotonic();
      while (debts[0] && now - debts[0].at > forgetMs) debts.shift();
      const like = debts.filter(isLike(unit, request));
      return like.every(debt => same(debt.request, request)) ? 0 : like.length;
    },
    settle(unit, request) {
      const isSettled = isLike(unit, request);
      const left = debts.filter(debt => !isSettled(debt) || same(debt.request, request));
      debts.splice(0, debts.length, ...left);
    },
  };
}

/** Its answer says neither which registers, records or queue it is of. */
const isConfusable = ({ function: code }: Request) => code <= 4 || code === 20 || code === 23 || code === 24;

const same = (a: Request, b: Request): boolean => JSON.stringify(a) === JSON.stringify(b);
