// A face behind the real router, asked in XML and heard in XML. The concentrator behind it is a script of readings at the
// type boundary `Concentrator`: what a face does on the wire is the subject here, not what a device does.

import { createLog, type Log, type LogEvent } from "#base/log.ts";
import type { Admitted } from "#concentrator/admission.ts";
import type { Concentrator } from "#concentrator/concentrator.ts";
import type { Caller } from "#contract/caller.ts";
import { Refusal } from "#contract/faults.ts";
import { type Ask, asAsked, type Reading } from "#contract/field.ts";
import { type NodeRef, sameNode } from "#contract/node.ts";
import { type Element, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { createRouter, type Gate, type Route } from "#xmpp/router.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";

export const asker = "bob@city.example/phone";

export interface Bench {
  readonly clock: ManualClock;
  readonly stop: AbortController;
  readonly events: LogEvent[];
  readonly log: Log;
  /** Messages sent, in order, as `to` and payload. */
  readonly sent: { to: string; payload: string }[];
  /** Everything that left, replies and messages alike, in order. */
  readonly left: string[];
  readonly send: (to: string, payload: Element) => void;
  /** Serves these routes. Returns how to ask: XML of a payload in, XML of the reply's payload out ("" when empty). */
  serve(routes: readonly Route[], gate?: Gate): Ask1;
}
export type Ask1 = (type: "get" | "set", payload: string, from?: string) => Promise<string>;

export function createBench(): Bench {
  const clock = manualClock();
  const stop = new AbortController();
  const events: LogEvent[] = [];
  const sent: { to: string; payload: string }[] = [];
  const left: string[] = [];
  let ids = 0;
  return {
    clock,
    stop,
    events,
    log: createLog(event => events.push(event)),
    sent,
    left,
    send(to, payload) {
      sent.push({ to, payload: format(payload) });
      left.push(format(payload));
    },
    serve(routes, gate = () => true) {
      const replies = new Map<string, (reply: Element) => void>();
      const router = createRouter({
        routes,
        messages: [],
        gate,
        reply(stanza) {
          left.push(stanza.children.map(one => (typeof one === "string" ? one : format(one, stanza.ns))).join(""));
          replies.get(stanza.attrs.id ?? "")?.(stanza);
        },
        clock,
        log: createLog(event => events.push(event)),
        signal: stop.signal,
        concurrentMax: 100,
        replayMs: 60_000,
        replaysMax: 100,
      });
      return (type, payload, from = asker) => {
        const id = `iq-${++ids}`;
        const stanza = parse(
          `<iq xmlns='jabber:client' type='${type}' id='${id}' from='${from}' to='gw@hub.example/x'>${payload}</iq>`,
        );
        const reply = new Promise<string>(resolve => {
          replies.set(id, one => resolve(one.children.map(child => format(child as Element, one.ns)).join("")));
        });
        void router.iq(stanza);
        return reply;
      };
    },
  };
}

export const ref = (nodeId: string, partition = ""): NodeRef => ({ nodeId, sourceId: "MeteringTopology", partition });

/** A node that says these readings and then ends; a script may wait on the clock in between. */
export type Script = (ask: Ask, signal: AbortSignal) => AsyncIterable<Reading>;

export interface FakeReadouts extends Pick<Concentrator, "contains" | "admitRead" | "readout"> {
  readonly nodes: Map<string, Script>;
  /** Asked before each admission; throws to refuse. */
  decide: (caller: Caller, nodes: readonly NodeRef[], ask: Ask, signal: AbortSignal) => Promise<void>;
  readonly admissions: { caller: Caller; nodes: readonly NodeRef[]; ask: Ask }[];
  started: number;
}

export function fakeReadouts(): FakeReadouts {
  const nodes = new Map<string, Script>();
  const known = (node: NodeRef) => nodes.has(node.nodeId) && sameNode(node, ref(node.nodeId, node.partition));
  const fake: FakeReadouts = {
    nodes,
    admissions: [],
    started: 0,
    decide: async () => {},
    contains: async (_caller, node) => known(node),
    async admitRead(caller, asked, ask, signal) {
      fake.admissions.push({ caller, nodes: asked, ask });
      for (const node of asked) if (!known(node)) throw new Refusal("not-found", `no ${node.nodeId}`);
      await fake.decide(caller, asked, ask, signal);
      return { caller, targets: asked.map(node => ({ node, ask })) } as unknown as Admitted;
    },
    async *readout(admitted, signal) {
      fake.started++;
      for (const { node, ask } of admitted.targets) {
        for await (const one of (nodes.get(node.nodeId) as Script)(ask, signal)) {
          const asked = one.kind === "fault" ? one : asAsked(one, ask);
          if (asked !== undefined) yield { ...one, ...asked };
        }
      }
    },
  };
  return fake;
}

export const says = (...readings: Reading[]): Script =>
  async function* () {
    yield* readings;
  };
