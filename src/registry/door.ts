// Before each answer: the sender's generation is noted, what his device has not acknowledged goes first, and nobody may
// have too much at once.

import { type Family, generationOf } from "#iot/generations.ts";
import { type Dialect, oldDiscoveryNs } from "#iot/old-discovery.ts";
import { registryRequestsPerSenderMax } from "#limits.ts";
import type { IqRequest, Route } from "#xmpp/router.ts";
import { asStanzaError, StanzaError } from "#xmpp/stanza.ts";
import type { Service } from "./service.ts";

const families: readonly Family[] = ["discovery", "provisioningDevice", "provisioningOwner"];

export function createDoor({ peers, pushes, log }: Service): (route: Route) => Route {
  const busy = new Map<string, number>();
  /** Who tried to change what he may not leaves a line; what is too much, a wrong claim and our own faults have their own. */
  const told = ({ fromBare, payload }: IqRequest, { type, condition, text }: StanzaError) => {
    if (type === "wait" || condition === "internal-server-error" || payload.name === "mine") return;
    const facts = { from: fromBare, element: payload.name, condition, text };
    if (payload.name.endsWith("Rule")) log.warning("RuleRejected", facts);
    else if (payload.name === "register" || payload.name === "update") log.warning("RegistryTagRejected", facts);
    else log.warning("RequestRefused", facts);
  };
  return route => {
    const generation = generationIn(route.ns);
    return {
      ...route,
      access: "anyone",
      async handle(request) {
        const { fromBare, from } = request;
        const mine = busy.get(fromBare) ?? 0;
        if (mine >= registryRequestsPerSenderMax)
          throw new StanzaError("wait", "resource-constraint", "too many requests at once");
        busy.set(fromBare, mine + 1);
        try {
          if (generation !== undefined) await peers.spoke(fromBare, generation);
          await peers.heard(from);
          await pushes.beforeAnswer(fromBare, from);
          return await route.handle(request);
        } catch (error) {
          if (request.type === "set") told(request, asStanzaError(error));
          throw error;
        } finally {
          const left = (busy.get(fromBare) ?? 1) - 1;
          if (left === 0) busy.delete(fromBare);
          else busy.set(fromBare, left);
        }
      },
    };
  };
}

const generationIn = (ns: string): Dialect | undefined =>
  ns === oldDiscoveryNs ? "xsf" : families.map(family => generationOf(family, ns)).find(found => found !== undefined);
