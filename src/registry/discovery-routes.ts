// Thing Registry: what things and owners ask (discovery.md, section 4), in every generation.

import { createRate, type Rate } from "#base/rate.ts";
import { Refusal } from "#contract/faults.ts";
import { rootRef, sameNode } from "#contract/node.ts";
import * as wire from "#iot/discovery.wire.ts";
import { inEveryGeneration, namespace } from "#iot/generations.ts";
import type { Dialect } from "#iot/old-discovery.ts";
import { countedSendersMax } from "#limits.ts";
import { domainOf } from "#xmpp/jid.ts";
import { type IqRequest, type Route, route } from "#xmpp/router.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { oldRoutes } from "./old-dialect.ts";
import type { Service } from "./service.ts";
import { readRegistration } from "./tags.ts";
import { register, remove, unregister, updateByOwner, updateByThing } from "./things.ts";

export const discoveryRoutes = (service: Service): Route[] => {
  // DISCO-THR-05; shared by the generations, or three dialects would have three allowances.
  const registers = createRate(service.clock, 500, 200, countedSendersMax);
  const routesIn = (ns: string, dialect: Dialect) => [
    ...thingRoutes(service, registers, ns, dialect),
    ...ownerRoutes(service, ns, dialect),
  ];
  const old = service.options.oldDialect === undefined ? [] : routesIn(namespace("discovery", "nf"), "xsf");
  return [...inEveryGeneration("discovery", routesIn), ...oldRoutes(old, undefined)];
};

const slowDown = () => new StanzaError("wait", "resource-constraint", "too many requests; try again later");

function thingRoutes(service: Service, registers: Rate, ns: string, dialect: Dialect): Route[] {
  const { store, claims, clock, options } = service;
  const requireLocal = ({ fromBare }: IqRequest) => {
    if (!service.isLocal(domainOf(fromBare)))
      throw new Refusal("not-allowed", "things register with the registry of their own domain");
  };
  const tellDevice = (request: IqRequest) =>
    service.after(request, "pushes", () => service.pushes.deliver(request.fromBare));

  return [
    route(["set"], ns, wire.register, async ({ ref, selfOwned, tags }, request) => {
      requireLocal(request);
      if (!registers.take(request.fromBare)) throw slowDown();
      const registration = readRegistration(tags, options.allowWeakKey);
      const { claimed, disowned } = await store.change(records =>
        register(records, request.fromBare, ref, registration, selfOwned, clock.now()),
      );
      if (disowned !== undefined) {
        claims.agreed(disowned);
        tellDevice(request);
      }
      service.after(request, "first-contact", () => service.peers.befriend(request.fromBare, dialect));
      return claimed && wire.claimed.encode({ jid: claimed.owner, ref, isPublic: claimed.isPublic }, ns);
    }),
    route(["set"], ns, wire.update, async ({ jid, ref, tags }, request) => {
      const { fromBare } = request;
      if (jid !== undefined && jid !== fromBare) {
        await store.change(records => updateByOwner(records, fromBare, jid, ref, tags));
        return undefined;
      }
      requireLocal(request);
      if (!registers.take(fromBare)) throw slowDown();
      const { disowned } = await store.change(records => updateByThing(records, fromBare, ref, tags));
      return disowned ? wire.disowned.encode({ ref: rootRef }, ns) : undefined;
    }),
    route(["set"], ns, wire.unregister, async ({ ref }, request) => {
      requireLocal(request);
      const { disowned } = await store.change(records => unregister(records, request.fromBare, ref, clock.now()));
      if (disowned !== undefined) claims.agreed(disowned);
      tellDevice(request);
      return undefined;
    }),
  ];
}

function ownerRoutes(service: Service, ns: string, dialect: Dialect): Route[] {
  const { store, claims, clock, pushes } = service;
  return [
    route(["set"], ns, wire.mine, async ({ ref, isPublic, tags }, request) => {
      const narrow = sameNode(ref, rootRef) ? undefined : ref;
      const thing = await claims.mine(request.fromBare, tags, narrow, isPublic);
      service.after(request, "claim", async () => {
        // Together: what both have to remember goes to the disk at once.
        await Promise.all([pushes.deliver(thing.jid), service.peers.befriend(request.fromBare, dialect)]);
      });
      return wire.claimed.encode({ jid: thing.jid, ref: thing.ref, isPublic }, ns);
    }),
    route(["set"], ns, wire.remove, async ({ jid, ref }, request) => {
      await store.change(records => remove(records, request.fromBare, jid, ref, clock.now()));
      service.after(request, "remove", () => pushes.deliver(jid));
      return undefined;
    }),
    route(["set"], ns, wire.disown, async ({ jid, ref }, request) => {
      await claims.disown(request.fromBare, jid, ref);
      service.after(request, "disown", () => pushes.deliver(jid));
      return undefined;
    }),
  ];
}
