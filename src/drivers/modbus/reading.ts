// Reads points of a unit in blocks. A block that is refused is split until it is known what the unit minds: a register that does
// not exist, a border that no read may cross, or the length; the rest of the block goes on being read.

import type { Clock } from "#base/clock.ts";
import type { TurnOrder } from "#base/turns.ts";
import { DeviceFault } from "#contract/faults.ts";
import type { Sample } from "#contract/field.ts";
import type { Learned } from "./learned.ts";
import { type Answer, describeException, type Request } from "./pdu.ts";
import type { Block, PlanLimits, Span } from "./plan.ts";
import { failedField, fieldOf, fieldValue, type Point, type Table, tables } from "./point.ts";
import { decodeRegisters } from "./registers.ts";
import type { UnitLink } from "./unit-link.ts";

export interface Reading {
  /** Samples of what answers; a block that fails as a whole is told to `failed` and does not keep the others from being read. */
  read(
    points: readonly Point[],
    order: TurnOrder,
    signal: AbortSignal,
    failed: (points: readonly Point[], fault: DeviceFault) => void,
  ): AsyncGenerator<Sample>;
  /** Of registers, or bits. */
  limitsOf(table: Table): PlanLimits;
}

const readFunction: Readonly<Record<Table, 1 | 2 | 3 | 4>> = { coil: 1, discrete: 2, holding: 3, input: 4 };
const bitsMax = 2_000;

/** found: something was learnt in it; failed: refused for a reason that has nothing to do with the block. */
type Outcome = "fine" | "found" | "failed";

interface Pass {
  readonly order: TurnOrder;
  readonly signal: AbortSignal;
  /** Read, or said why not: whatever happens afterwards. */
  readonly told: Set<Point>;
}

export function createReading(
  link: UnitLink,
  learned: Learned,
  limits: Omit<PlanLimits, "holes" | "cuts">,
  clock: Clock,
): Reading {
  const limitsOf = (table: Table): PlanLimits =>
    table === "coil" || table === "discrete" ? { wordsMax: bitsMax, gapMax: limits.gapMax } : limits;

  const ask = (request: Request, { order, signal }: Pass): Promise<Answer> => link.ask(request, order, signal);

  async function* readBlock(block: Block<Point>, table: Table, pass: Pass): AsyncGenerator<Sample, Outcome> {
    const { address, quantity, points } = block;
    const answer = await ask(requestOf(table, { address, words: quantity }), pass);
    const at = clock.now();
    if (answer.kind !== "exception") {
      learned.answered(table, quantity);
      for (const point of points) pass.told.add(point);
      yield { at, fields: points.map(point => fieldOf(point, valueIn(answer, point, address))) };
      return "fine";
    }
    const { code } = answer;
    if (isAboutBlock(code) && points.length > 1) return yield* readHalves(block, table, pass);
    const reason = refusalWords(code);
    for (const point of points) pass.told.add(point);
    yield { at, fields: points.map(point => failedField(point, reason)) };
    // 1, 2 and 3 are about the request and will be the same the next time; others are about the moment.
    if (code > 3) return "failed";
    for (const point of points) learned.refuse(table, point, code);
    return "found";
  }

  async function* readHalves(block: Block<Point>, table: Table, pass: Pass): AsyncGenerator<Sample, Outcome> {
    const middle = block.points.length >> 1;
    const halves = [block.points.slice(0, middle), block.points.slice(middle)];
    let outcome: Outcome = "fine";
    for (const half of halves) {
      for (const part of learned.plan(table, half, limitsOf(table))) {
        const one = yield* readBlock(part, table, pass);
        if (one !== "fine") outcome = outcome === "found" ? outcome : one;
      }
    }
    // A register that is refused by itself explains why the whole was.
    if (outcome !== "fine") return outcome;
    await explain(block, halves, table, pass);
    return "found";
  }

  /** Both halves are read, the whole is not: either nothing goes across the middle, or the whole is too long. */
  async function explain(
    block: Block<Point>,
    [left = [], right = []]: readonly (readonly Point[])[],
    table: Table,
    pass: Pass,
  ): Promise<void> {
    const [before, after] = [left.at(-1), right[0]];
    if (before === undefined || after === undefined) return;
    const across = { address: before.address, words: after.address + after.words - before.address };
    const isShorter = across.words > 0 && across.words < block.quantity;
    const answer = isShorter ? await ask(requestOf(table, across), pass) : undefined;
    if (answer === undefined || answer.kind === "exception") learned.cut(table, after.address);
    else learned.tooLong(table, block.quantity);
  }

  return {
    limitsOf,
    async *read(points, order, signal, failed) {
      const pass = { order, signal, told: new Set<Point>() };
      for (const table of tables) {
        const own = points.filter(point => point.table === table);
        for (const block of learned.plan(table, own, limitsOf(table))) {
          try {
            yield* readBlock(block, table, pass);
          } catch (error) {
            if (!(error instanceof DeviceFault) || error.kind === "unreachable") throw error;
            failed(
              block.points.filter(point => !pass.told.has(point)),
              error,
            );
          }
        }
      }
    },
  };
}

export const refusalWords = (code: number): string => `the unit answers ${describeException(code)}`;

const isAboutBlock = (code: number): boolean => code === 2 || code === 3;

const requestOf = (table: Table, { address, words }: Span): Request => ({
  function: readFunction[table],
  address,
  quantity: words,
});

/** `address` is that of the first register or bit of the answer. */
function valueIn(answer: Answer, point: Point, address: number) {
  const at = point.address - address;
  if (answer.kind === "bits") return { kind: "boolean", value: answer.bits[at] ?? false } as const;
  if (answer.kind !== "registers") return { kind: "missing", reason: "the answer holds no registers" } as const;
  return fieldValue(point, decodeRegisters(point, answer.registers.slice(at, at + point.words)));
}
