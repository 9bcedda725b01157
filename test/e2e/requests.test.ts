// What clients get wrong, and what devices do to them: malformed requests of each served interface, nodes that are not there,
// callers who are not let in, devices that hang, a thousand of them at once; against the running appliance, stanza by stanza.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Client } from "#cli/connect.ts";
import { refusalOf } from "#cli/demo/story-decision.ts";
import type { Reading } from "#contract/field.ts";
import { parseNode } from "#contract/node.ts";
import { generationNames, namespace } from "#iot/generations.ts";
import { type Element, element, elements, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { clientNs, StanzaError } from "#xmpp/stanza.ts";
import { forever } from "../lab/scene.ts";
import type { Peer } from "../support/xmpp-peer.ts";
import { found, type House, ownerIn, service, startHouse, uriOf } from "./house.ts";

const sd = namespace("sensorData", "nf");
const ctr = namespace("control", "nf");
const con = namespace("concentrator", "nf");
const street = Array.from({ length: 1_000 }, (_, at) => `street-${at + 1}`);
const meter = (id: string, settings = {}) => ({ type: "sim.meter", id, settings: { fields: 5, ...settings } });
const site = JSON.stringify({
  nodes: [
    { type: "sim.line", id: "attic", nodes: [meter("heat-3"), meter("water-7")] },
    { type: "sim.line", id: "cellar", nodes: [meter("mute", { failing: "silent", timeoutMs: 1_500 })] },
    { type: "sim.line", id: "roof", nodes: [meter("hung", { latencyMs: 600_000, timeoutMs: 2_000 })] },
    { type: "sim.line", id: "street", nodes: street.map(id => meter(id)) },
  ],
});

let house: House;
let appliance: string;
/** The owner's hands: what he writes goes out as it stands. */
let owner: Peer;
let client: Client;
let stranger: Peer;

beforeAll(async () => {
  house = await startHouse({ site, people: ["owner", "stranger"] });
  await house.registry.start();
  await house.edge.start();
  const status = await house.statusWhere("registered", one => one.nodes[0]?.thing?.uri !== undefined);
  appliance = status.connection.jid;
  client = await house.client("owner");
  await client.owner.claim(uriOf(status, ""), true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "") !== undefined);
  await client.appliance(forever, bare());
  owner = await house.peer("owner");
  stranger = await house.peer("stranger");
}, 120_000);
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
});

const bare = () => appliance.split("/")[0] as string;
const ask = (who: Peer, type: "get" | "set", xml: string) => who.session.request(type, appliance, parse(xml));
/** What an iq gets: the error's condition, or "result". */
const answerTo = async (who: Peer, type: "get" | "set", payload: string | Element): Promise<string> => {
  const asked = typeof payload === "string" ? parse(payload) : payload;
  const said = await refusalOf(who.session.request(type, appliance, asked));
  return said === "nothing refused" ? "result" : said;
};
const messagesTo = (who: Peer, id: string): Element[] =>
  who.messages.flatMap(elements).filter(one => one.ns === sd && one.attrs.id === id);
const ended = (who: Peer, id: string) =>
  found(`end of ${id}`, async () =>
    messagesTo(who, id).find(one => one.name === "done" || (one.name === "resp" && one.attrs.more !== "true")),
  );

/** The appliance answers, and is the one it was: same process, same session. */
async function isWell(): Promise<void> {
  const answer = await ask(
    owner,
    "get",
    `<req xmlns='${sd}' id='well' m='true'><nd id='heat-3' src='MeteringTopology' pt='attic'/></req>`,
  );
  expect(answer && format(answer)).toContain("Energy");
  expect((await house.status()).connection).toMatchObject({ phase: "online", jid: appliance });
}

describe("malformed requests of somebody who may all", () => {
  const nd = "<nd id='heat-3' src='MeteringTopology' pt='attic'/>";
  const long = "x".repeat(1_025);
  const wrong: readonly (readonly ["get" | "set", string, string, string])[] = [
    ["get", "sensor data", "bad-request", `<req xmlns='${sd}' m='true'>${nd}</req>`],
    ["get", "sensor data", "bad-request", `<req xmlns='${sd}' id='' m='true'>${nd}</req>`],
    ["get", "sensor data", "bad-request", `<req xmlns='${sd}' id='${long}' m='true'>${nd}</req>`],
    ["get", "sensor data", "bad-request", `<req xmlns='${sd}' id='1' m='perhaps'>${nd}</req>`],
    ["get", "sensor data", "bad-request", `<req xmlns='${sd}' id='1' m='true' from='yesterday'>${nd}</req>`],
    ["get", "sensor data", "bad-request", `<req xmlns='${sd}' id='1' m='true' to='2031-02-30T00:00:00Z'>${nd}</req>`],
    ["get", "sensor data", "bad-request", `<req xmlns='${sd}' id='1' m='true' when='soon'>${nd}</req>`],
    ["get", "sensor data", "bad-request", `<req xmlns='${sd}' id='1' m='true'><nd src='MeteringTopology'/></req>`],
    ["get", "sensor data", "bad-request", `<req xmlns='${sd}' id='1' m='true'>${nd}<f/></req>`],
    [
      "get",
      "sensor data",
      "not-acceptable",
      `<req xmlns='${sd}' id='1' m='true' when='2099-01-01T00:00:00Z'>${nd}</req>`,
    ],
    ["set", "sensor data", "bad-request", `<cancel xmlns='${sd}'/>`],
    ["get", "sensor data", "feature-not-implemented", `<started xmlns='${sd}' id='1'/>`],
    ["set", "control", "bad-request", `<set xmlns='${ctr}'><db n='Set Point' v='20'/></set>`],
    ["set", "control", "bad-request", `<set xmlns='${ctr}'>${nd}</set>`],
    ["set", "control", "bad-request", `<set xmlns='${ctr}'>${nd}<db v='20'/></set>`],
    ["set", "control", "bad-request", `<set xmlns='${ctr}'>${nd}<db n='Set Point' v='warm'/></set>`],
    ["set", "control", "bad-request", `<set xmlns='${ctr}'>${nd}<db n='Set Point' v='INF'/></set>`],
    ["set", "control", "bad-request", `<set xmlns='${ctr}'>${nd}<db n='Set Point'/></set>`],
    ["set", "control", "bad-request", `<set xmlns='${ctr}'>${nd}<zz n='Set Point' v='20'/></set>`],
    ["set", "control", "bad-request", `<set xmlns='${ctr}'>${nd}<db n='Set Point' v='99'/></set>`],
    ["set", "control", "item-not-found", `<set xmlns='${ctr}'>${nd}<db n='Nothing' v='20'/></set>`],
    ["get", "control", "feature-not-implemented", `<set xmlns='${ctr}'>${nd}<db n='Set Point' v='20'/></set>`],
    ["set", "control", "feature-not-implemented", `<getForm xmlns='${ctr}'>${nd}</getForm>`],
    ["get", "concentrator", "bad-request", `<getNode xmlns='${con}'/>`],
    ["get", "concentrator", "bad-request", `<getNode xmlns='${con}' id='heat-3' parameters='some'/>`],
    ["get", "concentrator", "bad-request", `<getChildDataSources xmlns='${con}'/>`],
    ["get", "concentrator", "bad-request", `<containsNodes xmlns='${con}'><nd/></containsNodes>`],
    ["set", "concentrator", "feature-not-implemented", `<getNode xmlns='${con}' id='heat-3'/>`],
    ["get", "concentrator", "feature-not-implemented", `<destroyEverything xmlns='${con}'/>`],
    ["set", "discovery", "bad-request", `<claimed xmlns='${namespace("discovery", "nf")}'/>`],
    ["set", "discovery", "bad-request", `<claimed xmlns='${namespace("discovery", "nf")}' jid='a b'/>`],
    ["get", "discovery", "feature-not-implemented", `<disowned xmlns='${namespace("discovery", "nf")}'/>`],
    [
      "set",
      "provisioning",
      "bad-request",
      `<clearCache xmlns='${namespace("provisioningDevice", "nf")}' id='${long}'/>`,
    ],
  ];

  it.for(wrong.map(([type, of, condition, xml]) => ({ type, of, condition, xml })))(
    "COM-LEX-07, COM-LEX-08, COM-STZ-01: $of: $condition for $xml",
    async ({ type, condition, xml }) => {
      expect(await answerTo(owner, type, xml)).toBe(condition);
    },
  );

  /** Of a published vector's shape; none of it could be decrypted here. */
  const encrypted = (ns: string): readonly (readonly ["get" | "set", string])[] => [
    ["get", `<acp xmlns='${ns}' r='x25519' c='5'>O++4TTOZORvLLdd5QOqAEw==</acp>`],
    ["set", `<aes xmlns='${ns}' r='p256' c='1' s='AAAA'>O++4TTOZORvLLdd5QOqAEw==</aes>`],
    ["set", `<cha xmlns='${ns}' r='ed25519' c='1' s='AAAA'>O++4TTOZORvLLdd5QOqAEw==</cha>`],
    ["set", `<synchE2e xmlns='${ns}'><e2e/></synchE2e>`],
  ];
  it("FED-02: who wants more than the encryption of the streams is told that it is not offered, and no key is shown", async () => {
    for (const generation of ["urn:nf:iot:e2e:1.0", "urn:nfi:iot:e2e:1.0", "urn:ieee:iot:e2e:1.0"])
      for (const [type, xml] of encrypted(generation))
        expect(await answerTo(owner, type, xml)).toBe("service-unavailable");
    const shown = await found("the appliance's presence", async () =>
      owner.presences.find(({ attrs }) => attrs.from === appliance && attrs.type === undefined),
    );
    expect(format(shown)).not.toContain(":iot:e2e:");
    expect(format(shown)).not.toContain(":iot:p2p:");
  });

  it("COM-ERR-01: the answer to bad XML says where the fault is", async () => {
    const error = await ask(owner, "get", `<req xmlns='${sd}' id='1' m='true'>${nd}<nd/></req>`).catch(one => one);
    expect(error).toBeInstanceOf(StanzaError);
    expect((error as StanzaError).text).toMatch(/^req\/nd\[2\]@id: missing/);
  });

  it("CTR-ERR-03: all faulty parameters are named at once, and nothing is written", async () => {
    const values = "<db n='Set Point' v='warm'/><b n='Silent' v='perhaps'/>";
    const error: StanzaError = await ask(owner, "set", `<set xmlns='${ctr}'>${nd}${values}</set>`).catch(one => one);
    expect(error.details.map(one => [one.name, one.attrs.var])).toEqual([
      ["paramError", "Set Point"],
      ["paramError", "Silent"],
    ]);
    await isWell();
  });

  it("an iq without payload is survived", async () => {
    owner.session.send(element("iq", clientNs, { type: "get", id: "empty", to: appliance }));
    await isWell();
  });

  it("a request of 200 KB is answered, and the appliance goes on", async () => {
    const many = Array.from({ length: 5_000 }, (_, at) => `<f n='${"Field".padEnd(30, "-")}${at}'/>`).join("");
    const request = `<req xmlns='${sd}' id='big' m='true'>${nd}${many}</req>`;
    expect(request.length).toBeGreaterThan(190_000);
    const answer = await ask(owner, "get", request);
    expect(answer && [answer.name, answer.attrs.id]).toEqual(["resp", "big"]);
    await isWell();
  });

  it("60 elements deep is ignored, 100 deep is refused, and the appliance goes on", async () => {
    const deep = (levels: number) => `${"<x xmlns='urn:test'>".repeat(levels)}${"</x>".repeat(levels)}`;
    expect(await answerTo(owner, "get", `<req xmlns='${sd}' id='d' m='true'>${nd}${deep(55)}</req>`)).toBe("result");
    let nested: Element = element("x", "urn:test");
    for (let level = 0; level < 100; level++) nested = element("x", "urn:test", {}, [nested]);
    expect(await answerTo(owner, "get", nested)).toBe("policy-violation");
    await isWell();
  });

  it("COM-NS-02: the reply is in the generation of the request", async () => {
    for (const generation of generationNames) {
      const ns = namespace("sensorData", generation);
      const answer = await ask(owner, "get", `<req xmlns='${ns}' id='g' m='true'>${nd}<f n='Energy'/></req>`);
      expect(answer?.ns).toBe(ns);
    }
  });
});

describe("nodes that are not there, and callers who are not let in", () => {
  const node = (id: string, pt = "attic") => `id='${id}' src='MeteringTopology' pt='${pt}'`;
  const about = (where: string) => [
    `<req xmlns='${sd}' id='n' m='true'><nd ${where}/></req>`,
    `<getNode xmlns='${con}' ${where} messages='true'/>`,
    `<getChildNodes xmlns='${con}' ${where}/>`,
    `<getNodeInheritance xmlns='${con}' ${where}/>`,
  ];

  it("COM-ERR-02: an unknown node, source or line is not found", async () => {
    for (const where of [node("heat-4"), node("heat-3", "cellar"), "id='heat-3' src='Elsewhere' pt='attic'"]) {
      for (const xml of about(where)) expect(await answerTo(owner, "get", xml), xml).toBe("item-not-found");
      expect(await answerTo(owner, "set", `<set xmlns='${ctr}'><nd ${where}/><db n='Set Point' v='20'/></set>`)).toBe(
        "item-not-found",
      );
    }
  });

  it("PRES-IQ-01, COM-STZ-11: a stranger is refused unread, whatever he asks of whatever", async () => {
    const unread = [
      ...about(node("heat-3")),
      ...about(node("heat-4")),
      `<req xmlns='${sd}'/>`,
      `<getAllDataSources xmlns='${con}'/>`,
      "<query xmlns='http://jabber.org/protocol/disco#info'/>",
      "<whatever xmlns='urn:test'/>",
      "<ping xmlns='urn:xmpp:ping'/>",
    ];
    const said = await Promise.all(unread.map(xml => ask(stranger, "get", xml).catch((error: StanzaError) => error)));
    for (const [at, one] of said.entries())
      expect
        .soft(one instanceof StanzaError && [one.type, one.condition, one.text], unread[at])
        .toEqual(["auth", "forbidden", ""]);
  });

  it("COM-AUTH-08, COM-ERR-02: the service sees no node: what it may not see is not found like what is not there", async () => {
    // With the registry stopped a component under its very name can be made to ask.
    await house.registry.stop();
    {
      await using raw = await house.component(service);
      const whole = async (xml: string) => {
        const error = await raw.component.request("get", appliance, parse(xml)).catch((one: StanzaError) => one);
        return error instanceof StanzaError ? [error.type, error.condition, error.text] : error && format(error);
      };
      const contains = (where: string) => whole(`<containsNode xmlns='${con}' ${where}/>`);
      expect(await contains(node("heat-3"))).toEqual(await contains(node("heat-4")));
      for (const [at, xml] of about(node("heat-3")).entries()) {
        const [known, unknown] = [await whole(xml), await whole(about(node("heat-4"))[at] as string)];
        expect(known?.[1], xml).toBe("item-not-found");
        expect(JSON.stringify(known).replaceAll("heat-3", "N")).toBe(JSON.stringify(unknown).replaceAll("heat-4", "N"));
      }
      const all = await raw.component
        .request("get", appliance, parse(`<getAllNodes xmlns='${con}' src='MeteringTopology'/>`))
        .catch((one: StanzaError) => one.condition);
      expect(typeof all === "string" ? all : all && elements(all).length).toSatisfy(
        seen => seen === 0 || seen === "item-not-found",
      );
    }
    await house.registry.start();
  });

  it("COM-STZ-01: a known caller is told what is not served, and what the interface does not know", async () => {
    expect(await answerTo(owner, "get", "<whatever xmlns='urn:test'/>")).toBe("service-unavailable");
    expect(await answerTo(owner, "get", `<whatever xmlns='${sd}'/>`)).toBe("feature-not-implemented");
  });
});

describe("devices that hang", () => {
  const read = async (nodes: readonly string[]): Promise<Reading[]> => {
    const all: Reading[] = [];
    for await (const one of client.things.read(
      await client.appliance(forever, bare()),
      nodes.map(parseNode),
      {},
      forever,
    ))
      all.push(one);
    return all;
  };
  const silent = "<nd id='mute' src='MeteringTopology' pt='cellar'/><nd id='hung' src='MeteringTopology' pt='roof'/>";

  it("a readout ends, with a fault for those that are silent and values of the others", async () => {
    const all = await read(["mute@cellar", "heat-3@attic", "hung@roof", "water-7@attic"]);
    const faults = all.flatMap(one => (one.kind === "fault" ? [`${one.node.nodeId}: ${one.message}`] : []));
    expect(faults.sort()).toEqual(["hung: No answer within 2000 ms.", "mute: No answer within 1500 ms."]);
    expect(all.flatMap(one => (one.kind === "reading" ? [one.node.nodeId] : [])).sort()).toEqual(["heat-3", "water-7"]);
    const { nodes } = await house.status();
    expect(
      nodes
        .filter(({ state }) => state.startsWith("Error"))
        .map(({ ref }) => ref.nodeId)
        .sort(),
    ).toEqual(["hung", "mute"]);
  });

  it("SD-REQ-02: an id in use is a conflict, and free again when that readout is over", async () => {
    const request = `<req xmlns='${sd}' id='twice' m='true'>${silent}</req>`;
    expect((await ask(owner, "get", request))?.name).toBe("started");
    expect(await answerTo(owner, "get", request)).toBe("conflict");
    await ended(owner, "twice");
    expect((await ask(owner, "get", request))?.name).toBe("started");
    await ended(owner, "twice");
  });

  it("SD-CAN-01: after cancel nothing more is said, and the id is free", async () => {
    const request = `<req xmlns='${sd}' id='stop' m='true'>${silent}</req>`;
    expect((await ask(owner, "get", request))?.name).toBe("started");
    expect(await answerTo(owner, "set", `<cancel xmlns='${sd}' id='stop'/>`)).toBe("result");
    expect(await answerTo(owner, "set", `<cancel xmlns='${sd}' id='never'/>`)).toBe("result");
    // A readout begun later ends later than the cancelled one would have.
    expect((await ask(owner, "get", `<req xmlns='${sd}' id='after' m='true'>${silent}</req>`))?.name).toBe("started");
    await ended(owner, "after");
    expect(messagesTo(owner, "stop")).toEqual([]);
    expect((await ask(owner, "get", request))?.name).toBe("started");
    await ended(owner, "stop");
  });

  it("SD-REQ-13: a caller has so many readouts at once, and no more; another one is not held up", async () => {
    const ids = Array.from({ length: 21 }, (_, at) => `quota-${at}`);
    const said = await Promise.all(
      ids.map(id =>
        ask(owner, "get", `<req xmlns='${sd}' id='${id}' m='true'>${silent}</req>`).then(
          one => one?.name,
          (error: StanzaError) => error.condition,
        ),
      ),
    );
    expect(said.filter(one => one === "started")).toHaveLength(20);
    expect(said.filter(one => one === "resource-constraint")).toHaveLength(1);
    for (const id of ids) await ask(owner, "set", `<cancel xmlns='${sd}' id='${id}'/>`);
    await isWell();
  });

  it("a device told to be silent and to speak again: controlled, faulted and recovered", async () => {
    const heat = "<nd id='heat-3' src='MeteringTopology' pt='attic'/>";
    expect((await ask(owner, "set", `<set xmlns='${ctr}'>${heat}<b n='Silent' v='true'/></set>`))?.name).toBe("resp");
    expect((await read(["heat-3@attic"])).map(one => one.kind)).toEqual(["fault"]);
    expect((await ask(owner, "set", `<set xmlns='${ctr}'>${heat}<b n='Silent' v='false'/></set>`))?.name).toBe("resp");
    expect((await read(["heat-3@attic"])).map(one => one.kind)).toEqual(["reading"]);
    expect((await house.status()).nodes.find(({ ref }) => ref.nodeId === "heat-3")?.state).not.toMatch(/Error|Warning/);
  });
});

describe("a thousand meters", () => {
  it("are read in one request, whole, each once", async () => {
    const refs = street.map(id => `<nd id='${id}' src='MeteringTopology' pt='street'/>`).join("");
    expect((await ask(owner, "get", `<req xmlns='${sd}' id='all' m='true'>${refs}</req>`))?.name).toBe("started");
    await ended(owner, "all");
    const perNode = new Map<string, number>();
    for (const resp of messagesTo(owner, "all").filter(one => one.name === "resp")) {
      for (const nd of elements(resp)) {
        const fields = elements(nd).flatMap(elements).length;
        perNode.set(nd.attrs.id ?? "", (perNode.get(nd.attrs.id ?? "") ?? 0) + fields);
      }
    }
    expect(perNode.size).toBe(1_000);
    expect(new Set(perNode.values())).toEqual(new Set([5]));
    await isWell();
  });

  it("are listed with their source, in one answer or with a hint how to ask for less", async () => {
    const all = await client.things.allNodes(await client.appliance(forever, bare()), "MeteringTopology", forever).then(
      nodes => nodes.length,
      (error: StanzaError) => error.condition,
    );
    expect(all).toSatisfy(seen => seen === 1_008 || seen === "not-acceptable");
  });
});
