// The control face: who may set what is decided before any device is touched, all values are checked before any is written,
// and one answer names every faulty parameter (control interface, CTR-AUTH, CTR-SET, CTR-ERR).

import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import type { Log } from "#base/log.ts";
import type { AdmittedControl } from "#concentrator/admission.ts";
import type { Concentrator } from "#concentrator/concentrator.ts";
import type { Caller, Tokens } from "#contract/caller.ts";
import { ControlFault, Refusal } from "#contract/faults.ts";
import { english, type Languages } from "#contract/language.ts";
import { describeNode, type NodeRef } from "#contract/node.ts";
import { admissionMs, answerMs, controlEndMs, nodesPerRequestMax } from "#limits.ts";
import type { Element } from "#xml/element.ts";
import { type IqRequest, type Route, route } from "#xmpp/router.ts";
import { asStanzaError, StanzaError } from "#xmpp/stanza.ts";
import { callerOf, distinct } from "./asker.ts";
import * as wire from "./control.wire.ts";
import { controlForm, valuesOf, withCompanions } from "./control-form.ts";
import * as formWire from "./data-form.wire.ts";
import type { DynamicForms } from "./dynamic-forms.ts";
import { inEveryGeneration } from "./generations.ts";

export interface ControlDeps {
  readonly concentrator: Pick<Concentrator, "admitControl" | "control" | "parameters" | "companions" | "currentValues">;
  readonly forms: Pick<DynamicForms, "bound" | "tokensOf">;
  /** Default: English. */
  readonly languages?: Languages;
  readonly clock: Clock;
  /** Each refused attempt is told here, who and what; what was written the concentrator tells (CTR-AUTH-02). */
  readonly log: Log;
}

export interface Control {
  readonly routes: readonly Route[];
}

export function createControl({ concentrator, forms, languages = english, clock, log }: ControlDeps): Control {
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
      const text = `Not confirmed within ${Math.round(leftMs / 1000)} s; it may have been set.`;
      const failures = admitted.targets.flatMap(({ node }) =>
        values.map(({ name }) => ({ node, name, message: text })),
      );
      throw new ControlFault({ nodes: [], parameters: [] }, failures);
    }
  };

  /** The values of the form beside those said simply, once it is known what the parameters are. */
  const withForm = async (
    admitted: AdmittedControl,
    asked: Asked,
    companions: readonly string[],
    signal: AbortSignal,
  ) => {
    if (asked.submission === undefined) return asked.parameters;
    const offered = concentrator.parameters(admitted);
    const read = valuesOf(asked.submission, offered);
    // What admission took away is left out in silence (CTR-SET-11).
    const named = new Set(admitted.targets.flatMap(({ names }) => names));
    const isAll = admitted.targets.some(({ names }) => names.length === 0);
    const granted = (name: string) => isAll || named.has(name);
    const unknown = read.unknown.filter(granted).map(name => ({ name, message: "There is no such parameter." }));
    if (unknown.length > 0) throw new Refusal("not-found", "There is no such parameter.", [...unknown, ...read.faults]);
    if (read.faults.length > 0) throw new Refusal("bad-request", "A value does not fit its parameter.", read.faults);
    const said = [...asked.parameters, ...read.values];
    if (companions.length === 0) return said;
    const current = await concentrator.currentValues(admitted, new Set(companions), signal);
    return withCompanions(said, companions, offered, current);
  };

  const set = async (request: wire.Set, iq: IqRequest): Promise<Element> => {
    const nodes = distinct(request.nodes);
    const { parameters } = request.values;
    const began = clock.monotonic();
    const submission = request.form && formWire.submission.decode(request.form, "set/x");
    const caller = callerOf(iq, forms.tokensOf(iq.from, submission?.session ?? "", request.tokens));
    try {
      const asked = { parameters, submission };
      check(request, asked, nodes);
      const names = namesIn(asked);
      let admitted = await admit(caller, nodes, names, iq.signal);
      const companions = submission === undefined ? [] : concentrator.companions(admitted, names);
      if (companions.length > 0) admitted = await admit(caller, nodes, [...names, ...companions], iq.signal);
      const values = await withForm(admitted, asked, companions, iq.signal);
      const done =
        values.length === 0
          ? { nodes: admitted.targets.map(({ node }) => node), parameters: [] }
          : await write(admitted, values, began, iq.signal);
      return wire.response.encode(done, iq.payload.ns);
    } catch (error) {
      const values = Object.fromEntries(parameters.map(({ name, value }) => [name, String(value.value)]));
      log.notice("control-refused", { from: caller.fullJid, nodes: nodes.map(describeNode), values, error });
      throw explain(error, iq.payload.ns, text => languages.localize(caller.language, text));
    }
  };

  const getForm = async (request: { nodes: readonly NodeRef[]; tokens: Tokens }, iq: IqRequest): Promise<Element> => {
    const caller = callerOf(iq, request.tokens);
    const nodes = distinct(request.nodes);
    checkNodes(nodes);
    const admitted = await admit(caller, nodes, [], iq.signal);
    const offered = concentrator.parameters(admitted);
    if (offered.length === 0) throw new Refusal("not-found", "There is no parameter to control.");
    const names = new Set(offered.map(({ name }) => name));
    const current = await concentrator.currentValues(admitted, names, iq.signal);
    const [first] = admitted.targets;
    const title = admitted.targets.length === 1 ? (first?.node.nodeId ?? "") : `${admitted.targets.length} nodes`;
    const form = forms.bound(caller, controlForm(title, offered, current));
    return formWire.formIn(iq.payload.ns).encode(form, formWire.formNs);
  };

  return {
    routes: inEveryGeneration("control", ns => [
      route(["set"], ns, wire.set, set),
      route(["get"], ns, wire.getForm, getForm),
    ]),
  };
}

/** Values said simply, and a form that can be read only when it is known what the parameters are. */
interface Asked {
  readonly parameters: readonly wire.ControlItem[];
  readonly submission: formWire.SubmissionOnWire | undefined;
}
const namesIn = ({ parameters, submission }: Asked): string[] =>
  [...parameters, ...(submission?.fields ?? [])].map(({ name }) => name);

/** What can be said without looking at any node. */
function check({ values }: wire.Set, asked: Asked, nodes: readonly NodeRef[]): void {
  if (values.faults.length > 0) throw new Refusal("bad-request", "values of the wrong form", values.faults);
  if (asked.submission?.type === "cancel") throw new Refusal("bad-request", "a form is to be submitted");
  checkNodes(nodes);
  const names = namesIn(asked);
  if (names.length === 0 && asked.submission === undefined) throw new Refusal("bad-request", "no parameter to set");
  const seen = new Set<string>();
  const twice = new Set(names.filter(name => seen.size === seen.add(name).size));
  if (twice.size > 0) {
    const faults = [...twice].map(name => ({ name, message: "stands more than once" }));
    throw new Refusal("bad-request", "a parameter stands more than once", faults);
  }
}

function checkNodes(nodes: readonly NodeRef[]): void {
  if (nodes.length === 0) throw new Refusal("bad-request", "no nd: name the nodes to be controlled");
  if (nodes.length > nodesPerRequestMax) {
    throw new Refusal("not-acceptable", `at most ${nodesPerRequestMax} nodes in one request`);
  }
}

/** The stanza error, with a `paramError` for each faulty parameter and, after a partial write, what was done (CTR-SET-12). */
function explain(error: unknown, ns: string, say: (text: string) => string): unknown {
  if (error instanceof Refusal) {
    const { type, condition, text } = asStanzaError(error);
    return new StanzaError(
      type,
      condition,
      text,
      error.parameters.map(({ name, message }) => wire.parameterError.encode({ name, message: say(message) }, ns)),
    );
  }
  if (error instanceof ControlFault) {
    const byName = Map.groupBy(error.failures, failure => failure.name);
    const faults = [...byName].map(([name, failures]) => ({
      name,
      message: failures.map(({ node, message }) => `${describeNode(node)}: ${say(message)}`).join("; "),
    }));
    const { nodes, parameters } = error.done;
    const done = parameters.length > 0 ? [wire.response.encode({ nodes, parameters }, ns)] : [];
    const details = [...faults.map(one => wire.parameterError.encode(one, ns)), ...done];
    return new StanzaError("cancel", "internal-server-error", "A device did not take the value.", details);
  }
  return error;
}
