// Strangers' code: slixmpp, a client library in another language that we did not write, uses the running appliance over
// Prosody. What it cannot do by itself it sends as raw stanzas; what it can (roster, disco, caps, forms) is left to it.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dynamicNs } from "#iot/data-form.wire.ts";
import { generationNames, namespace, namespaces } from "#iot/generations.ts";
import { type Element, elements, textOf } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { found, type House, ownerIn, service, startHouse, uriOf } from "../e2e/house.ts";
import { forever } from "../lab/scene.ts";
import { type ReadForm, type Slixmpp, SlixmppError, startSlixmpp } from "./slixmpp.ts";

const con = namespace("concentrator", "nf");
const sd = namespace("sensorData", "nf");
const ctr = namespace("control", "nf");
const meter = (id: string, settings = {}) => ({ type: "sim.meter", id, settings: { fields: 5, ...settings } });
const site = JSON.stringify({
  nodes: [
    { type: "sim.line", id: "attic", nodes: [meter("heat-3"), meter("water-7", { fields: 500 })] },
    {
      type: "sim.line",
      id: "cellar",
      nodes: [meter("slow-1", { latencyMs: 900 }), meter("mute-2", { failing: "silent", timeoutMs: 900 })],
    },
  ],
});
const at = (id: string, partition: string) => `id='${id}' src='MeteringTopology' pt='${partition}'`;

/** An element and all within it. */
const all = (node: Element): Element[] => [node, ...elements(node).flatMap(all)];

let house: House;
let python: Slixmpp;
let stranger: Slixmpp;
/** Full JID, as slixmpp saw it in presence. */
let appliance: string;

beforeAll(async () => {
  house = await startHouse({ site, people: ["owner", "stranger"] });
  await house.registry.start();
  await house.edge.start();
  const status = await house.statusWhere("registered", one =>
    one.nodes.every(({ thing }) => thing === undefined || thing.uri !== undefined),
  );
  const claims = await house.client("owner");
  await claims.owner.claim(uriOf(status, ""), true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "") !== undefined);
  python = startSlixmpp();
  stranger = startSlixmpp();
  for (const [who, name] of [
    [python, "owner"],
    [stranger, "stranger"],
  ] as const) {
    const { jid, password } = house.identity(name);
    await who.ask("login", {
      jid,
      password,
      host: "127.0.0.1",
      port: house.prosody.ports.c2s,
      ca: house.authority.caPath,
    });
  }
  appliance = await python.meet(status.connection.jid.split("/")[0] as string);
}, 120_000);
afterAll(async () => {
  await stranger?.[Symbol.asyncDispose]();
  await python?.[Symbol.asyncDispose]();
  await house?.[Symbol.asyncDispose]();
});

describe("presence and service discovery", () => {
  it("the appliance's presence comes to an accepted subscriber, under its full JID", async () => {
    expect(appliance).toBe((await house.status()).connection.jid);
    expect(await python.ask("ping", { to: appliance })).toBeLessThan(15);
  });

  it("COM-NS-05: disco#info lists every generation, and slixmpp verifies the caps hash against it", async () => {
    const info = await python.ask<{ features: string[]; identities: string[][] }>("disco", { to: appliance });
    for (const family of ["concentrator", "sensorData", "control"] as const) {
      expect(info.features).toEqual(expect.arrayContaining(namespaces(family)));
    }
    expect(info.identities.length).toBeGreaterThan(0);
    const verified = await found(
      "caps verified",
      async () => (await python.ask<string | null>("caps", { of: appliance })) ?? undefined,
    );
    expect(verified).toMatch(/^[A-Za-z0-9+/]{27}=$/);
  });

  it("the registry shows itself as an item of the domain, and its ad-hoc commands to slixmpp", async () => {
    expect(await python.ask("items", { to: "house.localhost" })).toContain(service);
    expect(await python.ask<string[]>("commands", { to: service })).not.toEqual([]);
  });
});

describe("looking at the nodes", () => {
  it.for(generationNames)(
    "COM-NS-02: sources and nodes are listed in the generation asked for: %s",
    async generation => {
      const ns = namespace("concentrator", generation);
      const [sources = ""] = await python.iq(appliance, "get", `<getAllDataSources xmlns='${ns}'/>`);
      const list = parse(sources);
      expect([list.name, list.ns]).toEqual(["dataSources", ns]);
      expect(elements(list).map(one => one.attrs.src)).toContain("MeteringTopology");
      const [all = ""] = await python.iq(
        appliance,
        "get",
        `<getAllNodes xmlns='${ns}' src='MeteringTopology' parameters='true'/>`,
      );
      expect(
        elements(parse(all))
          .map(one => [one.name, one.ns, one.attrs.id])
          .slice(0, 4),
      ).toEqual([
        ["nodeInfo", ns, "site"],
        ["nodeInfo", ns, "attic"],
        ["nodeInfo", ns, "cellar"],
        ["nodeInfo", ns, "heat-3"],
      ]);
      const [one = ""] = await python.iq(appliance, "get", `<getNode xmlns='${ns}' ${at("heat-3", "attic")}/>`);
      expect(parse(one).attrs).toMatchObject({ id: "heat-3", pt: "attic", parentId: "attic", isReadable: "true" });
    },
  );

  it("COM-ERR-01: errors have the conditions a client can go by", async () => {
    const ask = (type: "get" | "set", payload: string) => python.refusal(appliance, type, payload);
    expect(await ask("get", `<getNode xmlns='${con}' ${at("heat-4", "attic")}/>`)).toMatchObject({
      condition: "item-not-found",
      type: "cancel",
    });
    expect(await ask("get", `<getNode xmlns='${con}'/>`)).toMatchObject({ condition: "bad-request", type: "modify" });
    expect(await ask("get", `<getFoo xmlns='${con}'/>`)).toMatchObject({
      condition: "feature-not-implemented",
      type: "cancel",
    });
    expect(await ask("get", "<foo xmlns='urn:example:foo'/>")).toMatchObject({ condition: "service-unavailable" });
  });

  it("COM-STZ-11: who is not in the roster is refused unread", async () => {
    const refused = await stranger.refusal(appliance, "get", `<getAllDataSources xmlns='${con}'/>`);
    expect(refused).toMatchObject({ condition: "forbidden", type: "auth", text: "" });
  });
});

describe("reading and setting", () => {
  const messagesOf = (id: string) =>
    python.messages
      .filter(one => one.from === appliance)
      .map(one => ({ ...one, payload: parse(one.payload) }))
      .filter(({ payload }) => payload.ns === sd && payload.attrs.id === id);

  it("a quick meter answers in the iq itself", async () => {
    const [answer = ""] = await python.iq(
      appliance,
      "get",
      `<req xmlns='${sd}' id='quick' m='true'><nd ${at("heat-3", "attic")}/></req>`,
    );
    expect(parse(answer).name).toBe("resp");
    expect(answer).toContain("Energy");
  });

  it("SD-RESP-01: a slow one is started and answered by messages, in fragments, until one without more", async () => {
    const nodes = [at("slow-1", "cellar"), at("water-7", "attic"), at("mute-2", "cellar")];
    const [answer = ""] = await python.iq(
      appliance,
      "get",
      `<req xmlns='${sd}' id='slow' all='true' m='true' s='true' i='true' c='true' p='true'>${nodes.map(one => `<nd ${one}/>`).join("")}</req>`,
    );
    expect(parse(answer).name).toBe("started");
    const parts = await found("the last part", async () => {
      const got = messagesOf("slow");
      return got.some(({ payload }) => payload.name === "done" || payload.attrs.more !== "true") ? got : undefined;
    });
    expect(parts.map(one => one.type)).toEqual(parts.map(() => null));
    const seen = parts.flatMap(({ payload }) =>
      elements(payload).map(node => [node.attrs.id, elements(elements(node)[0] ?? node).map(one => one.name)] as const),
    );
    expect(new Set(seen.map(([id]) => id))).toEqual(new Set(["slow-1", "water-7", "mute-2"]));
    expect(seen.find(([id]) => id === "mute-2")?.[1]).toEqual(["err"]);
  });

  it("a parameter is set, and a value out of range comes back with its name", async () => {
    const [done = ""] = await python.iq(
      appliance,
      "set",
      `<set xmlns='${ctr}'><nd ${at("heat-3", "attic")}/><db n='Set Point' v='21.5'/></set>`,
    );
    expect(parse(done)).toMatchObject({ name: "resp", ns: ctr });
    const refused = await python.refusal(
      appliance,
      "set",
      `<set xmlns='${ctr}'><nd ${at("heat-3", "attic")}/><db n='Set Point' v='99'/></set>`,
    );
    expect(refused).toMatchObject({ condition: "bad-request", type: "modify" });
    expect(refused.xml).toContain("Set Point");
  });
});

describe("data forms, read and filled in by slixmpp", () => {
  const below = (name: string) => `<${name} xmlns='${con}' ${at("attic", "")} type='sim.meter'/>`;
  const form = (name: string, payload: string) =>
    python.ask<ReadForm>("form", { to: appliance, type: "get", payload, name });

  it("DF-FORM-01: a new node's form has types, labels, defaults, options, ranges and what is required", async () => {
    const types = parse(
      (await python.iq(appliance, "get", `<getAddableNodeTypes xmlns='${con}' ${at("attic", "")}/>`))[0] ?? "",
    );
    expect(elements(types).map(one => one.attrs.type)).toContain("sim.meter");
    const read = await form("new", below("getParametersForNewNode"));
    expect(read.type).toBe("form");
    expect(read.title).not.toBe("");
    expect(read.fields.NodeId).toMatchObject({ type: "text-single", required: true, datatype: "xs:string" });
    expect(read.fields.fields).toMatchObject({ type: "text-single", value: "20", required: false });
    expect(read.fields.failing).toMatchObject({ type: "list-single", value: "never" });
    expect(read.fields.failing?.options.map(({ value }) => value)).toEqual(["never", "silent", "garbled", "absent"]);
    expect(read.fields.Registered).toMatchObject({ type: "boolean", value: true });
    for (const { label, type } of Object.values(read.fields)) if (type !== "hidden") expect(label).not.toBe("");
  });

  it("DF-ERR-01: filled in wrongly it comes back as a form in the error, with what was submitted", async () => {
    await form("wrong", below("getParametersForNewNode"));
    const refused = await submitted("wrong", below("createNewNode"), { NodeId: "late-9", fields: "many" });
    expect(refused).toMatchObject({ condition: "not-acceptable", type: "modify" });
    expect(refused?.form?.fields.fields?.value).toBe("many");
    expect(refused?.form?.fields.NodeId?.value).toBe("late-9");
    const faults = all(parse(refused?.xml ?? "")).filter(one => one.name === "error" && one.ns === dynamicNs);
    expect(faults.map(textOf)).toEqual([expect.stringMatching(/\S/)]);
    expect(
      (await python.refusal(appliance, "get", `<getNode xmlns='${con}' ${at("late-9", "attic")}/>`)).condition,
    ).toBe("item-not-found");
  });

  it("CON-NEW-02: filled in rightly it makes the node, which is edited and removed by the same means", async () => {
    await form("new", below("getParametersForNewNode"));
    expect(
      await submitted("new", below("createNewNode"), { NodeId: "late-9", Name: "Späte Ärä", fields: "3" }),
    ).toBeUndefined();
    const one = `${at("late-9", "attic")}`;
    const edit = await form("edit", `<getNodeParametersForEdit xmlns='${con}' ${one}/>`);
    expect(edit.fields.Name?.value).toBe("Späte Ärä");
    expect(
      await submitted("edit", `<setNodeParametersAfterEdit xmlns='${con}' ${one}/>`, { Name: "Late" }),
    ).toBeUndefined();
    const info = parse((await python.iq(appliance, "get", `<getNode xmlns='${con}' ${one}/>`))[0] ?? "");
    expect(info.attrs).toMatchObject({ displayName: "Late", parentId: "attic" });
    await python.iq(appliance, "set", `<destroyNode xmlns='${con}' ${one}/>`);
    expect((await python.refusal(appliance, "get", `<getNode xmlns='${con}' ${one}/>`)).condition).toBe(
      "item-not-found",
    );
  });

  it("CTR-FORM-01: the control form sets what it shows", async () => {
    const nd = `<nd ${at("heat-3", "attic")}/>`;
    const shown = await form("control", `<getForm xmlns='${ctr}'>${nd}</getForm>`);
    expect(shown.fields["Set Point"]).toMatchObject({ type: "text-single", datatype: "xs:double", value: "21.5" });
    expect(await submitted("control", `<set xmlns='${ctr}'>${nd}</set>`, { "Set Point": "19" })).toBeUndefined();
    const after = await form("control", `<getForm xmlns='${ctr}'>${nd}</getForm>`);
    expect(Number(after.fields["Set Point"]?.value)).toBe(19);
  });

  const submitted = async (name: string, payload: string, values: Readonly<Record<string, string>>) => {
    try {
      await python.ask("submit", { to: appliance, payload, name, values });
      return undefined;
    } catch (error) {
      if (error instanceof SlixmppError) return error.refused;
      throw error;
    }
  };
});
