// Whether a failed question to a service means that it is away, to be asked again later, or that it has answered.

import { Refusal } from "#contract/faults.ts";
import { WireError } from "#xml/codec.ts";
import { StanzaError } from "#xmpp/stanza.ts";

const away: ReadonlySet<string> = new Set([
  "service-unavailable",
  "recipient-unavailable",
  "remote-server-not-found",
  "remote-server-timeout",
  "internal-server-error",
  "resource-constraint",
]);

/** The broker says so of a component that is not connected; time-outs, lost streams and a full outbox mean the same. */
export function isAway(error: unknown): boolean {
  if (error instanceof StanzaError) return error.type === "wait" || away.has(error.condition);
  return error instanceof Refusal ? error.kind === "busy" : !(error instanceof WireError);
}
