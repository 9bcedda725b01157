// A client of a concentrator: looks at its nodes, reads them, sets them. Everything is asked under the full JID that the
// concentrator's presence told (see contacts.ts), in one generation of the interfaces.

import type { ControlValue } from "#contract/control.ts";
import type { Ask, Reading } from "#contract/field.ts";
import { type NodeRef, rootRef } from "#contract/node.ts";
import * as wire from "#iot/control.wire.ts";
import { namespace } from "#iot/generations.ts";
import * as sensor from "#iot/sensor-data.wire.ts";
import type { Element } from "#xml/element.ts";
import type { Connection } from "#xmpp/connection.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { type AskingDeps, createAsking, inLanguage, noTokens } from "./asking.ts";
import type { ClientMessage, Inbox } from "./inbox.ts";
import { createNodes, type Nodes } from "./nodes.ts";

export interface Things extends Nodes {
  /** Readings as they come; ends when the concentrator says so. Leaving early, or aborting, cancels the readout over there. */
  read(to: string, refs: readonly NodeRef[], ask: Partial<Ask>, signal: AbortSignal): AsyncGenerator<Reading>;
  /** Throws `StanzaError`; `parameterFaults` of control.wire.ts reads its details. */
  set(
    to: string,
    refs: readonly NodeRef[],
    values: readonly wire.ControlItem[],
    signal: AbortSignal,
  ): Promise<wire.Response>;
}

export interface ThingsDeps extends AskingDeps {
  readonly connection: Connection;
  readonly inbox: Inbox;
}

export function createThings(deps: ThingsDeps): Things {
  const { connection, inbox, generation = "nf", language = "" } = deps;
  const control = createAsking(deps, namespace("control", generation));
  return {
    ...createNodes(deps),
    read: (to, refs, what, signal) =>
      readout({ connection, inbox, ns: namespace("sensorData", generation), language }, to, refs, what, signal),
    set(to, refs, values, signal) {
      const request = { tokens: noTokens, nodes: refs, values: { parameters: values, faults: [] }, form: undefined };
      return control.ask("set", to, wire.set, request, wire.response, signal);
    },
  };
}

interface Wires {
  readonly connection: Connection;
  readonly inbox: Inbox;
  readonly ns: string;
  readonly language: string;
}

async function* readout(
  { connection, inbox, ns, language }: Wires,
  to: string,
  refs: readonly NodeRef[],
  what: Partial<Ask>,
  signal: AbortSignal,
): AsyncGenerator<Reading> {
  const id = crypto.randomUUID();
  const queue: sensor.Response[] = [];
  let ended = false;
  let lost: unknown;
  let wake = () => {};
  const leaving = new AbortController();
  const lose = (why: unknown) => {
    lost ??= why;
    leaving.abort(lost);
    wake();
  };
  const take = (response: sensor.Response) => {
    if (response.id !== id || ended) return;
    queue.push(response);
    ended = !response.more;
    wake();
  };
  const takeFrom = (decode: (payload: Element) => sensor.Response) => (message: ClientMessage) => {
    if (message.from !== to || message.payload.attrs.id !== id) return;
    try {
      take(decode(message.payload));
    } catch (error) {
      lose(error);
    }
  };
  const onAbort = () => wake();
  // Data may overtake nothing, but it may come before we look: listen first, then ask.
  using _resp = inbox.onMessage(ns, "resp", takeFrom(sensor.response.decode));
  using _done = inbox.onMessage(
    ns,
    "done",
    takeFrom(payload => ({ id: sensor.done.decode(payload).id, more: false, nodes: [], samples: [] })),
  );
  // Whoever is gone says no more, and what is said to a session we no longer have is lost.
  using _gone = inbox.onPresence(({ from, type }) => {
    if (from === to && type === "unavailable") lose(gone("it went offline in the middle of the readout"));
  });
  using _online = inbox.onOnline(resumed => {
    if (!resumed) lose(gone("the connection was lost in the middle of the readout"));
  });
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const asked = inLanguage(sensor.request.encode(requestOf(id, refs, what), ns), language);
    const reply = await connection.request("get", to, asked, { signal: AbortSignal.any([signal, leaving.signal]) });
    if (reply?.name === "resp") take(sensor.response.decode(reply));
    for (;;) {
      const next = queue.shift();
      if (next !== undefined) yield* readingsOf(next);
      else if (ended) return;
      else if (lost !== undefined) throw lost;
      else if (signal.aborted) throw signal.reason;
      else await new Promise<void>(resolve => (wake = resolve));
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    if (!ended && lost === undefined) connection.request("set", to, sensor.cancel.encode({ id }, ns)).catch(() => {});
  }
}

const gone = (why: string): StanzaError => new StanzaError("wait", "recipient-unavailable", why);

const requestOf = (id: string, refs: readonly NodeRef[], what: Partial<Ask>): sensor.Request => ({
  id,
  categories: what.categories ?? {
    momentary: true,
    peak: false,
    status: false,
    computed: false,
    identity: false,
    historical: false,
  },
  from: finite(what.from),
  to: finite(what.to),
  when: undefined,
  tokens: noTokens,
  nodes: refs,
  names: what.names ?? [],
});

const finite = (at: number | undefined) => (at !== undefined && Number.isFinite(at) ? at : undefined);

export function* readingsOf(response: sensor.Response): Generator<Reading> {
  const groups = [{ ref: rootRef, samples: response.samples }, ...response.nodes];
  for (const { ref, samples } of groups) {
    for (const { at, fields, errors } of samples) {
      if (fields.length > 0) yield { kind: "reading", node: ref, at, fields };
      for (const message of errors) yield { kind: "fault", node: ref, at, message };
    }
  }
}

/** A value as a person writes it, of the kind the text suggests: the concentrator checks it against the parameter. */
export function parseControlValue(text: string): ControlValue {
  if (/^(true|false|on|off|yes|no)$/i.test(text)) return { kind: "boolean", value: /^(true|on|yes)$/i.test(text) };
  if (/^[+-]?\d{1,9}$/.test(text)) return { kind: "int32", value: Number(text) };
  if (/^[+-]?\d{1,18}$/.test(text)) return { kind: "int64", value: BigInt(text) };
  if (/^[+-]?(\d+\.?\d*|\.\d+)$/.test(text)) return { kind: "double", value: Number(text) };
  return { kind: "string", value: text };
}
