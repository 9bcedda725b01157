// What others may ask of the appliance: its routes with their bounds, and how they are found out about.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Languages } from "#contract/language.ts";
import { formFeatures } from "#iot/data-form.wire.ts";
import * as limits from "#limits.ts";
import { createDisco, type Disco } from "#xmpp/disco.ts";
import { createRouter, type Gate, type MessageRoute, type Route, type Router } from "#xmpp/router.ts";
import type { Session } from "#xmpp/session.ts";

export interface FrontDeps {
  readonly parts: readonly { readonly routes?: readonly Route[]; readonly messages?: readonly MessageRoute[] }[];
  readonly session: Pick<Session, "send">;
  readonly gate: Gate;
  readonly languages: Languages;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export function createFront({ parts, session, ...deps }: FrontDeps): { disco: Disco; router: Router } {
  const disco = createDisco({
    features: () => [...router.features, ...formFeatures],
    identity: { category: "client", type: "bot", name: "Isthmus" },
    node: "https://isthmus.example/",
  });
  const router: Router = createRouter({
    ...deps,
    routes: [disco, ...parts].flatMap(({ routes = [] }) => routes),
    messages: parts.flatMap(({ messages = [] }) => messages),
    reply: stanza => session.send(stanza),
    concurrentMax: limits.requestsAtOnceMax,
    concurrentPerCallerMax: limits.requestsPerCallerMax,
    replayMs: limits.replayMs,
    replaysMax: limits.replaysMax,
    replayBytesMax: limits.replayBytesMax,
  });
  return { disco, router };
}
