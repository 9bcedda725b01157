// What the parameters of a node are at now, for the form they are set by: asked of the device, together and not for long
// (CTR-FORM-06). What does not answer in time is not known; that is no fault of the form.

import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import { currentValuesMs } from "#limits.ts";
import type { AdmittedControl } from "./admission.ts";
import type { ControlParameter, ControlValue } from "./contract/control.ts";
import type { Forest } from "./forest.ts";

export interface CurrentValuesDeps {
  readonly find: Forest["find"];
  readonly clock: Clock;
}

/** Of the first admitted node, by name of the parameter; only those of `names`. Never rejects but by `signal`. */
export type CurrentValues = (
  admitted: AdmittedControl,
  names: ReadonlySet<string>,
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, ControlValue>>;

export const createCurrentValues =
  ({ find, clock }: CurrentValuesDeps): CurrentValues =>
  async (admitted, names, signal) => {
    const values = new Map<string, ControlValue>();
    const [target] = admitted.targets;
    const opened = target && find(target.node)?.opened;
    const asked = (opened?.device.parameters ?? []).filter(({ name, get }) => get !== undefined && names.has(name));
    const ask = async (parameter: ControlParameter, inner: AbortSignal) => {
      const value = await parameter.get?.(inner);
      if (value !== undefined) values.set(parameter.name, value);
    };
    try {
      await within(clock, currentValuesMs, "current values", signal, inner =>
        Promise.allSettled(asked.map(parameter => ask(parameter, inner))),
      );
    } catch {
      signal.throwIfAborted();
    }
    // Those that come later are not of this form any more.
    return new Map(values);
  };
