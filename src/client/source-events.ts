// Following a data source: what happens to its nodes, without a gap over lost connections and restarts of either side, for as
// long as somebody reads from it.

import { meteringTopology, type NodeMessage, type NodeRef, type NodeState } from "#contract/node.ts";
import { namespace } from "#iot/generations.ts";
import * as wire from "#iot/source-events.wire.ts";
import type { Element } from "#xml/element.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { type AskingDeps, createAsking, noTokens } from "./asking.ts";
import { type KeepingDeps, keep, type Whereabouts } from "./keeping.ts";

/** fetch: what happened before this is not told, so the nodes are to be fetched now; it always comes first. */
export type SourceNews =
  | { readonly kind: "fetch" }
  | ({ readonly kind: "nodeAdded"; readonly after: { nodeId: string; partition: string } | undefined } & wire.InfoEvent)
  | ({ readonly kind: "nodeUpdated"; readonly oldId: string | undefined } & wire.InfoEvent)
  | {
      readonly kind: "nodeStatusChanged";
      readonly ref: NodeRef;
      readonly state: NodeState;
      readonly at: number;
      readonly messages: readonly NodeMessage[];
    }
  | { readonly kind: "nodeRemoved" | "nodeMovedUp" | "nodeMovedDown"; readonly ref: NodeRef; readonly at: number };

export interface FollowOptions {
  /** "" is the source of the field devices. */
  readonly sourceId?: string;
  readonly parameters?: boolean;
  readonly messages?: boolean;
}

export interface SourceEvents {
  /** Until aborted or left. Throws `StanzaError` when the first subscription is refused, or a later one for good. */
  follow(where: Whereabouts, options: FollowOptions, signal: AbortSignal): AsyncGenerator<SourceNews>;
}

const ttlSeconds = 600;
const allEvents = Object.fromEntries(wire.eventNames.map(name => [name, true])) as unknown as wire.EventFlags;

export function createSourceEvents(deps: AskingDeps & KeepingDeps): SourceEvents {
  const ns = namespace("concentrator", deps.generation ?? "nf");
  const { tell } = createAsking(deps, ns);

  return {
    follow(where, { sourceId = "", parameters = true, messages = true }, signal) {
      /** Time of the newest event there was. */
      let last: number | undefined;
      const subscribe = (to: string, since: number | undefined, inner: AbortSignal) =>
        tell(
          "set",
          to,
          wire.subscribe,
          { sourceId, ttlSeconds, since, parameters, messages, events: allEvents, tokens: noTokens },
          inner,
        );
      return keep<SourceNews>(
        deps,
        where,
        {
          ns,
          names: wire.eventNames,
          take(payload) {
            const news = newsOf(payload);
            if (sourceOf(news) !== (sourceId || meteringTopology)) return undefined;
            // Told again after a renewal, or of a time that was told: nothing new.
            if (last !== undefined && news.at < last) return undefined;
            last = news.at;
            return [news];
          },
          async begin(to, again, inner) {
            if (again && last !== undefined) {
              try {
                await subscribe(to, last + 1, inner);
                return [];
              } catch (error) {
                if (!(error instanceof StanzaError) || error.condition !== "feature-not-implemented") throw error;
              }
            }
            await subscribe(to, undefined, inner);
            return [{ kind: "fetch" }];
          },
          lifeMs: ttlSeconds * 1000,
          renew: (to, inner) => subscribe(to, undefined, inner),
          end: to =>
            tell(
              "set",
              to,
              wire.unsubscribe,
              { sourceId, events: allEvents, tokens: noTokens },
              new AbortController().signal,
            ),
        },
        signal,
      );
    },
  };
}

type Timed = Exclude<SourceNews, { kind: "fetch" }>;

const sourceOf = (news: Timed): string => ("info" in news ? news.info.ref : news.ref).sourceId;

function newsOf(payload: Element): Timed {
  switch (payload.name) {
    case "nodeAdded":
      return { kind: "nodeAdded", ...wire.nodeAdded.decode(payload) };
    case "nodeUpdated":
      return { kind: "nodeUpdated", ...wire.nodeUpdated.decode(payload) };
    case "nodeStatusChanged":
      return { kind: "nodeStatusChanged", ...wire.nodeStatusChanged.decode(payload) };
    case "nodeRemoved":
      return { kind: "nodeRemoved", ...wire.nodeRemoved.decode(payload) };
    case "nodeMovedUp":
      return { kind: "nodeMovedUp", ...wire.nodeMovedUp.decode(payload) };
    default:
      return { kind: "nodeMovedDown", ...wire.nodeMovedDown.decode(payload) };
  }
}
