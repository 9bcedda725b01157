// Decision support on the thing's side, against a scripted service: what is asked, what an answer is worth, what is
// remembered and for how long, and what happens while the service is away.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TimeoutError } from "#base/deadline.ts";
import { silentLog } from "#base/log.ts";
import { createAdmission, type Opinion, type Question } from "#concentrator/admission.ts";
import type { Tokens } from "#contract/caller.ts";
import { noTokens } from "#contract/caller.ts";
import { type Categories, type Category, categories, noCategories } from "#contract/field.ts";
import { type NodeRef, nodeKey, rootRef } from "#contract/node.ts";
import { createDecisionMemory } from "#iot/decision-memory.ts";
import { type Generation, generationNames, namespace } from "#iot/generations.ts";
import { createProvisioning, type Provisioning } from "#iot/provisioning.ts";
import { type Database, openDatabase } from "#store/database.ts";
import { createDecisionStore } from "#store/decisions.ts";
import { edgeMigrations } from "#store/migrations.ts";
import { createOwnershipStore } from "#store/ownership.ts";
import { elements, textOf } from "#xml/element.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";
import { createServiceLink, edgeBare, type Script, type Sent, type ServiceLink } from "./discovery-service-link.ts";

const service = "prov.hub.example";
const bob = "bob@city.example";
const ana = "ana@home.example";
const meter: NodeRef = { nodeId: "mbus-12", sourceId: "MeteringTopology", partition: "attic" };
const second: NodeRef = { ...meter, nodeId: "mbus-13" };
const line: NodeRef = { nodeId: "attic-line", sourceId: "MeteringTopology", partition: "" };
const nobodys: NodeRef = { ...meter, nodeId: "mbus-99" };
const nd = "<nd id='mbus-12' src='MeteringTopology' pt='attic'/>";
const minute = 60_000;
const hour = 60 * minute;

let clock: ManualClock;
let folder: string;
let database: Database;
let link: ServiceLink;
let provisioning: Provisioning;
let hooks: string[];
let owned: Map<string, string>;

interface Options {
  generation?: Generation;
  strictXsd?: boolean;
  staleRead?: boolean;
}

function start({ generation = "nf", ...options }: Options = {}, found = true) {
  link = createServiceLink(clock);
  provisioning = createProvisioning({
    connection: link.connection,
    decisions: createDecisionStore(database),
    store: createOwnershipStore(database),
    account: () => edgeBare,
    thingOf: ref => (ref.nodeId === "attic-line" ? rootRef : ref),
    ownerOf: thing => owned.get(nodeKey(thing)),
    owners: () => new Set(owned.values()),
    hooks: {
      rightsChanged: () => hooks.push("rightsChanged"),
      friend: jid => hooks.push(`friend ${jid}`),
      unfriend: jid => hooks.push(`unfriend ${jid}`),
    },
    clock,
    log: link.log,
    ...options,
  });
  link.serve(provisioning.routes, provisioning.messages);
  if (found) provisioning.serviceFound({ jid: service, generation });
}

beforeEach(() => {
  clock = manualClock();
  folder = mkdtempSync(join(tmpdir(), "provisioning-"));
  database = openDatabase(join(folder, "edge.db"), edgeMigrations, silentLog);
  hooks = [];
  owned = new Map([rootRef, meter, second].map(ref => [nodeKey(ref), ana]));
  start();
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

const question = (
  right: Question["right"],
  nodes: NodeRef[],
  names: string[] = [],
  asked: Category[] = ["momentary"],
  bareJid = bob,
  tokens: Tokens = noTokens,
): Question => ({
  right,
  caller: { bareJid, fullJid: `${bareJid}/x`, tokens, language: "en" },
  nodes,
  categories: right === "read" ? categories(...asked) : noCategories,
  names,
});
const ask = async (asked: Question) => await provisioning.rule.ask(asked, new AbortController().signal);
const read = async (...names: string[]) => (await ask(question("read", [meter], names)))[0] as Opinion;
const control = async (...names: string[]) => (await ask(question("control", [meter], names)))[0] as Opinion;
const granted = (opinion: Opinion | undefined) => (opinion && "grant" in opinion ? opinion.grant : undefined);

/** The answer of one kind to the asked JID, in the namespace asked in, with these attributes and children. */
const says =
  (attrs: string, children = "", jid?: string): Script =>
  ({ payload }) =>
    `<${payload.name}Response xmlns='${payload.ns}' jid='${jid ?? payload.attrs.jid}' ${attrs}>${children}</${payload.name}Response>`;
const yes = says("result='true' m='true' p='true' s='true' c='true' i='true' h='true'");
const no = says("result='false'");
const away: Script = () => {
  throw new StanzaError("wait", "service-unavailable");
};
const clear = (attrs = "", from = service, generation: Generation = "nf") =>
  link.push(from, `<clearCache xmlns='${namespace("provisioningDevice", generation)}' ${attrs}/>`);
const childrenOf = (sent: Sent | undefined) =>
  elements(sent?.payload ?? { name: "", ns: "", attrs: {}, children: [] }).map(
    one => `${one.name} ${one.attrs.id ?? one.attrs.n ?? one.attrs.name}${textOf(one)}`,
  );

describe("asking", () => {
  it("PROV-CANREAD-01: bare JID, tokens, categories, node with its triple, names", async () => {
    link.script = yes;
    const tokens = { service: ["s1", "s2"], device: [], user: ["u"] };
    await ask(question("read", [meter], ["Flow", "Energy"], ["momentary", "historical"], bob, tokens));
    expect(link.sent).toHaveLength(1);
    expect(link.sent[0]).toMatchObject({ type: "get", to: service });
    expect(link.sent[0]?.text).toBe(
      `<canRead xmlns='urn:nf:iot:prov:d:1.0' jid='${bob}' st='s1 s2' ut='u' m='true' h='true'>${nd}<f n='Energy'/><f n='Flow'/></canRead>`,
    );
  });

  it("PROV-CANREAD-01, PROV-THR-05: tokens that could break out of XML are refused unasked", async () => {
    link.script = yes;
    for (const token of ["a b", "a'b", 'a"b', "a<b", "a&b", "x".repeat(257), ""]) {
      const [opinion] = await ask(question("read", [meter], [], ["momentary"], bob, { ...noTokens, user: [token] }));
      expect(granted(opinion)).toBeUndefined();
    }
    const nine = { ...noTokens, service: Array.from({ length: 9 }, (_, n) => `t${n}`) };
    expect(granted((await ask(question("read", [meter], [], ["momentary"], bob, nine)))[0])).toBeUndefined();
    expect(link.sent).toEqual([]);
  });

  it.each([
    ["nfi", false, ["nd mbus-12", "p A", "p B"]],
    ["nf", false, ["nd mbus-12", "p A", "p B", "parameter A", "parameter B"]],
    ["ieee", false, ["nd mbus-12", "p A", "p B", "parameter A", "parameter B"]],
    ["nf", true, ["nd mbus-12", "p A", "p B"]],
  ] as const)(
    "PROV-CANCONTROL-01: parameters to a service of %s (strictXsd %s)",
    async (generation, strictXsd, children) => {
      start({ generation, strictXsd });
      link.script = yes;
      await control("B", "A");
      expect(link.sent[0]?.payload.ns).toBe(namespace("provisioningDevice", generation));
      expect(childrenOf(link.sent[0])).toEqual(children);
    },
  );

  it("PROV-CANREAD-05: the owner is not asked about, unowned nodes are refused, the rest is asked for", async () => {
    link.script = yes;
    owned.set(nodeKey(second), bob);
    const opinions = await ask(question("read", [second, nobodys, meter], ["Energy"]));
    expect(opinions.map(one => [one.node.nodeId, "grant" in one])).toEqual([
      ["mbus-13", true],
      ["mbus-99", false],
      ["mbus-12", true],
    ]);
    expect(link.sent.map(childrenOf)).toEqual([["nd mbus-12", "f Energy"]]);
  });

  it("the appliance and what is no thing of its own are asked for without a node, once", async () => {
    link.script = yes;
    const opinions = await ask(question("read", [line, rootRef]));
    expect(opinions.every(one => "grant" in one)).toBe(true);
    expect(link.sent.map(childrenOf)).toEqual([[]]);
  });

  it("PROV-TRUST-03: the service itself has no rights, and is not asked about itself", async () => {
    link.script = yes;
    for (const right of ["read", "control"] as const)
      expect(granted((await ask(question(right, [meter], [], ["momentary"], service)))[0])).toBeUndefined();
    expect(link.sent).toEqual([]);
  });

  it("view is not decided here", async () => {
    expect(await ask(question("view", [meter]))).toEqual([]);
  });
});

describe("what an answer is worth", () => {
  const grant = (asked: Categories, names: string[]) => ({ categories: asked, names });

  it("PROV-CANREAD-02/03: granted and requested, never more", async () => {
    link.script = says("result='true' m='true' h='true'", `${nd}<f n='Energy'/><f n='Secret'/>`);
    expect(granted(await read("Energy", "Flow"))).toEqual(grant(categories("momentary"), ["Energy"]));
    expect(granted(await read())).toEqual(grant(categories("momentary"), ["Energy", "Secret"]));
  });

  it("PROV-CANREAD-02: lists left out mean as asked, categories left out mean none", async () => {
    link.script = says("result='true' m='true'");
    expect(granted(await read("Energy", "Flow"))).toEqual(grant(categories("momentary"), []));
    link.script = says("result='true'", "<f n='Energy'/>");
    expect(granted(await read("Energy"))).toBeUndefined();
    link.script = says("result='true' all='true'");
    const [all] = await ask(question("read", [meter], ["Power"], ["momentary", "peak"]));
    expect(granted(all)).toEqual(grant(categories("momentary", "peak"), []));
  });

  it("PROV-CANREAD-03/04: nothing in common is a refusal", async () => {
    for (const [attrs, children] of [
      ["h='true'", nd],
      ["m='true'", "<nd id='mbus-13' src='MeteringTopology' pt='attic'/>"],
      ["m='true'", "<nd id='mbus-12' src='MeteringTopology'/>"],
      ["m='true'", "<f n='Flow'/>"],
      ["m='true'", "<f n='energy'/>"],
    ] as const) {
      await clear();
      link.script = says(`result='true' ${attrs}`, children);
      expect(granted(await read("Energy"))).toBeUndefined();
    }
    link.script = says("result='true' m='true'", nd);
    expect(granted((await ask(question("read", [rootRef])))[0])).toBeUndefined();
  });

  it.each([
    ["schema", "<p n='A'/>", ["A"]],
    ["deployed", "<parameter name='A'/>", ["A"]],
    ["both", "<p n='A'/><parameter name='A'/><parameter name='C'/>", ["A"]],
    ["none", "", []],
    ["only others", "<p n='C'/>", undefined],
  ])("PROV-CANCONTROL-01/02: a grant in the form %s", async (_, children, names) => {
    link.script = says("result='true'", nd + children);
    expect(granted(await control("A", "B"))?.names).toEqual(names);
  });

  it("PROV-CANCONTROL-03: an answer with a part that is not understood grants nothing and is not remembered", async () => {
    for (const child of [
      "<param n='A'/>",
      "<P n='A'/>",
      "<p xmlns='urn:nfi:iot:prov:d:1.0' n='A'/>",
      "<parameter xmlns='urn:xmpp:iot:provisioning' name='A'/>",
    ]) {
      link.script = says("result='true'", child);
      expect(granted(await control("A"))).toBeUndefined();
      link.script = yes;
      expect(granted(await control("A"))).toBeDefined();
      await clear();
    }
    link.script = says("result='true'", "<signed xmlns='urn:example'/>");
    expect(granted(await control("A"))).toBeDefined();
  });

  it("PROV-ISFRIEND-03: an answer about somebody else, or none at all, is an error and not remembered", async () => {
    for (const script of [
      says("result='true' m='true'", "", "eve@evil.example"),
      says("m='true'"),
      says("result='perhaps' m='true'"),
      () => "",
      () => "<canReadResponse xmlns='urn:example' jid='bob@city.example' result='true' m='true'/>",
      () => `<canControlResponse xmlns='urn:nf:iot:prov:d:1.0' jid='${bob}' result='true'/>`,
      (): string => {
        throw new StanzaError("modify", "bad-request");
      },
    ] satisfies Script[]) {
      link.script = script;
      expect(granted(await read("Energy"))).toBeUndefined();
      const friend = await provisioning.decideSubscription(bob, new AbortController().signal);
      expect(friend).toMatchObject({ kind: "decline", unanswered: true });
      await clock.advance(minute);
    }
    link.script = yes;
    expect(granted(await read("Energy"))).toBeDefined();
    expect(await provisioning.decideSubscription(bob, new AbortController().signal)).toMatchObject({ kind: "accept" });
  });

  it("PROV-ISFRIEND-03: the same address with a resource or in capitals is the same", async () => {
    link.script = says("result='true' m='true'", "", "Bob@City.Example/phone");
    expect(granted(await read())).toBeDefined();
  });

  it("PROV-CACHE-11: up to sixteen nodes are asked about one by one, seventeen together", async () => {
    link.script = yes;
    const nodes = Array.from({ length: 17 }, (_, n) => ({ ...meter, nodeId: `m${n}` }));
    for (const node of nodes) owned.set(nodeKey(node), ana);
    await ask(question("read", nodes.slice(0, 16), ["Energy"]));
    expect(link.sent.map(childrenOf)).toEqual(nodes.slice(0, 16).map(({ nodeId }) => [`nd ${nodeId}`, "f Energy"]));
    await ask(question("read", nodes, ["Flow"]));
    expect(childrenOf(link.sent.at(-1))).toEqual([...nodes.map(({ nodeId }) => `nd ${nodeId}`), "f Flow"]);
    expect(link.sent).toHaveLength(17);
  });

  it("PROV-CACHE-11: many nodes go in chunks; a node missing in the answer is refused, all missing is as asked", async () => {
    const nodes = Array.from({ length: 60 }, (_, n) => ({ ...meter, nodeId: `m${n}` }));
    for (const node of nodes) owned.set(nodeKey(node), ana);
    link.script = sent =>
      childrenOf(sent).length === 50
        ? yes(sent)
        : says("result='true' m='true'", "<nd id='m50' src='MeteringTopology' pt='attic'/>")(sent);
    const opinions = await ask(question("read", nodes));
    expect(link.sent.map(sent => childrenOf(sent).length)).toEqual([50, 10]);
    expect(opinions.filter(one => "grant" in one).map(one => one.node.nodeId)).toEqual(
      nodes.slice(0, 51).map(one => one.nodeId),
    );
    await ask(question("read", nodes.slice(0, 51)));
    expect(link.sent).toHaveLength(2);
  });
});

describe("memory", () => {
  const sent = async (work: () => Promise<unknown>) => {
    const before = link.sent.length;
    await work();
    return link.sent.length - before;
  };

  it("PROV-CACHE-01: order and repeats of names and tokens do not matter; categories, node, caller, kind and tokens do", async () => {
    link.script = says("result='true' m='true' h='true'", "<f n='A'/>");
    const tokens = { ...noTokens, user: ["u1", "u2"] };
    const one = question("read", [meter], ["A", "B"], ["momentary"], bob, tokens);
    expect(await sent(() => ask(one))).toBe(1);
    const same = question("read", [meter], ["B", "A", "B"], ["momentary"], bob, {
      ...noTokens,
      user: ["u2", "u1", "u1"],
    });
    expect(await sent(() => ask(same))).toBe(0);
    for (const other of [
      { ...one, names: ["A"] },
      { ...one, categories: categories("momentary", "historical") },
      { ...one, nodes: [second] },
      { ...one, caller: { ...one.caller, bareJid: "eve@city.example" } },
      { ...one, caller: { ...one.caller, tokens: { ...noTokens, device: ["u1", "u2"] } } },
      { ...one, caller: { ...one.caller, tokens: noTokens } },
    ])
      expect(await sent(() => ask(other))).toBe(1);
    link.script = says("result='true'");
    expect(await sent(() => ask({ ...one, right: "control", categories: noCategories }))).toBe(1);
  });

  it("PROV-CACHE-03: a full yes answers narrower questions, a part or a no only its own", async () => {
    link.script = says("result='true' m='true' h='true'");
    await ask(question("read", [meter], [], ["momentary", "historical"]));
    expect(await sent(() => read("Energy"))).toBe(0);
    expect(granted(await read("Energy"))).toEqual({ categories: categories("momentary"), names: [] });
    expect(await sent(() => ask(question("read", [meter], ["Energy"], ["momentary", "peak"])))).toBe(1);
    await clear();
    link.script = says("result='true' m='true'", "<f n='Energy'/>");
    await read();
    expect(await sent(() => read("Energy"))).toBe(1);
    await clear();
    link.script = no;
    await read();
    link.script = yes;
    expect(granted(await read("Energy"))).toBeDefined();
    expect(granted(await read())).toBeUndefined();
  });

  it("PROV-CACHE-04: a yes lasts 24 hours, also when used all the time", async () => {
    link.script = yes;
    await read();
    link.script = no;
    for (let hours = 0; hours < 23; hours++) {
      await clock.advance(hour);
      expect(granted(await read())).toBeDefined();
    }
    await clock.advance(hour);
    expect(granted(await read())).toBeUndefined();
  });

  it("PROV-CACHE-04: a no lasts 5 minutes, then twice as long each time, to 6 hours", async () => {
    link.script = no;
    await read();
    for (const lasts of [5, 10, 20, 40, 80, 160, 320, 360, 360].map(one => one * minute)) {
      await clock.advance(lasts - 1_000);
      expect(await sent(() => read())).toBe(0);
      await clock.advance(1_000);
      expect(await sent(() => read())).toBe(1);
    }
    link.script = yes;
    await clock.advance(6 * hour);
    expect(granted(await read())).toBeDefined();
  });

  it("a clock set back makes what was learned in its future worthless", async () => {
    link.script = yes;
    await clock.advance(hour);
    await read();
    clock = manualClock();
    start();
    link.script = no;
    expect(granted(await read())).toBeUndefined();
  });

  it("PROV-CACHE-02: errors, timeouts and invalid answers are not remembered", async () => {
    for (const script of [
      away,
      () => Promise.reject(new TimeoutError("the service", 10_000)),
      () => Promise.reject(new Error("not connected")),
      (): string => {
        throw new StanzaError("auth", "forbidden");
      },
      says("result='true' m='true'", "", "eve@evil.example"),
    ] satisfies Script[]) {
      link.script = script;
      expect(granted(await read())).toBeUndefined();
    }
    expect(database.prepare("SELECT count(*) AS n FROM decisions").get()).toEqual({ n: 0 });
    link.script = yes;
    expect(granted(await read())).toBeDefined();
  });

  it("PROV-CACHE-09: nothing is written on a hit, and a hit is quick", async () => {
    link.script = yes;
    const asked = question("read", [meter], ["Energy", "Flow", "Power"]);
    await ask(asked);
    const changes = () => (database.prepare("SELECT total_changes() AS n").get() as { n: number }).n;
    const before = changes();
    const signal = new AbortController().signal;
    const times: number[] = [];
    for (let n = 0; n < 5_000; n++) {
      const began = process.hrtime.bigint();
      await provisioning.rule.ask(asked, signal);
      times.push(Number(process.hrtime.bigint() - began) / 1_000);
    }
    expect(changes()).toBe(before);
    expect(link.sent).toHaveLength(1);
    times.sort((a, b) => a - b);
    // The target of 50 µs is the bench's to hold on a quiet machine; here only the order of magnitude is.
    expect(times[Math.floor(times.length * 0.99)]).toBeLessThan(500);
  });

  it("PROV-CACHE-09: one caller has 200 rows and evicts nobody else's, on the disk too", async () => {
    link.script = no;
    await ask(question("read", [meter], ["Energy"], ["momentary"], "carl@city.example"));
    for (let n = 0; n < 230; n++) {
      await read(`Field ${n}`);
      await clock.advance(7_000);
    }
    const rows = database.prepare("SELECT caller, count(*) AS n FROM decisions GROUP BY caller ORDER BY caller").all();
    expect(rows).toEqual([
      { caller: bob, n: 200 },
      { caller: "carl@city.example", n: 1 },
    ]);
  });

  it("PROV-CACHE-09: twenty thousand rows in all, those unused for longest go, on the disk too", () => {
    const memory = createDecisionMemory(createDecisionStore(database), clock);
    memory.open(service, edgeBare);
    const shared = { kind: "canControl", node: meter, tokens: "", categories: 0 } as const;
    const key = (caller: number, name: number) => ({
      ...shared,
      caller: `c${caller}@hub.example`,
      names: [`N${name}`],
    });
    const learn = (caller: number) =>
      memory.learn(
        Array.from({ length: 200 }, (_, name) => ({
          key: key(caller, name),
          answer: { allow: true, grantedCategories: 0, grantedNames: undefined },
        })),
      );
    for (let caller = 0; caller < 100; caller++) learn(caller);
    expect(memory.size).toBe(20_000);
    for (let name = 0; name < 100; name++) memory.find(key(0, name));
    learn(100);
    expect(memory.size).toBe(20_000);
    const of = (caller: number) => memory.about(`c${caller}@hub.example`).length;
    // Of the first caller what was just used is left, and the second has paid for the rest.
    expect([of(0), of(1), of(2), of(100)]).toEqual([100, 100, 200, 200]);
    expect(memory.look(key(0, 0))).toBeDefined();
    expect(memory.look(key(0, 150))).toBeUndefined();
    const rows = database.prepare("SELECT count(*) AS n FROM decisions").get();
    expect(rows).toEqual({ n: 20_000 });
    expect(database.pragma("journal_mode", { simple: true })).toBe("wal");
  });

  it("PROV-TRUST-01: another service starts from nothing, and the old one is obeyed no longer", async () => {
    link.script = yes;
    await read();
    provisioning.serviceFound({ jid: "prov2.hub.example", generation: "nfi" });
    link.script = no;
    expect(granted(await read())).toBeUndefined();
    expect(link.sent.at(-1)).toMatchObject({ to: "prov2.hub.example" });
    expect(await clear()).toBe("forbidden");
    expect(await clear("", "prov2.hub.example")).toBe("result");
    expect(() => provisioning.serviceFound({ jid: "eve@hub.example", generation: "nf" })).toThrow();
  });

  it("PROV-TRUST-01, PROV-CACHE-05: what was asked of a former service counts no more: on its way or still waiting, the new one is asked", async () => {
    const former: (() => void)[] = [];
    link.script = sent =>
      sent.to === service ? new Promise(resolve => former.push(() => resolve(yes(sent)))) : no(sent);
    const asked = Array.from({ length: 12 }, (_, n) =>
      ask(question("read", [meter], ["Energy"], ["momentary"], `c${n}@hub.example`)),
    );
    await clock.advance(0);
    expect(former).toHaveLength(8);
    provisioning.serviceFound({ jid: "prov2.hub.example", generation: "nfi" });
    for (let turn = 0; turn < 4; turn++) {
      for (const answer of former.splice(0)) answer();
      await clock.advance(0);
    }
    for (const opinions of await Promise.all(asked)) expect(granted(opinions[0])).toBeUndefined();
    expect(link.sent.filter(({ to }) => to === service)).toHaveLength(8);
    expect(database.prepare("SELECT sum(allow) AS allowed, count(*) AS n FROM decisions").get()).toEqual({
      allowed: 0,
      n: 12,
    });
  });
});

describe("clearCache", () => {
  it.each(generationNames)(
    "PROV-CACHE-07: cleared in %s, on the disk before the answer, then rights are looked at again",
    async generation => {
      link.script = yes;
      await read();
      expect(await clear("", service, generation)).toBe("result");
      expect(database.prepare("SELECT count(*) AS n FROM decisions").get()).toEqual({ n: 0 });
      expect(hooks).toEqual(["rightsChanged"]);
      link.script = no;
      expect(granted(await read())).toBeUndefined();
    },
  );

  it("PROV-CACHE-06: a node's clear takes its triple and isFriend, a missing node is still a result, three in a row take all", async () => {
    link.script = yes;
    const everything = async () => {
      const before = link.sent.length;
      await read();
      await ask(question("read", [second]));
      await provisioning.decideSubscription(bob, new AbortController().signal);
      return link.sent.slice(before).map(one => childrenOf(one)[0] ?? one.payload.name);
    };
    await everything();
    expect(await clear("id='mbus-12' src='MeteringTopology' pt='attic'")).toBe("result");
    expect(await everything()).toEqual(["nd mbus-12", "isFriend"]);
    expect(await clear("id='nothere'")).toBe("result");
    expect(await everything()).toEqual(["isFriend"]);
    expect(await clear("id='nothere'")).toBe("result");
    expect(await everything()).toEqual(["nd mbus-12", "nd mbus-13", "isFriend"]);
    await clock.advance(11_000);
    expect(await clear("id='nothere'")).toBe("result");
    expect(await everything()).toEqual(["isFriend"]);
  });

  it.each([
    ["somebody", "mallory@evil.example/x"],
    ["another component", "evil.hub.example"],
    ["the service with a resource", `${service}/x`],
    ["an account at the service", `admin@${service}`],
    ["the registry", "reg.hub.example"],
    ["ourselves", "gw9@hub.example/e"],
  ])("PROV-TRUST-01: from %s nothing is cleared, befriended or ended", async (_, from) => {
    link.script = yes;
    await read();
    for (const generation of generationNames) {
      expect(await clear("", from, generation)).toBe("forbidden");
      const ns = namespace("provisioningDevice", generation);
      await link.tell(from, `<friend xmlns='${ns}' jid='eve@evil.example'/>`);
      await link.tell(from, `<unfriend xmlns='${ns}' jid='${ana}'/>`);
    }
    link.script = no;
    expect(granted(await read())).toBeDefined();
    expect(hooks).toEqual([]);
    expect(link.events.filter(one => one.event === "SpoofedStanza")).toHaveLength(9);
  });

  it("PROV-CACHE-05: an answer that rights overtook is applied to nobody and not kept; it is asked for again, once", async () => {
    let release: ((text: string) => void)[] = [];
    link.script = () => new Promise(resolve => release.push(resolve));
    const answer = () => link.sent.at(-1) as Sent;
    const first = read();
    await clock.advance(0);
    await clear();
    release[0]?.(await yes(answer()));
    await clock.advance(0);
    expect(link.sent).toHaveLength(2);
    release[1]?.(await no(answer()));
    expect(granted(await first)).toBeUndefined();

    await clear();
    release = [];
    const restless = read();
    for (let turn = 0; turn < 2; turn++) {
      await clock.advance(0);
      await clear();
      release[turn]?.(await yes(answer()));
    }
    expect(granted(await restless)).toBeUndefined();
    expect(database.prepare("SELECT count(*) AS n FROM decisions").get()).toEqual({ n: 0 });
  });

  it("PROV-CACHE-05: another node's clear does not overtake", async () => {
    let release = (_: string) => {};
    link.script = () => new Promise(resolve => (release = resolve));
    const reading = read();
    await clock.advance(0);
    await clear("id='mbus-13' src='MeteringTopology' pt='attic'");
    release(await yes(link.sent[0] as Sent));
    expect(granted(await reading)).toBeDefined();
    expect(link.sent).toHaveLength(1);
  });

  it("DISCO-CLAIMED-04: a change of owner forgets a thing's decisions and rights are looked at again", async () => {
    link.script = yes;
    await read();
    provisioning.forget(meter);
    await clock.advance(0);
    expect(hooks).toEqual(["rightsChanged"]);
    link.script = no;
    expect(granted(await read())).toBeUndefined();
  });
});

describe("bounds", () => {
  it("PROV-CACHE-10: the same question by many is one iq; a caller who leaves does not end it for the others", async () => {
    let release = (_: string) => {};
    link.script = () => new Promise(resolve => (release = resolve));
    const leaver = new AbortController();
    const left = Promise.resolve(provisioning.rule.ask(question("read", [meter]), leaver.signal));
    const others = Array.from({ length: 20 }, () => read());
    await clock.advance(0);
    leaver.abort(new Error("left"));
    await expect(left).rejects.toThrow("left");
    release(await yes(link.sent[0] as Sent));
    expect((await Promise.all(others)).every(one => granted(one) !== undefined)).toBe(true);
    expect(link.sent).toHaveLength(1);
  });

  it("PROV-CACHE-10: eight at a time, a hundred waiting, then busy; nothing is asked of what was refused", async () => {
    const releases: (() => void)[] = [];
    link.script = sent => new Promise(resolve => releases.push(() => resolve(yes(sent))));
    const ofEach = (n: number) => ask(question("read", [meter], ["Energy"], ["momentary"], `c${n}@hub.example`));
    const all = Array.from({ length: 108 }, (_, n) => ofEach(n));
    await clock.advance(0);
    expect(link.sent).toHaveLength(8);
    await expect(ofEach(200)).rejects.toMatchObject({ name: "Refusal", kind: "busy" });
    while (releases.length > 0) {
      expect(releases.length).toBeLessThanOrEqual(8);
      for (const release of releases.splice(0)) release();
      await clock.advance(0);
    }
    await Promise.all(all);
    expect(link.sent).toHaveLength(108);
  });

  it("PROV-CACHE-10: those who waited while the service was found away do not wait as long each", async () => {
    link.script = () =>
      clock.sleep(4_500, new AbortController().signal).then(() => Promise.reject(new TimeoutError("it", 4_500)));
    const all = Array.from({ length: 60 }, (_, n) =>
      ask(question("read", [meter], [], ["momentary"], `c${n}@hub.example`)),
    );
    await clock.advance(4_600);
    for (const opinions of await Promise.all(all)) expect(granted(opinions[0])).toBeUndefined();
    expect(link.sent).toHaveLength(8);
  });

  it("PROV-CANCONTROL-02: through admission: a part of the parameters, all of them, and busy instead of forbidden", async () => {
    const viewing = {
      name: "view",
      ask: (asked: Question) => (asked.right === "view" ? asked.nodes.map(node => ({ node, grant: asked })) : []),
    };
    const admission = createAdmission({ rules: [viewing, provisioning.rule], find: ref => ref, clock, log: silentLog });
    const { caller } = question("control", [meter]);
    const signal = new AbortController().signal;
    link.script = says("result='true'", `${nd}<parameter name='A'/>`);
    const part = await admission.control(caller, [meter], ["A", "B"], signal);
    expect(part.targets).toEqual([{ node: meter, names: ["A"] }]);
    link.script = yes;
    const whole = await admission.control(caller, [meter], ["C"], signal);
    expect(whole.targets).toEqual([{ node: meter, names: ["C"] }]);
    const every = { names: [], categories: categories("momentary"), from: 0, to: 1 };
    expect((await admission.read(caller, [meter], every, signal)).targets).toMatchObject([
      { node: meter, ask: { names: [] } },
    ]);
    link.script = () => new Promise(() => {});
    for (let n = 0; n < 108; n++) void ask(question("read", [meter], [], ["momentary"], `c${n}@hub.example`));
    await clock.advance(0);
    const late = { ...caller, bareJid: "late@hub.example" };
    await expect(admission.read(late, [meter], every, signal)).rejects.toMatchObject({ kind: "busy" });
  });

  it("a rule answers in the same breath what it remembers", async () => {
    link.script = yes;
    await read();
    expect(Array.isArray(provisioning.rule.ask(question("read", [meter]), new AbortController().signal))).toBe(true);
  });

  it("PROV-THR-03: ten new questions a minute of one caller, sixty of a foreign domain, three hundred in all", async () => {
    link.script = no;
    const count = async (asks: number, jid: (n: number) => string) => {
      const before = link.sent.length;
      for (let n = 0; n < asks; n++) await ask(question("read", [meter], [`F${n}`], ["momentary"], jid(n)));
      return link.sent.length - before;
    };
    expect(await count(30, () => bob)).toBe(10);
    expect(await count(100, n => `random${n}@city.example`)).toBe(50);
    expect(await count(100, n => `own${n}@hub.example`)).toBe(100);
    expect(await count(200, n => `x@domain${n}.example`)).toBe(140);
    await clock.advance(61_000);
    expect(await count(30, () => "late@city.example")).toBe(10);
  });

  it("PROV-THR-03: what is known already is no new question", async () => {
    link.script = yes;
    for (let n = 0; n < 10; n++) await read(`F${n}`);
    provisioning.offline();
    await clock.advance(61_000);
    provisioning.online(false);
    for (let n = 0; n < 10; n++) await read(`F${n}`);
    for (let n = 10; n < 20; n++) await read(`F${n}`);
    expect(link.sent).toHaveLength(30);
  });
});

/** Refuses questions; what it says of itself is another matter. */
const refusing =
  (condition: "forbidden", disco: Script = () => ""): Script =>
  sent =>
    sent.payload.name === "query" ? disco(sent) : Promise.reject(new StanzaError("auth", condition));

describe("the service away", () => {
  const restart = (options?: Options) => {
    database.close();
    database = openDatabase(join(folder, "edge.db"), edgeMigrations, silentLog);
    start(options, false);
    link.script = away;
    provisioning.online(false);
  };

  it("a read learned earlier works on, a new stranger is refused; control is decided by what is fresh only", async () => {
    link.script = sent =>
      sent.payload.name === "canRead" ? says("result='true' m='true'", `${nd}<f n='Energy'/>`)(sent) : yes(sent);
    await read("Energy", "Flow");
    await control("SetPoint");
    link.script = away;
    expect(granted(await read("Energy", "Flow"))?.names).toEqual(["Energy"]);
    expect(granted(await control("SetPoint"))).toBeDefined();
    expect(granted((await ask(question("read", [meter], [], ["momentary"], "eve@evil.example")))[0])).toBeUndefined();
  });

  it("after a restart without the service: reads as before, control closed, strangers refused; with it back, asked again", async () => {
    link.script = sent =>
      sent.payload.name === "canRead" ? says("result='true' m='true'", `${nd}<f n='Energy'/>`)(sent) : yes(sent);
    await read("Energy", "Flow");
    await control("SetPoint");
    restart();
    expect(granted(await read("Energy", "Flow"))).toEqual({ categories: categories("momentary"), names: ["Energy"] });
    expect(granted(await control("SetPoint"))).toBeUndefined();
    expect(granted((await ask(question("read", [meter], [], ["momentary"], "eve@evil.example")))[0])).toBeUndefined();
    link.script = no;
    await clock.advance(31_000);
    expect(granted(await read("Energy", "Flow"))).toBeUndefined();
    expect(link.sent.at(-1)).toMatchObject({ to: service });
  });

  it("PROV-CACHE-08: an absence of more than a minute makes all of it stale, a shorter one nothing", async () => {
    link.script = yes;
    await read();
    provisioning.offline();
    await clock.advance(50_000);
    provisioning.online(false);
    await read();
    expect(link.sent).toHaveLength(1);
    provisioning.offline();
    await clock.advance(61_000);
    provisioning.online(false);
    link.script = no;
    expect(granted(await read())).toBeUndefined();
    expect(link.sent).toHaveLength(2);
  });

  it("a stale yes holds for what is unreachable only: a no, an error or an invalid answer of the service ends it", async () => {
    const holds: [string, Script, boolean][] = [
      ["unavailable", away, true],
      ["timeout", () => Promise.reject(new TimeoutError("the service", 10_000)), true],
      ["not connected", () => Promise.reject(new Error("not connected")), true],
      ["no", no, false],
      ["forbidden", refusing("forbidden"), false],
      // ejabberd without s2s says so of a component that is not connected, whatever it is asked.
      ["forbidden, as everything is", () => Promise.reject(new StanzaError("auth", "forbidden")), true],
      ["forbidden, and nobody there", refusing("forbidden", away), true],
      ["forbidden, and silence", refusing("forbidden", () => Promise.reject(new TimeoutError("disco", 1_000))), false],
      ["unknown here", () => Promise.reject(new StanzaError("cancel", "item-not-found")), false],
      ["about another", says("result='true' m='true'", "", "eve@evil.example"), false],
      ["not understood", says("result='true' m='true'", "<q/>"), false],
    ];
    for (const [what, script, held] of holds) {
      start();
      await clear();
      link.script = yes;
      await read();
      provisioning.offline();
      await clock.advance(61_000);
      provisioning.online(false);
      link.script = script;
      expect([what, granted(await read()) !== undefined]).toEqual([what, held]);
    }
  });

  it("while it was just found away, reads that are known do not wait for it; a sign of life ends that", async () => {
    link.script = yes;
    await read();
    restart();
    await read();
    await read();
    await read();
    expect(link.sent).toHaveLength(1);
    provisioning.serviceSeen();
    await read();
    expect(link.sent).toHaveLength(2);
  });

  it("PROV-CACHE-04: 24 hours after it was learned it is over, service or not", async () => {
    link.script = yes;
    await read();
    restart();
    await clock.advance(24 * hour);
    expect(granted(await read())).toBeUndefined();
  });

  it("PROV-CACHE-08: with staleRead off, reads are closed too", async () => {
    link.script = yes;
    await read();
    restart({ staleRead: false });
    expect(granted(await read())).toBeUndefined();
  });

  it("PROV-CANREAD-04, PROV-THR-07: no service known: the owner reads, others do not", async () => {
    database.exec("DELETE FROM services");
    start({}, false);
    expect(granted(await read())).toBeUndefined();
    expect(granted((await ask(question("read", [meter], [], ["momentary"], ana)))[0])).toBeDefined();
    expect(link.sent).toEqual([]);
  });
});

describe("presence", () => {
  const decide = (jid: string) => provisioning.decideSubscription(jid, new AbortController().signal);

  it("PROV-ISFRIEND-01: service and owners are accepted unasked", async () => {
    expect(await decide(service)).toMatchObject({ kind: "accept", subscribeBack: false });
    expect(await decide(ana)).toMatchObject({ kind: "accept", subscribeBack: true });
    expect(link.sent).toEqual([]);
  });

  it("PROV-ISFRIEND-02: yes and no are the service's, remembered; unanswered is declined and not remembered", async () => {
    link.script = away;
    expect(await decide(bob)).toMatchObject({ kind: "decline", unanswered: true });
    link.script = yes;
    expect(await decide(bob)).toEqual({ kind: "accept", subscribeBack: true });
    expect(link.sent.at(-1)?.text).toBe(`<isFriend xmlns='urn:nf:iot:prov:d:1.0' jid='${bob}'/>`);
    link.script = no;
    expect(await decide(bob)).toMatchObject({ kind: "accept" });
    expect(await decide("eve@evil.example")).toMatchObject({ kind: "decline" });
    expect(await decide("eve@evil.example")).toMatchObject({ kind: "decline" });
    expect(link.sent).toHaveLength(3);
  });

  it("PRES-SUB-01: nobody owns anything: declined; no service known: left to an operator", async () => {
    owned.clear();
    expect(await decide(bob)).toMatchObject({ kind: "decline" });
    owned.set(nodeKey(rootRef), ana);
    database.exec("DELETE FROM services");
    start({}, false);
    expect(await decide(bob)).toMatchObject({ kind: "pending" });
    expect(link.sent).toEqual([]);
  });

  it("PROV-FRIEND-01: friend and unfriend reach presence once each, and undo what was remembered", async () => {
    link.script = no;
    await decide(bob);
    const ns = namespace("provisioningDevice", "ieee");
    await link.tell(service, `<friend xmlns='${ns}' jid='Bob@city.example/phone'/>`);
    link.script = yes;
    expect(await decide(bob)).toMatchObject({ kind: "accept" });
    await link.tell(service, `<unfriend xmlns='${ns}' jid='${bob}'/>`);
    link.script = no;
    expect(await decide(bob)).toMatchObject({ kind: "decline" });
    for (const jid of ["not a jid", edgeBare, ""]) await link.tell(service, `<friend xmlns='${ns}' jid='${jid}'/>`);
    expect(hooks).toEqual([`friend ${bob}`, `unfriend ${bob}`]);
  });
});
