// One unit of a line: reads its points in as few blocks as its limits allow, learns what it refuses, and writes with
// reading back. Points come from the profile and from the register nodes below it.

import type { TurnOrder } from "#base/turns.ts";
import type { ControlParameter } from "#contract/control.ts";
import type { Device } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import { type Ask, type Field, isAsked, type Sample } from "#contract/field.ts";
import { modbusRefusedFieldMs } from "#limits.ts";
import { counterFacts } from "../device-facts.ts";
import { unitCommands } from "./commands.ts";
import type { ModbusLine } from "./line.ts";
import { type Answer, describeException } from "./pdu.ts";
import { type Block, plan } from "./plan.ts";
import { failedField, fieldOf, fieldValue, type Point, type Table, tables } from "./point.ts";
import { decodeRegisters } from "./registers.ts";
import { unitName } from "./session.ts";
import type { UnitLink } from "./unit-link.ts";
import { parameterOf } from "./write.ts";

export interface UnitLimits {
  readonly wordsMax: number;
  readonly gapMax: number;
}

export interface ModbusUnit extends Device {
  /** Adds points to what a readout of the unit returns; dispose to take them out again. */
  add(points: readonly Point[]): Disposable;
  /** Reads these points only, in blocks. */
  readPoints(points: readonly Point[], ask: Ask, signal: AbortSignal): AsyncIterable<Sample>;
  parameter(point: Point): ControlParameter;
}

const readFunction: Readonly<Record<Table, 1 | 2 | 3 | 4>> = { coil: 1, discrete: 2, holding: 3, input: 4 };
const bitsMax = 2000;

export function createUnit(
  line: ModbusLine,
  link: UnitLink,
  profile: readonly Point[],
  limits: UnitLimits,
): ModbusUnit {
  const { clock } = line;
  const sets = new Set<readonly Point[]>([profile]);
  const cuts: Record<Table, Set<number>> = {
    coil: new Set(),
    discrete: new Set(),
    holding: new Set(),
    input: new Set(),
  };
  /** Points the unit refuses by themselves: until when, and in which words. */
  const refused = new Map<Point, { until: number; reason: string }>();

  let closed = false;

  const planFor = (table: Table, points: readonly Point[]): Block<Point>[] => {
    const isBits = table === "coil" || table === "discrete";
    return plan(
      points.filter(point => point.table === table),
      {
        wordsMax: isBits ? bitsMax : limits.wordsMax,
        gapMax: limits.gapMax,
        holes: [...refused.keys()].filter(point => point.table === table),
        cuts: cuts[table],
      },
    );
  };

  async function* readPoints(points: readonly Point[], ask: Ask, signal: AbortSignal): AsyncGenerator<Sample> {
    if (closed) throw new DeviceFault("unreachable", `unit ${link.address} is closed`);
    const now = clock.now();
    if (now < ask.from || now > ask.to) return;
    const wanted = points.filter(point => isAsked(fieldOf(point, { kind: "boolean", value: false }), ask));
    const [known, askable] = split(wanted, clock.monotonic());
    const blocks = tables.flatMap(table => planFor(table, askable));
    const failed: Field[] = known;
    let fault: DeviceFault | undefined;
    let good = 0;
    for (const block of blocks) {
      try {
        for await (const sample of readBlock(block, ask.order ?? "read", signal)) {
          good++;
          yield sample;
        }
      } catch (error) {
        if (!(error instanceof DeviceFault) || error.kind === "unreachable") throw error;
        fault = error;
        failed.push(...block.points.map(point => failedField(point, error.message)));
      }
    }
    if (good === 0 && fault !== undefined) throw fault;
    if (failed.length > 0) yield { at: clock.now(), fields: failed };
  }

  /** What the unit is known to refuse is not asked again today, but named with the reason. */
  function split(points: readonly Point[], now: number): [Field[], Point[]] {
    const known: Field[] = [];
    const askable = points.filter(point => {
      const refusal = refused.get(point);
      if (refusal === undefined) return true;
      if (now >= refusal.until) {
        refused.delete(point);
        return true;
      }
      known.push(failedField(point, refusal.reason));
      return false;
    });
    return [known, askable];
  }

  async function* readBlock(block: Block<Point>, order: TurnOrder, signal: AbortSignal): AsyncGenerator<Sample> {
    const table = block.points[0]?.table ?? "holding";
    const { address, quantity } = block;
    const answer = await link.ask({ function: readFunction[table], address, quantity }, order, signal);
    const at = clock.now();
    if (answer.kind !== "exception") {
      yield { at, fields: block.points.map(point => fieldOf(point, valueIn(answer, point, address))) };
    } else if ((answer.code === 2 || answer.code === 3) && block.points.length > 1) {
      yield* readHalves(block, table, order, signal);
    } else {
      const reason = `the unit answers ${describeException(answer.code)}`;
      // 1, 2 and 3 are about the request and will be the same the next time; others are about the moment.
      const until = answer.code <= 3 ? clock.monotonic() + modbusRefusedFieldMs : undefined;
      if (until !== undefined) for (const point of block.points) refused.set(point, { until, reason });
      yield { at, fields: block.points.map(point => failedField(point, reason)) };
    }
  }

  /** One register that does not exist, or a limit lower than printed, refuses the whole block: found by halving, and remembered. */
  async function* readHalves(
    block: Block<Point>,
    table: Table,
    order: TurnOrder,
    signal: AbortSignal,
  ): AsyncGenerator<Sample> {
    const middle = block.points.length >> 1;
    const second = block.points[middle];
    if (second) cuts[table].add(second.address);
    for (const half of [block.points.slice(0, middle), block.points.slice(middle)]) {
      for (const part of planFor(table, half)) yield* readBlock(part, order, signal);
    }
  }

  const unit: ModbusUnit = {
    readPoints,
    read: (ask, signal) => readPoints([...sets].flat(), ask, signal),
    get parameters() {
      return [...sets]
        .flat()
        .filter(point => point.writable)
        .map(unit.parameter);
    },
    parameter: point => parameterOf(point, link),
    add(points) {
      // A copy: the same points added twice are taken out one by one.
      const own = [...points];
      sets.add(own);
      return {
        [Symbol.dispose]: () => {
          sets.delete(own);
          for (const point of own) refused.delete(point);
        },
      };
    },
    describe: () => [...link.describe(), ...counterFacts({ refused: refused.size })],
    commands: unitCommands(line, link.address, unitName(link.address)),
    sniff: signal => line.tap.listen(signal, unitName(link.address)),
    async [Symbol.asyncDispose]() {
      closed = true;
      line.tap.forget(unitName(link.address));
      line.health.forget(unitName(link.address));
    },
  };
  return unit;
}

/** `address` is that of the first register or bit of the answer. */
function valueIn(answer: Answer, point: Point, address: number) {
  const at = point.address - address;
  if (answer.kind === "bits") return { kind: "boolean", value: answer.bits[at] ?? false } as const;
  if (answer.kind !== "registers") return { kind: "missing", reason: "the answer holds no registers" } as const;
  return fieldValue(point, decodeRegisters(point, answer.registers.slice(at, at + point.words)));
}
