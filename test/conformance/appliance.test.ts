// What only the whole appliance can show: how its stanzas look when a broker has carried them, what it announces, what it
// writes down. A peer writes stanzas by hand against the running program, over Prosody.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generationNames, namespace, namespaces } from "#iot/generations.ts";
import { strings } from "#iot/nodes.wire.ts";
import { child, type Element, element, elements, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { bareJid } from "#xmpp/jid.ts";
import { clientNs, StanzaError } from "#xmpp/stanza.ts";
import { found, type House, ownerIn, startHouse, uriOf } from "../e2e/house.ts";
import { forever } from "../lab/scene.ts";
import type { Peer } from "../support/xmpp-peer.ts";

const sd = namespace("sensorData", "nf");
const ctr = namespace("control", "nf");
const con = namespace("concentrator", "nf");
/** As far west as people live: whatever the zone of the machine, an hour ahead there is in the past by its own clock. */
const timeZone = "Pacific/Pago_Pago";
const site = JSON.stringify({
  nodes: [
    {
      type: "sim.line",
      id: "attic",
      nodes: [
        { type: "sim.meter", id: "heat" },
        { type: "sim.meter", id: "slow", settings: { latencyMs: 1_500, timeoutMs: 5_000 } },
      ],
    },
  ],
});

let house: House;
let appliance: string;
let owner: Peer;
let stranger: Peer;

beforeAll(async () => {
  house = await startHouse({ site, people: ["owner", "stranger"], boot: { timeZone } });
  await house.registry.start();
  await house.edge.start();
  const status = await house.statusWhere("registered", one => one.nodes[0]?.thing?.uri !== undefined);
  appliance = status.connection.jid;
  const client = await house.client("owner");
  await client.owner.claim(uriOf(status, ""), true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "") !== undefined);
  await client.appliance(forever, bareJid(appliance) as string);
  owner = await house.peer("owner");
  stranger = await house.peer("stranger");
}, 120_000);
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
});

/** The reply's payload, "" for an empty result, or the condition it was refused with. */
async function ask(type: "get" | "set", payload: string): Promise<string> {
  try {
    const answer = await owner.session.request(type, appliance, parse(payload));
    return answer === undefined ? "" : format(answer);
  } catch (error) {
    if (error instanceof StanzaError) return error.condition;
    throw error;
  }
}
const payloadsOf = (stanza: Element) => elements(stanza).filter(one => one.ns.startsWith("urn:n"));
const read = (id: string, node: string, more = "") =>
  `<req xmlns='${sd}' id='${id}' m='true' ${more}><nd id='${node}'/></req>`;
const messageWith = (id: string) =>
  found(`a message of ${id}`, async () =>
    owner.messages.find(one => payloadsOf(one).some(({ attrs }) => attrs.id === id)),
  );

describe("messages", () => {
  it("COM-STZ-10: have no type and no body, go to the full JID, and ask not to be stored or copied", async () => {
    expect(await ask("get", read("late", "slow"))).toBe(`<started xmlns='${sd}' id='late'/>`);
    const message = await messageWith("late");
    expect(message.attrs).toMatchObject({ to: owner.session.jid, from: appliance });
    expect(message.attrs.type ?? "normal").toBe("normal");
    expect(child(message, "body")).toBeUndefined();
    const hints = elements(message).filter(one => one.ns === "urn:xmpp:hints");
    expect(hints.map(one => one.name).sort()).toEqual(["no-copy", "no-store"]);
    expect(payloadsOf(message)).toHaveLength(1);
  });

  /** On a busy machine a readout may come in messages, after `started`: then it is asked again. */
  const setPoint = async (id: string): Promise<string> => {
    let answer = "";
    for (let tries = 0; tries < 20; tries++) {
      answer = await ask("get", read(`${id}-${tries}`, "heat"));
      // A broker may write the attributes in another order.
      const field = /<q[^>]* n='Set Point'[^>]*>/.exec(answer)?.[0] ?? "";
      const value = / v='([^']*)'/.exec(field)?.[1];
      if (value !== undefined) return value;
    }
    throw new Error(`no set point in ${answer}`);
  };

  it("CTR-AUTH-04, COM-STZ-01: control nothing, and what is unknown in them is not answered", async () => {
    const before = await setPoint("before");
    const heard = owner.messages.length;
    for (const generation of generationNames) {
      const set = `<set xmlns='${namespace("control", generation)}'><nd id='heat'/><db n='Set Point' v='29'/></set>`;
      for (const payload of [set, `<zz xmlns='${namespace("control", generation)}'/>`]) {
        owner.session.send(element("message", clientNs, { to: appliance }, [parse(payload)]));
      }
    }
    // An iq sent after them on the same stream is answered after them.
    const after = await setPoint("after");
    expect(after).toBe(before);
    const answers = owner.messages.slice(heard).flatMap(payloadsOf);
    expect(answers.filter(({ ns }) => namespaces("control").includes(ns))).toEqual([]);
    expect(owner.messages.slice(heard).filter(({ attrs }) => attrs.type === "error")).toEqual([]);
  });
});

describe("requests", () => {
  it("COM-STZ-03: readouts and their cancelling are taken as get and as set", async () => {
    for (const type of ["get", "set"] as const) {
      expect(await ask(type, read(`r-${type}`, "heat"))).toContain("<resp ");
      expect(await ask(type, `<cancel xmlns='${sd}' id='none'/>`)).toBe("");
    }
  });

  it("COM-LEX-02: a time without a zone is meant in the configured one", async () => {
    const hourAhead = new Date(Date.now() + 3_600_000);
    const there = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" })
      .format(hourAhead)
      .replace(" ", "T");
    expect(parse(await ask("get", read("zoned", "heat", `when='${there}'`)))).toMatchObject({
      name: "accepted",
      attrs: { id: "zoned", queued: "true" },
    });
    expect(await ask("get", read("passed", "heat", `when='${there}Z'`))).toContain("<resp ");
    expect(await ask("set", `<cancel xmlns='${sd}' id='zoned'/>`)).toBe("");
  });

  it("COM-STZ-05: the first child of a result is its payload, seen from the other side of the broker", async () => {
    const answer = await owner.session.request("get", appliance, parse(`<getCapabilities xmlns='${con}'/>`));
    expect(answer).toMatchObject({ name: "strings", ns: con });
  });
});

it("COM-ERR-04: while editing, an error of type modify brings a form; everything else is said otherwise", async () => {
  const form = (fields: Readonly<Record<string, string>>) =>
    `<x xmlns='jabber:x:data' type='submit'>${Object.entries(fields)
      .map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`)
      .join("")}</x>`;
  const refusal = async (type: "get" | "set", name: string, attrs: string, children = "") => {
    const payload = parse(`<${name} xmlns='${con}' ${attrs}>${children}</${name}>`);
    const error = await owner.session.request(type, appliance, payload).catch(reason => reason);
    expect(error).toBeInstanceOf(StanzaError);
    const forms = (error as StanzaError).details.filter(one => one.name === "x" && one.ns === "jabber:x:data");
    return `${error.type} ${error.condition}${forms.length > 0 ? " with a form" : ""}`;
  };
  const taken = form({ NodeId: "heat" });
  expect(await refusal("set", "createNewNode", "id='attic' type='sim.meter'", taken)).toBe(
    "modify not-acceptable with a form",
  );
  expect(await refusal("set", "setNodeParametersAfterEdit", "id='heat'", form({ fields: "many" }))).toBe(
    "modify not-acceptable with a form",
  );
  expect(await refusal("set", "createNewNode", "id='attic' type='zz'", taken)).toBe("cancel item-not-found");
  expect(await refusal("set", "createNewNode", "id='zz' type='sim.meter'", taken)).toBe("cancel item-not-found");
  expect(await refusal("get", "getParametersForNewNode", "id='attic' type='zz'")).toBe("cancel item-not-found");
  expect(await refusal("set", "setNodeParametersAfterEdit", "id='zz'", taken)).toBe("cancel item-not-found");
});

describe("what is announced", () => {
  it("COM-NS-05: disco names every generation of every interface that is served", async () => {
    const info = await owner.session.request(
      "get",
      appliance,
      parse("<query xmlns='http://jabber.org/protocol/disco#info'/>"),
    );
    const features = new Set(elements(info as Element).flatMap(one => one.attrs.var ?? []));
    const served = [...namespaces("concentrator"), ...namespaces("sensorData"), ...namespaces("control")];
    expect(served.filter(ns => !features.has(ns))).toEqual([]);
    for (const ns of features) {
      // Of what is announced in one generation each is there.
      const family = /^urn:(?:nfi|nf|ieee):(.*)$/.exec(ns)?.[1];
      if (family === undefined || family.startsWith("iot:hi:")) continue;
      expect(
        generationNames.filter(one => !features.has(`urn:${one}:${family}`)),
        family,
      ).toEqual([]);
    }
  });

  it("CON-CAPS-02, CON-CAPS-03: whatever is listed is served, whatever is served is listed", async () => {
    const all = [
      ...["getCapabilities", "getAllDataSources", "getRootDataSources", "getChildDataSources", "containsNode"],
      ...["containsNodes", "getNode", "getNodes", "getAllNodes", "getNodeInheritance", "getRootNodes", "getChildNodes"],
      ...["getAncestors", "getNodeParametersForEdit", "setNodeParametersAfterEdit", "getCommonNodeParametersForEdit"],
      ...["setCommonNodeParametersAfterEdit", "getAddableNodeTypes", "getParametersForNewNode", "createNewNode"],
      ...["destroyNode", "moveNodeUp", "moveNodeDown", "moveNodesUp", "moveNodesDown", "getNodeCommands"],
      ...["getCommandParameters", "executeNodeCommand", "executeNodeQuery", "abortNodeQuery", "getCommonNodeCommands"],
      ...["getCommonCommandParameters", "executeCommonNodeCommand", "executeCommonNodeQuery", "abortCommonNodeQuery"],
      ...["subscribe", "unsubscribe", "registerSniffer", "unregisterSniffer"],
    ];
    expect(all).toHaveLength(39);
    for (const generation of generationNames) {
      const ns = namespace("concentrator", generation);
      const listed = strings.decode(parse(await ask("get", `<getCapabilities xmlns='${ns}'/>`)));
      expect(new Set(listed).size).toBe(listed.length);
      expect(listed.filter(name => !all.includes(name))).toEqual([]);
      for (const name of all) {
        // Empty requests: those that need something are bad, and none of them does anything.
        const answers = [await ask("get", `<${name} xmlns='${ns}'/>`), await ask("set", `<${name} xmlns='${ns}'/>`)];
        const served = answers.some(one => one !== "feature-not-implemented");
        expect(served, `${name} in ${generation}: ${answers}`).toBe(listed.includes(name));
      }
    }
  });

  it("COM-STZ-11: to strangers nothing is announced", async () => {
    const asked = stranger.session.request("get", appliance, parse(`<getCapabilities xmlns='${con}'/>`));
    await expect(asked).rejects.toMatchObject({ condition: "forbidden" });
  });
});

describe("what is written down", () => {
  it("COM-AUTH-10, CTR-AUTH-02: who set what where, from what to what", async () => {
    const set = (value: string) =>
      ask("set", `<set xmlns='${ctr}'><nd id='heat'/><db n='Set Point' v='${value}'/></set>`);
    expect(await set("22")).toContain("<resp ");
    expect(await set("23.5")).toContain("<resp ");
    const line = await found("the line of the log", async () =>
      house.edge
        .output()
        .split("\n")
        .find(one => one.includes("controlled") && one.includes("23.5")),
    );
    expect(line).toMatch(/audit=true/);
    expect(line).toContain(`by=${bareJid(owner.session.jid)} `);
    expect(line).toContain(`from=${owner.session.jid} `);
    for (const part of ["heat", "MeteringTopology", "attic", "Set Point", "was=", "22"]) expect(line).toContain(part);
  });
});
