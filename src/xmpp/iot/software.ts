// Hearing of new software from the service of the own broker (SWU-CLI): subscribed to after every log-in, asked for what was
// missed, and listened to from that one JID. What becomes of a package is decided elsewhere.

import type { Log } from "#base/log.ts";
import type { Codec } from "#xml/codec.ts";
import type { Connection } from "../connection.ts";
import type { InboundMessage, MessageRoute } from "../router.ts";
import { StanzaError } from "../stanza.ts";
import { inEveryGeneration, namespace } from "./generations.ts";
import type { Service } from "./registration.ts";
import * as wire from "./software.wire.ts";

export interface SoftwareDeps {
  readonly connection: Pick<Connection, "online" | "request">;
  /** The package of this program; undefined: nothing is asked for. */
  readonly fileName: string | undefined;
  /** A package of that name, perhaps one that is known already; must not throw. */
  readonly told: (info: wire.PackageInfo) => void;
  /** It was withdrawn. */
  readonly deleted: (info: wire.PackageInfo) => void;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface Software {
  readonly messages: readonly MessageRoute[];
  /** Found by disco on the own domain. */
  serviceFound(service: Service): void;
  /** A new stream was bound. */
  online(): void;
}

export function createSoftware({ connection, fileName, told, deleted, log, signal }: SoftwareDeps): Software {
  let service: Service | undefined;

  const catchUp = async (from: Service, name: string): Promise<void> => {
    const ns = namespace("softwareUpdates", from.generation);
    await connection.request("set", from.jid, wire.subscribe.encode({ fileName: name }, ns), { signal });
    try {
      const answer = await connection.request("get", from.jid, wire.getPackageInfo.encode({ fileName: name }, ns), {
        signal,
      });
      if (answer !== undefined) hear(wire.packageInfo.decode(answer), told);
    } catch (error) {
      // There is no such package yet; the subscription tells when there is.
      if (!(error instanceof StanzaError && error.condition === "item-not-found")) throw error;
    }
  };
  const look = () => {
    if (service === undefined || fileName === undefined || !connection.online) return;
    catchUp(service, fileName).catch(error => {
      if (!signal.aborted) log.warning("software-service-silent", { service: service?.jid, error });
    });
  };

  const hear = (info: wire.PackageInfo, use: (info: wire.PackageInfo) => void) => {
    if (info.fileName === fileName) use(info);
  };
  const listening = (
    ns: string,
    codec: Codec<wire.PackageInfo>,
    use: (info: wire.PackageInfo) => void,
  ): MessageRoute => ({
    ns,
    name: codec.name,
    // Whoever else says so would choose where our software comes from (SWU-CLI-02); hence the sender is checked here.
    access: "anyone",
    handle({ from, payload }: InboundMessage) {
      if (service === undefined || from !== service.jid) {
        log.warning("SpoofedStanza", { element: codec.name, from, service: service?.jid ?? "none" });
        return;
      }
      hear(codec.decode(payload), use);
    },
  });

  return {
    messages: inEveryGeneration("softwareUpdates", ns => [
      listening(ns, wire.packageInfo, told),
      listening(ns, wire.packageDeleted, deleted),
    ]),
    serviceFound(found) {
      const isNew = service?.jid !== found.jid || service.generation !== found.generation;
      service = found;
      if (isNew) look();
    },
    online: look,
  };
}
