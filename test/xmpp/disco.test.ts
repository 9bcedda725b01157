// Service discovery on the wire: announced is what is routed, and services are found as they announce themselves.

import { describe, expect, it } from "vitest";
import { TimeoutError } from "#base/deadline.ts";
import { createLog, type LogEvent, silentLog } from "#base/log.ts";
import * as wire from "#iot/disco.wire.ts";
import { namespaces } from "#iot/generations.ts";
import { type Element, element, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { type Choice, capsVersion, createDisco, discover } from "#xmpp/disco.ts";
import { createRouter, type Gate, type Route } from "#xmpp/router.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { manualClock } from "../support/manual-clock.ts";

function serve(routes: readonly Route[] = [], gate: Gate = () => true) {
  const replies: Element[] = [];
  let features: readonly string[] = [];
  const disco = createDisco({
    features: () => features,
    identity: { category: "client", type: "bot", name: "Isthmus" },
    node: "urn:x-isthmus",
  });
  const router = createRouter({
    routes: [...disco.routes, ...routes],
    messages: [],
    gate,
    reply: stanza => replies.push(stanza),
    clock: manualClock(),
    log: silentLog,
    signal: new AbortController().signal,
    concurrentMax: 10,
    replayMs: 1000,
    replaysMax: 10,
  });
  features = router.features;
  return {
    disco,
    async ask(payload: string): Promise<Element | undefined> {
      await router.iq(
        parse(
          `<iq xmlns='jabber:client' type='get' id='1' from='bob@city.example/x' to='gw@hub.example/y'>${payload}</iq>`,
        ),
      );
      return replies.at(-1)?.children[0] as Element | undefined;
    },
  };
}

const anyRoute = (ns: string): Route => ({ types: ["get"], ns, name: "x", handle: async () => undefined });

describe("answers", () => {
  it("PRES-DISCO-01, COM-NS-05: identity and the namespaces of the routes, in all generations", async () => {
    const { ask } = serve([...namespaces("sensorData"), ...namespaces("control")].map(anyRoute));
    const { identities, features } = wire.info.decode((await ask(`<query xmlns='${wire.infoNs}'/>`)) as Element);
    expect(identities).toEqual([{ category: "client", type: "bot", name: "Isthmus" }]);
    expect(features.toSorted()).toEqual(
      [
        wire.infoNs,
        wire.itemsNs,
        wire.capsNs,
        wire.pingNs,
        ...namespaces("sensorData"),
        ...namespaces("control"),
      ].toSorted(),
    );
  });

  it("PRES-DISCO-01: strangers get forbidden and no list", async () => {
    const { ask } = serve([], () => false);
    for (const ns of [wire.infoNs, wire.itemsNs]) {
      expect(format((await ask(`<query xmlns='${ns}'/>`)) as Element)).toContain("<forbidden ");
    }
  });

  it("PRES-OUT-01: the caps hash is that of the answer under its node, and changes with what is served", async () => {
    const { disco, ask } = serve([anyRoute("urn:a")]);
    const { node, ver, hash } = wire.caps.decode(disco.caps());
    expect(hash).toBe("sha-1");
    const info = wire.info.decode((await ask(`<query xmlns='${wire.infoNs}' node='${node}#${ver}'/>`)) as Element);
    expect(info.node).toBe(`${node}#${ver}`);
    expect(capsVersion(info.identities, info.features)).toBe(ver);
    expect(wire.caps.decode(serve([anyRoute("urn:b")]).disco.caps()).ver).not.toBe(ver);
    expect(format((await ask(`<query xmlns='${wire.infoNs}' node='${node}#old'/>`)) as Element)).toContain(
      "item-not-found",
    );
  });

  it("XEP-0115 section 5.2: the published example", () => {
    const ver = capsVersion(
      [{ category: "client", type: "pc", name: "Exodus 0.9.1" }],
      [
        "http://jabber.org/protocol/caps",
        "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/disco#items",
        "http://jabber.org/protocol/muc",
      ],
    );
    expect(ver).toBe("QgayPKawpkPSDYmwT/WM94uAlu0=");
  });

  it("XEP-0030, XEP-0199: no items, and a ping is answered empty", async () => {
    const { ask } = serve();
    expect(wire.items.decode((await ask(`<query xmlns='${wire.itemsNs}'/>`)) as Element).items).toEqual([]);
    expect(await ask(`<ping xmlns='${wire.pingNs}'/>`)).toBeUndefined();
  });
});

describe("finds services", () => {
  /** A domain whose entities announce these features; one that is an error does not answer. */
  function domain(entities: Record<string, readonly string[] | Error>, listed = Object.keys(entities)) {
    const asked: string[] = [];
    return {
      asked,
      async request(_type: string, to: string | undefined, payload: Element): Promise<Element> {
        asked.push(`${payload.ns.split("#")[1]} ${to}`);
        if (payload.ns === wire.itemsNs) {
          return wire.items.encode(
            { node: undefined, items: listed.map(jid => ({ jid, node: undefined, name: "" })) },
            wire.itemsNs,
          );
        }
        const features = entities[to ?? ""] ?? [];
        if (features instanceof Error) throw features;
        return wire.info.encode({ node: undefined, identities: [], features }, wire.infoNs);
      },
    };
  }
  const signal = new AbortController().signal;
  const registry = ["urn:nf:iot:disco:1.0"];
  const provisioning = ["urn:ieee:iot:prov:d:1.0"];

  it("DISCO-NS-01: one component for both, or one each, in any generation", async () => {
    const both = await discover(
      domain({ "things.hub.example": [...registry, ...provisioning] }),
      "hub.example",
      silentLog,
      signal,
    );
    expect(both.registry?.jid).toBe("things.hub.example");
    expect(both.provisioning?.jid).toBe("things.hub.example");
    expect(both.registry?.features.has("urn:nf:iot:disco:1.0")).toBe(true);
    const apart = await discover(
      domain({
        "a.hub.example": ["urn:nfi:iot:disco:1.0"],
        "b.hub.example": provisioning,
        "muc.hub.example": ["http://jabber.org/protocol/muc"],
      }),
      "hub.example",
      silentLog,
      signal,
    );
    expect([apart.registry?.jid, apart.provisioning?.jid]).toEqual(["a.hub.example", "b.hub.example"]);
  });

  it("DISCO-NS-03: one that speaks XEP-0347 alone counts only where there is no other", async () => {
    const old = ["urn:xmpp:iot:discovery"];
    const look = (entities: Record<string, readonly string[]>) =>
      discover(domain(entities), "hub.example", silentLog, signal);
    const alone = await look({ "old.hub.example": old });
    expect([alone.registry, alone.oldRegistry?.jid]).toEqual([undefined, "old.hub.example"]);
    const beside = await look({ "old.hub.example": old, "b.hub.example": [...registry, ...old] });
    expect([beside.registry?.jid, beside.oldRegistry]).toEqual(["b.hub.example", undefined]);
  });

  it("DISCO-NS-01: the domain itself may be it, and none is none", async () => {
    const own = await discover(domain({ "hub.example": registry }, []), "hub.example", silentLog, signal);
    expect(own.registry?.jid).toBe("hub.example");
    expect(await discover(domain({}, []), "hub.example", silentLog, signal)).toEqual({ unchosen: [] });
  });

  it("DISCO-NS-01: of several that decide none is taken; of others the first is kept; both are told", async () => {
    const events: LogEvent[] = [];
    const log = createLog(event => events.push(event));
    const pubsub = "http://jabber.org/protocol/pubsub";
    const offers = { "a.hub.example": [...registry, pubsub], "b.hub.example": [...registry, pubsub] };
    const found = await discover(domain(offers), "hub.example", log, signal);
    expect(found.registry).toBeUndefined();
    expect(found.unchosen).toEqual([
      { kind: "registry", named: undefined, offered: ["a.hub.example", "b.hub.example"] },
    ]);
    expect(found.pubsub?.jid).toBe("a.hub.example");
    expect(events).toMatchObject([
      { event: "several-services", facts: { role: "pubsub", kept: "a.hub.example", ignored: ["b.hub.example"] } },
    ]);
  });

  it("PRES-IQ-02, ACC-FIND-03: of several the one that is named is taken, also before one that is known, and no other for it", async () => {
    const all = [...registry, ...provisioning];
    const two = domain({ "a.hub.example": all, "b.hub.example": all });
    const look = (choice: Choice, where = two) => discover(where, "hub.example", silentLog, signal, choice);
    const named = await look({ named: { registry: "b.hub.example" }, known: ["a.hub.example"] });
    // Who is named as the registry is meant for both where it is both.
    expect([named.registry?.jid, named.provisioning?.jid, named.unchosen]).toEqual([
      "b.hub.example",
      "b.hub.example",
      [],
    ]);
    const apart = await look({ named: { registry: "b.hub.example", provisioning: "a.hub.example" } });
    expect([apart.registry?.jid, apart.provisioning?.jid]).toEqual(["b.hub.example", "a.hub.example"]);
    const known = await look({ known: ["a.hub.example"] });
    expect([known.registry?.jid, known.provisioning?.jid]).toEqual(["a.hub.example", "a.hub.example"]);
    const one = domain({ "a.hub.example": all });
    const missing = await look({ named: { registry: "c.hub.example" }, known: ["a.hub.example"] }, one);
    expect(missing.registry).toBeUndefined();
    expect(missing.provisioning?.jid).toBe("a.hub.example");
    expect(missing.unchosen).toEqual([{ kind: "registry", named: "c.hub.example", offered: ["a.hub.example"] }]);
    await expect(look({ named: { registry: "c.hub.example" }, several: "refuse" }, one)).rejects.toThrow(
      "hub.example does not list c.hub.example any more, but other services of this kind (registry): a.hub.example",
    );
    const old = domain({ "old.hub.example": ["urn:xmpp:iot:discovery"], "new.hub.example": registry });
    expect((await look({ named: { registry: "old.hub.example" } }, old)).oldRegistry?.jid).toBe("old.hub.example");
    expect((await look({}, old)).registry?.jid).toBe("new.hub.example");
  });

  it("PROVO-THR-01: who has no memory takes none of several, but for one he knows", async () => {
    const two = domain({ "a.hub.example": [...registry, ...provisioning], "b.hub.example": provisioning });
    const look = (known: string[] = []) =>
      discover(two, "hub.example", silentLog, signal, { known, several: "refuse" });
    await expect(look()).rejects.toThrow(
      "hub.example lists several services of this kind (provisioning): a.hub.example, b.hub.example",
    );
    await expect(look(["c.hub.example"])).rejects.toMatchObject({ condition: "conflict" });
    expect((await look(["b.hub.example"])).provisioning?.jid).toBe("b.hub.example");
    const one = domain({ "a.hub.example": [...registry, ...provisioning], "muc.hub.example": [] });
    const found = await discover(one, "hub.example", silentLog, signal, { several: "refuse" });
    expect(found.provisioning?.jid).toBe("a.hub.example");
  });

  it("a service that refuses or is silent does not hide the others; a domain that is silent is an error", async () => {
    const silent = new TimeoutError("disco", 1000);
    const found = await discover(
      domain({
        "a.hub.example": new StanzaError("cancel", "service-unavailable"),
        "b.hub.example": silent,
        "c.hub.example": registry,
      }),
      "hub.example",
      silentLog,
      signal,
    );
    expect(found.registry?.jid).toBe("c.hub.example");
    const dead = { request: async () => Promise.reject(silent) };
    await expect(discover(dead, "hub.example", silentLog, signal)).rejects.toBe(silent);
  });

  it("items that are no JIDs are passed over, and each is asked once", async () => {
    const there = domain({ "a.hub.example": registry }, ["<>", "A.hub.example", "a.hub.example", "hub.example"]);
    await discover(there, "hub.example", silentLog, signal);
    expect(there.asked).toEqual(["items hub.example", "info hub.example", "info a.hub.example"]);
  });

  it("a malformed answer is that service's fault, not ours", async () => {
    const there = domain({ "b.hub.example": registry }, ["a.hub.example", "b.hub.example"]);
    const request = async (type: "get" | "set", to: string | undefined, payload: Element) =>
      to === "a.hub.example"
        ? element("query", wire.infoNs, {}, [element("feature", wire.infoNs)])
        : there.request(type, to, payload);
    const found = await discover({ request }, "hub.example", silentLog, signal);
    expect(found.registry?.jid).toBe("b.hub.example");
  });
});
