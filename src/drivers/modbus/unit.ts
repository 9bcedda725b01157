// One unit of a line: what it is asked for comes from its profile and from the register nodes below it; it is read in blocks
// (reading.ts) and written with reading back (write.ts).

import type { ControlParameter } from "#contract/control.ts";
import type { Device, Env } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import { type Ask, type Field, isAsked, type Sample } from "#contract/field.ts";
import { counterFacts } from "../device-facts.ts";
import type { Learned } from "./learned.ts";
import type { ModbusLine } from "./line.ts";
import { misfit, type PlanLimits } from "./plan.ts";
import { failedField, fieldOf, type Point } from "./point.ts";
import { createReading, refusalWords } from "./reading.ts";
import { unitName } from "./session.ts";
import { unitCommands } from "./unit-commands.ts";
import type { UnitLink } from "./unit-link.ts";
import { parameterOf } from "./write.ts";

export type UnitLimits = Omit<PlanLimits, "holes" | "cuts">;

export interface ModbusUnit extends Device {
  /**
   * Adds points to what a readout of the unit returns; dispose to take them out again. Throws `DeviceFault` refused for a value
   * that no single read of this unit can hold.
   */
  add(points: readonly Point[]): Disposable;
  /** Reads these points only, in blocks. */
  readPoints(points: readonly Point[], ask: Ask, signal: AbortSignal): AsyncIterable<Sample>;
  parameter(point: Point): ControlParameter;
}

/** Throws as `add` does. */
export function createUnit(
  line: ModbusLine,
  link: UnitLink,
  profile: readonly Point[],
  limits: UnitLimits,
  learned: Learned,
  addBelow?: Env["addBelow"],
): ModbusUnit {
  const { clock } = line;
  const who = unitName(link.address);
  const reading = createReading(link, learned, limits, clock);
  const sets = new Set<readonly Point[]>();
  let closed = false;

  async function* readPoints(points: readonly Point[], ask: Ask, signal: AbortSignal): AsyncGenerator<Sample> {
    if (closed) throw new DeviceFault("unreachable", `unit ${link.address} is closed`);
    const now = clock.now();
    if (now < ask.from || now > ask.to) return;
    const wanted = points.filter(point => isAsked(fieldOf(point, { kind: "boolean", value: false }), ask));
    const failed: Field[] = [];
    // What the unit is known to refuse is not asked again today, but named with the reason.
    const askable = wanted.filter(point => {
      const code = learned.refusal(point.table, point);
      if (code !== undefined) failed.push(failedField(point, refusalWords(code)));
      return code === undefined;
    });
    let fault: DeviceFault | undefined;
    let good = 0;
    const onFailed = (lost: readonly Point[], error: DeviceFault) => {
      fault = error;
      failed.push(...lost.map(point => failedField(point, error.message)));
    };
    for await (const sample of reading.read(askable, ask.order ?? "read", signal, onFailed)) {
      good++;
      yield sample;
    }
    if (good === 0 && fault !== undefined) throw fault;
    if (failed.length > 0) yield { at: clock.now(), fields: failed };
  }

  const add = (points: readonly Point[]): Disposable => {
    for (const point of points) {
      const fault = misfit(point, reading.limitsOf(point.table));
      if (fault !== undefined)
        throw new DeviceFault("refused", `${point.field}: ${fault}: a value is never read in two halves`);
    }
    // A copy: the same points added twice are taken out one by one.
    const own = [...points];
    sets.add(own);
    return {
      [Symbol.dispose]() {
        sets.delete(own);
      },
    };
  };
  add(profile);

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
    add,
    describe: () => [...link.describe(), ...counterFacts({ refused: learned.refusedCount })],
    commands: unitCommands(line, link.address, learned, addBelow),
    sniff: signal => line.tap.listen(signal, who),
    async [Symbol.asyncDispose]() {
      closed = true;
      line.tap.forget(who);
      line.health.forget(who);
    },
  };
  return unit;
}
