// The services the appliance deals with: looked for on its own domain, told to whom they concern, and heard when they give a
// sign of life. They may reach us; that makes them no contacts with rights of their own.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Task } from "#base/supervise.ts";
import type { Discovery } from "#iot/discovery.ts";
import { preferred } from "#iot/generations.ts";
import { preferredDialect } from "#iot/old-discovery.ts";
import type { Provisioning } from "#iot/provisioning.ts";
import type { Connection } from "#xmpp/connection.ts";
import type { Choice, Service } from "#xmpp/disco.ts";
import { bareJid } from "#xmpp/jid.ts";
import type { EventSending } from "./event-sending.ts";
import type { ValuePublishing } from "./publishing.ts";
import type { ServiceChanges } from "./service-changes.ts";
import { createServiceSearch } from "./services.ts";
import type { SoftwareUpdates } from "./software.ts";

export interface KnownServicesDeps {
  readonly connection: Connection;
  readonly domain: string;
  /** JIDs that the boot file names. */
  readonly named: NonNullable<Choice["named"]>;
  readonly discovery: Pick<Discovery, "service" | "serviceFound" | "registrySeen">;
  readonly provisioning: Pick<Provisioning, "service" | "serviceFound" | "serviceSeen">;
  readonly publishing: Pick<ValuePublishing, "serviceFound">;
  readonly updates: Pick<SoftwareUpdates, "serviceFound">;
  readonly events: Pick<EventSending, "serviceFound">;
  readonly changes: Pick<ServiceChanges, "found" | "unchosen">;
  readonly clock: Clock;
  readonly log: Log;
}

export interface KnownServices {
  /** Bare JIDs of registry and provisioning service. */
  readonly all: ReadonlySet<string>;
  /** Somebody said something: what waits for a service may go on when it was that one. */
  seen(from: string | undefined): void;
  /** A new stream was bound. */
  look(): void;
  readonly run: Task;
}

export function createKnownServices(deps: KnownServicesDeps): KnownServices {
  const { discovery, provisioning, publishing, updates, events, changes } = deps;
  const all = new Set<string>();
  /** Those that are known from earlier runs too, and none that was replaced (PRES-IQ-02). */
  const list = () => {
    all.clear();
    for (const one of [discovery.service, provisioning.service]) if (one) all.add(one.jid);
  };
  list();
  /** One of XEP-0347 does not take the place of one of today that is away for a while. */
  const oldOne = (found: Service | undefined): Service | undefined => {
    const { jid, generation = "xsf" } = discovery.service ?? {};
    return generation === "xsf" || jid === found?.jid ? found : undefined;
  };
  const search = createServiceSearch(
    deps.connection,
    deps.domain,
    found => {
      const { registry = oldOne(found.oldRegistry), provisioning: decider } = found;
      const speaks = registry && preferredDialect(registry.features);
      if (registry && speaks)
        changes.found("registry", discovery.service?.jid, registry.jid, () => {
          discovery.serviceFound({ jid: registry.jid, generation: speaks });
          list();
        });
      const decides = decider && preferred("provisioningDevice", decider.features);
      if (decider && decides)
        changes.found("provisioning", provisioning.service?.jid, decider.jid, () => {
          provisioning.serviceFound({ jid: decider.jid, generation: decides });
          list();
        });
      changes.unchosen(found.unchosen);
      if (found.pubsub) publishing.serviceFound(found.pubsub);
      if (found.software) updates.serviceFound(found.software);
      events.serviceFound(found.eventLog?.jid);
    },
    () => ({ named: deps.named, known: [discovery.service?.jid, provisioning.service?.jid] }),
    deps.clock,
    deps.log,
  );
  return {
    all,
    seen(from) {
      const bare = bareJid(from);
      if (bare === undefined || !all.has(bare)) return;
      if (bare === discovery.service?.jid) discovery.registrySeen();
      if (bare === provisioning.service?.jid) provisioning.serviceSeen();
    },
    look: search.look,
    run: search.run,
  };
}
