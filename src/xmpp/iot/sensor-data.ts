// The readout face: admits before it answers, answers at once or in messages, keeps what is active a caller, and stops on
// cancel, departure and withdrawn consent (sensor-data interface, SD-REQ, SD-RESP, SD-CAN).

import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import type { Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import type { Admitted } from "#concentrator/admission.ts";
import type { Concentrator } from "#concentrator/concentrator.ts";
import type { Caller } from "#contract/caller.ts";
import { Refusal } from "#contract/faults.ts";
import { type Ask, isEmpty } from "#contract/field.ts";
import { english, type Languages } from "#contract/language.ts";
import { describeNode, type NodeRef } from "#contract/node.ts";
import * as limits from "#limits.ts";
import type { Element } from "#xml/element.ts";
import { bareJid, normalJid } from "#xmpp/jid.ts";
import { type IqRequest, type Route, route } from "#xmpp/router.ts";
import { callerOf, distinct } from "./asker.ts";
import { inEveryGeneration } from "./generations.ts";
import { type Outgoing, partBytesOf } from "./payload-size.ts";
import { type Decidable, decideAnew } from "./reading-on.ts";
import { createReadout, type DeliveryLimits, type Readout } from "./readout-delivery.ts";
import * as wire from "./sensor-data.wire.ts";

export interface SensorDataLimits extends DeliveryLimits {
  readonly readoutsPerCallerMax: number;
  readonly scheduleAheadMs: number;
  readonly nodesPerRequestMax: number;
}

export interface SensorDataDeps extends Outgoing {
  readonly concentrator: Pick<Concentrator, "contains" | "admitRead" | "readout">;
  /** Sends a payload in a message to a full JID. Throws `Refusal` busy when the outbox is full. */
  readonly send: (to: string, payload: Element) => void;
  readonly languages?: Languages;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly limits?: Partial<SensorDataLimits>;
}

export interface SensorData {
  readonly routes: readonly Route[];
  /** This full JID is unavailable, or a message to it bounced: what it asked for is dropped (SD-RESP-17). */
  gone(fullJid: string): void;
  /** This bare JID's consent was withdrawn: all it asked for is dropped (PRES-SUB-03). */
  withdrawn(bareJid: string): void;
  /** What is being read is decided on anew, and nothing of it is said before that (PROV-CACHE-07). */
  rightsChanged(): void;
  /** Readouts running, waiting or scheduled. */
  readonly active: number;
}

/** A request from its arrival to its end. */
interface Active extends Decidable {
  readonly key: string;
  readonly id: string;
  readonly ns: string;
  /** Counts for the quota. */
  admitted: boolean;
}

export function createSensorData(deps: SensorDataDeps): SensorData {
  const { concentrator, clock, log, languages = english } = deps;
  const bounds: SensorDataLimits = {
    ...limits,
    get payloadBytesMax() {
      return partBytesOf(deps);
    },
    ...deps.limits,
  };
  const active = new Map<string, Active>();

  const open = (caller: Caller, id: string, ns: string): Active => {
    const key = `${caller.fullJid}\n${id}`;
    if (active.has(key)) throw new Refusal("conflict", `a request with the id ${id} is still active`);
    const state = { admitted: false, silent: false, reads: undefined, undecided: undefined, refusal: undefined };
    const entry: Active = { key, id, ns, caller, scope: createScope(deps.signal), ...state };
    active.set(key, entry);
    return entry;
  };

  const close = (entry: Active) => {
    if (active.get(entry.key) === entry) active.delete(entry.key);
    entry.scope[Symbol.dispose]();
  };

  const drop = (entry: Active) => {
    entry.silent = true;
    close(entry);
  };

  const admit = async (entry: Active, nodes: readonly NodeRef[], ask: Ask) => {
    try {
      return await within(clock, limits.admissionMs, "decision", entry.scope.signal, signal =>
        concentrator.admitRead(entry.caller, nodes, ask, signal),
      );
    } catch (error) {
      if (entry.silent) throw new Refusal("not-allowed", "the request was cancelled");
      // Fail closed: who cannot be decided on within the time is refused (COM-AUTH-05).
      if (error instanceof TimeoutError) throw new Refusal("denied", "no decision was reached in time");
      throw error;
    }
  };

  const count = (entry: Active) => {
    let mine = 0;
    for (const other of active.values()) if (other.admitted && other.caller.bareJid === entry.caller.bareJid) mine++;
    if (mine >= bounds.readoutsPerCallerMax) {
      throw new Refusal("busy", `${mine} requests of yours are active already; wait for one to end, or cancel it`);
    }
    entry.admitted = true;
  };

  const refused = (entry: Active, text: string) => {
    const said = languages.localize(entry.caller.language, text);
    const samples = [{ at: clock.now(), fields: [], errors: [said] }];
    deps.send(entry.caller.fullJid, wire.response.encode({ id: entry.id, more: false, nodes: [], samples }, entry.ns));
  };

  const readout = (entry: Active, nodes: readonly NodeRef[], ask: Ask, admitted: Admitted): Readout => {
    entry.reads = { nodes, ask, admitted };
    const running = createReadout({
      id: entry.id,
      ns: entry.ns,
      targets: admitted.targets.map(target => target.node),
      readings: concentrator.readout(admitted, entry.scope.signal),
      signal: entry.scope.signal,
      silent: () => entry.silent,
      send: payload => deps.send(entry.caller.fullJid, payload),
      undecided: () => entry.undecided,
      say: text => languages.localize(entry.caller.language, text),
      clock,
      log,
      limits: bounds,
    });
    return {
      async quick() {
        const answer = await running.quick();
        await entry.undecided;
        if (entry.refusal !== undefined) throw entry.refusal;
        return answer;
      },
      async rest() {
        await running.rest();
        if (entry.refusal !== undefined) refused(entry, entry.refusal.message);
      },
    };
  };

  /** Work that goes on after the iq was answered: its first message may not overtake that answer. */
  const goOn = (entry: Active, work: () => Promise<void>) => {
    clock
      .sleep(0, entry.scope.signal)
      .catch(() => {})
      .then(work)
      .catch(error => {
        if (!entry.scope.signal.aborted)
          log.error("readout-failed", { id: entry.id, from: entry.caller.fullJid, error });
      })
      .finally(() => close(entry));
  };

  const runLater = async (entry: Active, nodes: readonly NodeRef[], ask: Ask, when: number) => {
    const { signal } = entry.scope;
    for (let wait = when - clock.now(); wait > 0; wait = when - clock.now()) {
      await clock.sleep(Math.min(wait, limits.scheduleLookMs), signal);
    }
    const send = (payload: Element) => {
      if (!entry.silent) deps.send(entry.caller.fullJid, payload);
    };
    try {
      // Rights may have changed since the request was accepted (SD-REQ-12).
      const admitted = await admit(entry, nodes, ask);
      send(wire.started.encode({ id: entry.id }, entry.ns));
      await readout(entry, nodes, ask, admitted).rest();
    } catch (error) {
      if (entry.silent || signal.aborted) return;
      const message = error instanceof Refusal ? error.message : "the readout could not be started";
      refused(entry, message);
      if (!(error instanceof Refusal)) throw error;
    }
  };

  const start = async (entry: Active, request: wire.Request, nodes: readonly NodeRef[]): Promise<Element> => {
    const { id, ns } = entry;
    const ask = askOf(request);
    const admitted = await admit(entry, nodes, ask);
    count(entry);
    const when = request.when ?? Number.NEGATIVE_INFINITY;
    if (when > clock.now()) {
      if (when - clock.now() > bounds.scheduleAheadMs) {
        throw new Refusal("not-acceptable", `at most ${Math.floor(bounds.scheduleAheadMs / 86_400_000)} days ahead`);
      }
      goOn(entry, () => runLater(entry, nodes, ask, when));
      return wire.accepted.encode({ id, queued: true }, ns);
    }
    log.debug("readout", { from: entry.caller.fullJid, id, nodes: admitted.targets.length });
    const running = readout(entry, nodes, ask, admitted);
    const answer = await running.quick().catch(error => {
      throw entry.refusal ?? (entry.silent ? new Refusal("not-allowed", "the request was cancelled") : error);
    });
    if (answer === undefined) {
      goOn(entry, () => running.rest());
      return wire.started.encode({ id }, ns);
    }
    close(entry);
    return answer;
  };

  const ask = async (request: wire.Request, iq: IqRequest): Promise<Element> => {
    const caller = callerOf(iq, request.tokens);
    const { ns } = iq.payload;
    const nodes = distinct(request.nodes);
    if (nodes.length > bounds.nodesPerRequestMax) {
      throw new Refusal("not-acceptable", `at most ${bounds.nodesPerRequestMax} nodes in one request`);
    }
    // Nothing asked of nothing needs no right, but what is named must be there for this caller to see (SD-REQ-03, -06, -07).
    if (nodes.length === 0 || isEmpty(request.categories)) {
      for (const node of nodes) {
        if (!(await concentrator.contains(caller, node))) throw new Refusal("not-found", `no ${describeNode(node)}`);
      }
      return wire.response.encode({ id: request.id, more: false, nodes: [], samples: [] }, ns);
    }
    const entry = open(caller, request.id, ns);
    try {
      return await start(entry, request, nodes);
    } catch (error) {
      close(entry);
      throw error;
    }
  };

  const dropWhere = (which: (entry: Active) => boolean) => {
    for (const entry of [...active.values()]) if (which(entry)) drop(entry);
  };

  return {
    routes: inEveryGeneration("sensorData", ns => [
      // Both iq types: other clients send `cancel` as get (COM-STZ-03).
      route(["get", "set"], ns, wire.request, ask),
      route(["get", "set"], ns, wire.cancel, async ({ id }, iq) => {
        const entry = active.get(`${iq.from}\n${id}`);
        if (entry) drop(entry);
        return undefined;
      }),
    ]),
    gone(fullJid) {
      const from = normalJid(fullJid);
      dropWhere(entry => entry.caller.fullJid === from);
    },
    withdrawn(jid) {
      const from = bareJid(jid);
      dropWhere(entry => entry.caller.bareJid === from);
    },
    rightsChanged: () => decideAnew(active.values(), admit),
    get active() {
      return active.size;
    },
  };
}

const askOf = (request: wire.Request): Ask => ({
  names: request.names,
  categories: request.categories,
  from: request.from ?? Number.NEGATIVE_INFINITY,
  to: request.to ?? Number.POSITIVE_INFINITY,
});
