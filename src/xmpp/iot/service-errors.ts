// Whether a failed question to a service means that it is away, to be asked again later, or that it has answered.

import { Refusal } from "#contract/faults.ts";
import { serviceProbeMs } from "#limits.ts";
import { WireError } from "#xml/codec.ts";
import { element } from "#xml/element.ts";
import type { Connection } from "#xmpp/connection.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { infoNs } from "./disco.wire.ts";

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

/** What a broker says that may speak with no other server: everything it does not know is elsewhere, and forbidden. */
const ambiguous: ReadonlySet<string> = new Set(["forbidden", "not-allowed"]);

/**
 * As `isAway`; but a refusal may be the service's own, or that of a broker (ejabberd without s2s) that knows no such component
 * now. Only a service that is there describes itself.
 */
export async function isServiceAway(
  connection: Pick<Connection, "request">,
  service: string,
  error: unknown,
): Promise<boolean> {
  if (isAway(error)) return true;
  if (!(error instanceof StanzaError) || !ambiguous.has(error.condition)) return false;
  try {
    await connection.request("get", service, element("query", infoNs), { timeoutMs: serviceProbeMs });
    return false;
  } catch (second) {
    return second instanceof StanzaError && (isAway(second) || second.condition === error.condition);
  }
}
