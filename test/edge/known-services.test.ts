// The services the appliance knows, as it looks for them again and again: who is on that list may reach it, and nobody else by what
// he calls himself.

import { expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import { createKnownServices } from "#edge/known-services.ts";
import { namespace } from "#iot/generations.ts";
import { oldDiscoveryNs, type RegistryService } from "#iot/old-discovery.ts";
import type { Service } from "#iot/registration.ts";
import { element } from "#xml/element.ts";
import { manualClock } from "../support/manual-clock.ts";

const info = "http://jabber.org/protocol/disco#info";
const items = "http://jabber.org/protocol/disco#items";

/** A domain that offers what is in `offers`, by JID. */
function scene(offers: Map<string, readonly string[]>) {
  const clock = manualClock();
  const stop = new AbortController();
  const looks: number[] = [];
  const decides: { service: Service | undefined } = { service: undefined };
  const registers: { service: RegistryService | undefined } = { service: undefined };
  const services = createKnownServices({
    connection: {
      jid: "gw9@hub.example/e",
      online: true,
      send: () => {},
      async request(_type, to, { ns }) {
        if (ns === items) looks.push(clock.monotonic());
        if (ns === items)
          return element(
            "query",
            items,
            {},
            [...offers.keys()].map(jid => element("item", items, { jid })),
          );
        const features = (offers.get(to ?? "") ?? []).map(one => element("feature", info, { var: one }));
        return element("query", info, {}, [
          element("identity", info, { category: "component", type: "x" }),
          ...features,
        ]);
      },
    },
    domain: "hub.example",
    discovery: {
      get service() {
        return registers.service;
      },
      serviceFound: found => void (registers.service = found),
      registrySeen: () => {},
    },
    provisioning: {
      get service() {
        return decides.service;
      },
      serviceFound: found => void (decides.service = found),
      serviceSeen: () => {},
    },
    publishing: { serviceFound: () => {} },
    updates: { serviceFound: () => {} },
    events: { serviceFound: () => {} },
    named: {},
    changes: { found: (_kind, _known, _said, use) => use(), unchosen: () => {} },
    clock,
    log: silentLog,
  });
  const running = services.run(stop.signal);
  return {
    clock,
    services,
    registers,
    /** When the domain was asked for its items. */
    looks,
    async look() {
      services.look();
      await clock.advance(0);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

it("PRES-IQ-02: a service that was replaced is on the list no more, a domain that only looks like one never was", async () => {
  const offers = new Map<string, readonly string[]>([
    ["reg.hub.example", [namespace("discovery", "nf")]],
    ["prov.hub.example", [namespace("provisioningDevice", "nf")]],
    ["chat.hub.example", []],
  ]);
  await using it = scene(offers);
  await it.look();
  expect([...it.services.all].sort()).toEqual(["prov.hub.example", "reg.hub.example"]);
  offers.delete("prov.hub.example");
  offers.set("prov2.hub.example", [namespace("provisioningDevice", "nfi")]);
  await it.look();
  expect([...it.services.all].sort()).toEqual(["prov2.hub.example", "reg.hub.example"]);
});

it("DISCO-NS-03: a registry of XEP-0347 is used where there is no other, and never for one of today that is away", async () => {
  const offers = new Map<string, readonly string[]>([["old.hub.example", [oldDiscoveryNs]]]);
  await using it = scene(offers);
  await it.look();
  expect(it.registers.service).toEqual({ jid: "old.hub.example", generation: "xsf" });
  offers.set("reg.hub.example", [namespace("discovery", "nf")]);
  await it.look();
  expect(it.registers.service).toEqual({ jid: "reg.hub.example", generation: "nf" });
  offers.delete("reg.hub.example");
  await it.look();
  expect(it.registers.service?.jid).toBe("reg.hub.example");
});

it("ACC-FIND-03: what was found is good for a day, or until the next log-in; what is missing is looked for soon", async () => {
  const offers = new Map<string, readonly string[]>([["reg.hub.example", [namespace("discovery", "nf")]]]);
  await using it = scene(offers);
  await it.clock.advance(900_000);
  expect(it.looks.length).toBeGreaterThan(4);
  offers.set("prov.hub.example", [namespace("provisioningDevice", "nf")]);
  await it.clock.advance(400_000);
  const found = it.looks.length;
  await it.clock.advance(85_900_000);
  expect(it.looks).toHaveLength(found);
  await it.clock.advance(600_000);
  expect(it.looks).toHaveLength(found + 1);
  await it.look();
  expect(it.looks).toHaveLength(found + 2);
});
