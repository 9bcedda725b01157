// From `AdmittedControl` to writes, in two phases: everything is checked on every node, then written in order. Nothing is
// half checked, and what was half written is said exactly (CTR-SET-05…15).

import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import type { Log } from "#base/log.ts";
import { createTurns, type Turns } from "#base/turns.ts";
import { controlMs, controlWaitingMax } from "#limits.ts";
import type { AdmittedControl } from "./admission.ts";
import { createAudit } from "./audit.ts";
import type { ControlRequest, ControlResult } from "./concentrator.ts";
import type { Caller } from "./contract/caller.ts";
import type { ControlParameter, ControlValue, WriteOutcome } from "./contract/control.ts";
import type { Device } from "./contract/driver.ts";
import { ControlFault, DeviceFault, Refusal, type WriteFailure } from "./contract/faults.ts";
import { categories, formatValue } from "./contract/field.ts";
import { describeNode } from "./contract/node.ts";
import { asFieldValue, decimalsOf, fitValue } from "./control-values.ts";
import type { Forest, TreeNode } from "./forest.ts";
import type { Readings } from "./records.ts";
import { describeFault } from "./status.ts";

export interface ControlDeps {
  readonly find: Forest["find"];
  readonly readings: Pick<Readings, "record" | "latest">;
  readonly failed: (node: TreeNode, error: unknown) => void;
  readonly warn: (node: TreeNode, eventId: string, text: string) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** One value for one parameter of one node, checked. */
interface Write {
  readonly node: TreeNode;
  readonly parameter: ControlParameter;
  readonly value: ControlValue;
}

export function createControl(deps: ControlDeps) {
  const { clock, log } = deps;
  const audit = createAudit(log);
  /** Writes of several callers to one device go one after the other (CTR-SET-14). */
  const turns = new WeakMap<Device, Turns>();

  const turnsOf = (device: Device): Turns => {
    const found = turns.get(device) ?? createTurns(controlWaitingMax);
    turns.set(device, found);
    return found;
  };

  const nodeOf = (target: AdmittedControl["targets"][number]): TreeNode => {
    const node = deps.find(target.node);
    if (node === undefined) throw new Refusal("not-found", "There is no such node.");
    return node;
  };

  /** Phase one: all of it is right, or `Refusal` names all that is wrong and nothing was touched. */
  const check = (admitted: AdmittedControl, { values }: ControlRequest): Write[] => {
    if (admitted.targets.length === 0) throw new Refusal("bad-request", "No node was named.");
    if (values.length === 0) throw new Refusal("bad-request", "No parameter was named.");
    const seen = new Set<string>();
    const twice = values.filter(({ name }) => seen.size === seen.add(name).size);
    if (twice.length > 0) throw refuse("bad-request", twice, "stands twice");
    const writes: Write[] = [];
    const missing = new Map<string, string>();
    const wrong = new Map<string, string>();
    for (const target of admitted.targets) {
      const node = nodeOf(target);
      const granted = new Set(target.names);
      for (const { name, value } of values) {
        // What admission took away is left out in silence (CTR-SET-11).
        if (granted.size > 0 && !granted.has(name)) continue;
        const parameter = node.parameters.find(one => one.name === name);
        if (parameter === undefined) {
          missing.set(name, `${describeNode(node.ref)} has no such parameter.`);
          continue;
        }
        const fitted = fitValue(value, parameter);
        if ("fault" in fitted) wrong.set(name, fitted.fault);
        else writes.push({ node, parameter, value: fitted.value });
      }
    }
    const faults = [...missing, ...wrong].map(([name, message]) => ({ name, message }));
    if (missing.size > 0) throw new Refusal("not-found", "There is no such parameter.", faults);
    if (wrong.size > 0) throw new Refusal("bad-request", "A value does not fit its parameter.", faults);
    return writes;
  };

  const write = async (
    { node, parameter, value }: Write,
    leftMs: number,
    signal: AbortSignal,
  ): Promise<WriteOutcome> => {
    const { opened } = node;
    const current = opened?.device.parameters?.find(one => one.name === parameter.name);
    if (opened === undefined || current === undefined) throw new DeviceFault("unreachable", "The device is not open.");
    return within(clock, Math.max(1, leftMs), parameter.name, signal, inner =>
      turnsOf(opened.device).take("control", inner, () => current.set(value, inner)),
    );
  };

  /** What is written down of an attempt, taken or not: what it was and what it was to be (CTR-AUTH-02). */
  const facts = ({ node, parameter, value }: Write) => {
    const before = deps.readings.latest(node.ref).find(({ field }) => field.name === parameter.name)?.field.value;
    return {
      parameter: parameter.name,
      ...(before === undefined ? {} : { was: formatValue(before) }),
      value: String(value.value),
    };
  };

  const succeeded = (one: Write, outcome: WriteOutcome, caller: Caller) => {
    const { node, parameter, value } = one;
    audit("controlled", caller, [node.ref], { ...facts(one), outcome });
    // Only what the device itself confirmed is a value of the device; the rest it will tell when it does it (CTR-SET-15).
    if (outcome !== "confirmed") return;
    // As finely as the device itself tells it.
    const known = deps.readings.latest(node.ref).find(one => one.field.name === parameter.name);
    const field = {
      name: parameter.name,
      value: asFieldValue(value, parameter.unit, decimalsOf(known?.field.value)),
      categories: categories("momentary"),
      quality: { automaticReadout: true as const },
      writable: true as const,
    };
    deps.readings.record(node.ref, { at: clock.now(), fields: [field] });
  };

  const failed = (one: Write, error: unknown, caller: Caller): WriteFailure => {
    const { node, parameter } = one;
    const { text } = describeFault(error);
    audit("not-controlled", caller, [node.ref], { ...facts(one), error });
    // A device that says no works; one that is silent does not.
    if (error instanceof DeviceFault && error.kind === "refused") {
      deps.warn(node, "write-refused", `${parameter.name}: ${text}`);
    } else deps.failed(node, error);
    return { node: node.ref, name: parameter.name, message: text };
  };

  return {
    /** What every admitted node has, in the same kind and bounds, as far as granted on any of them (CTR-FORM-03). */
    parameters(admitted: AdmittedControl): ControlParameter[] {
      const nodes = admitted.targets.map(nodeOf);
      const [first, ...others] = nodes;
      const granted = (name: string) =>
        admitted.targets.some(({ names }) => names.length === 0 || names.includes(name));
      return (first?.parameters ?? []).filter(
        parameter =>
          granted(parameter.name) && others.every(other => other.parameters.some(one => takesTheSame(one, parameter))),
      );
    },

    /** What is set together with these and was not named: to be admitted too, and said as it is now (DF-PG-02). */
    companions(admitted: AdmittedControl, names: readonly string[]): string[] {
      const [target] = admitted.targets;
      const all = target === undefined ? [] : nodeOf(target).parameters;
      const groups = new Set(
        all.flatMap(({ name, group }) => (group !== undefined && names.includes(name) ? group : [])),
      );
      return all
        .filter(({ name, group }) => group !== undefined && groups.has(group) && !names.includes(name))
        .map(({ name }) => name);
    },

    /** Throws `Refusal` before and `ControlFault` after the first write; bounded by `limits.controlMs` as a whole. */
    async control(admitted: AdmittedControl, request: ControlRequest, signal: AbortSignal): Promise<ControlResult> {
      const writes = check(admitted, request);
      const { caller } = admitted;
      const until = clock.monotonic() + controlMs;
      const done: Write[] = [];
      const failures: WriteFailure[] = [];
      const broken = new Map<TreeNode, string>();
      for (const one of writes) {
        const before = broken.get(one.node);
        if (before !== undefined) {
          // Order is part of the request: after a failure the rest of this node would be written out of turn.
          failures.push({
            node: one.node.ref,
            name: one.parameter.name,
            message: `not written, since ${before} failed`,
          });
          continue;
        }
        try {
          succeeded(one, await write(one, until - clock.monotonic(), signal), caller);
          done.push(one);
        } catch (error) {
          signal.throwIfAborted();
          failures.push(failed(one, error, caller));
          broken.set(one.node, one.parameter.name);
        }
      }
      const result = resultOf(done);
      if (failures.length > 0) throw new ControlFault(result, failures);
      return result;
    },
  };
}

const takesTheSame = (a: ControlParameter, b: ControlParameter): boolean =>
  a.name === b.name &&
  a.kind === b.kind &&
  a.min === b.min &&
  a.max === b.max &&
  a.options?.join("\n") === b.options?.join("\n");

const resultOf = (done: readonly Write[]): ControlResult => ({
  nodes: [...new Set(done.map(one => one.node.ref))],
  parameters: [...new Set(done.map(one => one.parameter.name))],
});

const refuse = (kind: "bad-request", values: readonly { name: string }[], message: string): Refusal =>
  new Refusal(
    kind,
    `A parameter ${message}.`,
    values.map(({ name }) => ({ name, message })),
  );
