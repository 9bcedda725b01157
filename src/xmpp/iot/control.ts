// The control face: who may set what is decided before any device is touched, all values are checked before any is written,
// and one answer names every faulty parameter (control interface, CTR-AUTH, CTR-SET, CTR-ERR).

import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import type { Log } from "#base/log.ts";
import type { AdmittedControl } from "#concentrator/admission.ts";
import type { Concentrator } from "#concentrator/concentrator.ts";
import type { Caller } from "#contract/caller.ts";
import { ControlFault, Refusal } from "#contract/faults.ts";
import { describeNode, type NodeRef } from "#contract/node.ts";
import { admissionMs, answerMs, controlEndMs, nodesPerRequestMax } from "#limits.ts";
import type { Element } from "#xml/element.ts";
import { type IqRequest, type Route, route } from "#xmpp/router.ts";
import { asStanzaError, StanzaError } from "#xmpp/stanza.ts";
import { callerOf, distinct } from "./asker.ts";
import * as wire from "./control.wire.ts";
import { inEveryGeneration } from "./generations.ts";

export interface ControlDeps {
  readonly concentrator: Pick<Concentrator, "admitControl" | "control">;
  readonly clock: Clock;
  /** Each refused attempt is told here, who and what; what was written the concentrator tells (CTR-AUTH-02). */
  readonly log: Log;
}

export interface Control {
  readonly routes: readonly Route[];
}

export function createControl({ concentrator, clock, log }: ControlDeps): Control {
  const admit = async (caller: Caller, nodes: readonly NodeRef[], names: readonly string[], signal: AbortSignal) => {
    try {
      return await within(clock, admissionMs, "decision", signal, inner =>
        concentrator.admitControl(caller, nodes, names, inner),
      );
    } catch (error) {
      // Fail closed: who cannot be decided on within the time is refused (CTR-AUTH-02).
      if (error instanceof TimeoutError) throw new Refusal("denied", "no decision was reached in time");
      throw error;
    }
  };

  /** `began`: when the request came in, for what deciding took is gone from the time the device has. */
  const write = async (
    admitted: AdmittedControl,
    values: readonly wire.ControlItem[],
    began: number,
    signal: AbortSignal,
  ) => {
    const leftMs = Math.min(controlEndMs, answerMs - (clock.monotonic() - began));
    try {
      return await within(clock, leftMs, "device", signal, inner => concentrator.control(admitted, { values }, inner));
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      // Whether it was taken is not known, and saying either would be a guess.
      const message = `not confirmed within ${Math.round(leftMs / 1000)} s; it may have been set`;
      const failures = admitted.targets.flatMap(({ node }) => values.map(({ name }) => ({ node, name, message })));
      throw new ControlFault({ nodes: [], parameters: [] }, failures);
    }
  };

  const set = async (request: wire.Set, iq: IqRequest): Promise<Element> => {
    const caller = callerOf(iq, request.tokens);
    const nodes = distinct(request.nodes);
    const { parameters } = request.values;
    const began = clock.monotonic();
    try {
      check(request, nodes);
      const names = parameters.map(one => one.name);
      const admitted = await admit(caller, nodes, names, iq.signal);
      const done = await write(admitted, parameters, began, iq.signal);
      return wire.response.encode(done, iq.payload.ns);
    } catch (error) {
      const values = Object.fromEntries(parameters.map(({ name, value }) => [name, String(value.value)]));
      log.notice("control-refused", { from: caller.fullJid, nodes: nodes.map(describeNode), values, error });
      throw explain(error, iq.payload.ns);
    }
  };

  return { routes: inEveryGeneration("control", ns => [route(["set"], ns, wire.set, set)]) };
}

/** What can be said without looking at any node. */
function check({ values, form }: wire.Set, nodes: readonly NodeRef[]): void {
  if (values.faults.length > 0) throw new Refusal("bad-request", "values of the wrong form", values.faults);
  if (form !== undefined)
    throw new Refusal("unsupported", "control by form is not offered; send the parameters themselves");
  if (nodes.length === 0) throw new Refusal("bad-request", "no nd: name the nodes to be controlled");
  if (nodes.length > nodesPerRequestMax) {
    throw new Refusal("not-acceptable", `at most ${nodesPerRequestMax} nodes in one request`);
  }
  if (values.parameters.length === 0) throw new Refusal("bad-request", "no parameter to set");
  const names = values.parameters.map(one => one.name);
  const twice = values.parameters.filter(({ name }, index) => names.indexOf(name) < index);
  if (twice.length > 0) {
    const faults = twice.map(({ name }) => ({ name, message: "stands more than once" }));
    throw new Refusal("bad-request", "a parameter stands more than once", faults);
  }
}

/** The stanza error, with a `paramError` for each faulty parameter and, after a partial write, what was done (CTR-SET-12). */
function explain(error: unknown, ns: string): unknown {
  if (error instanceof Refusal) {
    const { type, condition, text } = asStanzaError(error);
    return new StanzaError(
      type,
      condition,
      text,
      error.parameters.map(one => wire.parameterError.encode(one, ns)),
    );
  }
  if (error instanceof ControlFault) {
    const byName = Map.groupBy(error.failures, failure => failure.name);
    const faults = [...byName].map(([name, failures]) => ({
      name,
      message: failures.map(({ node, message }) => `${describeNode(node)}: ${message}`).join("; "),
    }));
    const { nodes, parameters } = error.done;
    const done = parameters.length > 0 ? [wire.response.encode({ nodes, parameters }, ns)] : [];
    const details = [...faults.map(one => wire.parameterError.encode(one, ns)), ...done];
    return new StanzaError("cancel", "internal-server-error", "a device did not take the value", details);
  }
  return error;
}
