// Following values: a subscription of the event interface, kept for as long as somebody reads from it (EV-END-03).

import { type Categories, categories, type Reading } from "#contract/field.ts";
import type { NodeRef } from "#contract/node.ts";
import * as events from "#iot/events.wire.ts";
import { namespace } from "#iot/generations.ts";
import * as sensor from "#iot/sensor-data.wire.ts";
import { clientLatencyMs } from "#limits.ts";
import { type AskingDeps, createAsking, noTokens } from "./asking.ts";
import { type KeepingDeps, keep, type Whereabouts } from "./keeping.ts";
import { readingsOf } from "./things.ts";

/** Which changes of which values are wanted. */
export interface Wish {
  readonly nodes: readonly NodeRef[];
  /** Momentary values unless said. */
  readonly categories?: Categories;
  /** None: all fields of the categories, each at any change. */
  readonly fields?: readonly Partial<events.Field>[];
  readonly minIntervalMs?: number;
  readonly maxIntervalMs?: number;
  readonly maxAgeMs?: number;
  /** The values as they are now come first. */
  readonly now?: boolean;
}

export interface Subscriptions {
  /**
   * Readings and faults as they come, until aborted or left; then the subscription is ended over there. After a silence
   * longer than the greatest interval, or when either side was away, it is made anew, and the values of then come first.
   * Throws `StanzaError` when the first one is refused, or a later one for good.
   */
  subscribe(where: Whereabouts, wish: Wish, signal: AbortSignal): AsyncGenerator<Reading>;
}

export function createSubscriptions(deps: AskingDeps & KeepingDeps): Subscriptions {
  const generation = deps.generation ?? "nf";
  const { ask, tell } = createAsking(deps, namespace("events", generation));
  const ns = namespace("sensorData", generation);

  return {
    subscribe(where, wish, signal) {
      const id = crypto.randomUUID();
      const { maxIntervalMs } = wish;
      return keep<Reading>(
        deps,
        where,
        {
          ns,
          names: [sensor.response.name, sensor.done.name, sensor.started.name],
          take(payload) {
            if (payload.attrs.id !== id) return undefined;
            return payload.name === sensor.response.name ? [...readingsOf(sensor.response.decode(payload))] : [];
          },
          async begin(to, again, inner) {
            await ask("set", to, events.subscribe, requestOf(id, wish, again), sensor.accepted, inner);
            return [];
          },
          ...(maxIntervalMs === undefined ? {} : { silenceMs: Math.max(10_000, maxIntervalMs) + clientLatencyMs }),
          end: to => tell("set", to, events.unsubscribe, { id }, new AbortController().signal),
        },
        signal,
      );
    },
  };
}

const requestOf = (id: string, wish: Wish, again: boolean): events.Subscribe => ({
  id,
  categories: wish.categories ?? categories("momentary"),
  maxAgeMs: wish.maxAgeMs,
  minIntervalMs: wish.minIntervalMs,
  maxIntervalMs: wish.maxIntervalMs,
  now: again || (wish.now ?? false),
  tokens: noTokens,
  nodes: wish.nodes,
  fields: (wish.fields ?? []).map(({ name = "", value, by, up, down }) => ({ name, value, by, up, down })),
});
