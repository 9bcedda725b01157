// What the provisioning service says unasked: clear what you remember, make a friend, end a friendship. Taken from its
// exact JID alone, in any generation; from anybody else it is refused, or dropped, and noted (PROV-TRUST-01).

import type { Log } from "#base/log.ts";
import { Refusal } from "#contract/faults.ts";
import type { NodeRef } from "#contract/node.ts";
import type { Codec } from "#xml/codec.ts";
import { bareJid } from "../jid.ts";
import { type MessageRoute, type Route, route } from "../router.ts";
import { inEveryGeneration } from "./generations.ts";
import * as wire from "./provisioning-device.wire.ts";
import type { Service } from "./registration.ts";

export interface ServiceWordsDeps {
  readonly service: () => Service | undefined;
  readonly account: () => string | undefined;
  readonly log: Log;
  readonly seen: () => void;
  /** Of one node, or everything. On the disk when it returns. */
  readonly clear: (node: NodeRef | undefined) => void;
  readonly friend: (bareJid: string) => void;
  readonly unfriend: (bareJid: string) => void;
}

export function serviceRoutes(deps: ServiceWordsDeps): { routes: Route[]; messages: MessageRoute[] } {
  const isService = (from: string, element: string): boolean => {
    const service = deps.service();
    if (service !== undefined && from === service.jid) {
      deps.seen();
      return true;
    }
    deps.log.warning("SpoofedStanza", { element, from, service: service?.jid ?? "none" });
    return false;
  };

  const routes = inEveryGeneration("provisioningDevice", ns => [
    route(
      ["set"],
      ns,
      wire.clearCache,
      async ({ ref }, request) => {
        if (!isService(request.from, "clearCache"))
          throw new Refusal("denied", "only the provisioning service of this domain may say so");
        deps.clear(ref.nodeId === "" ? undefined : ref);
        return undefined;
      },
      "anyone",
    ),
  ]);

  const told = (ns: string, codec: Codec<{ jid: string }>, act: (jid: string) => void): MessageRoute => ({
    ns,
    name: codec.name,
    access: "anyone",
    handle({ from, payload }) {
      if (!isService(from, codec.name)) return;
      const jid = bareJid(codec.decode(payload).jid);
      if (jid === undefined || jid === deps.account())
        deps.log.warning("friend-ignored", { element: codec.name, why: "no JID of somebody else" });
      else act(jid);
    },
  });

  const messages = inEveryGeneration("provisioningDevice", ns => [
    told(ns, wire.friend, deps.friend),
    told(ns, wire.unfriend, deps.unfriend),
  ]);
  return { routes, messages };
}
