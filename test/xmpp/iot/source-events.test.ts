// Events of a data source on the wire, over the real tree, store and admission: what is told whom, in what order, and until when.

import { describe, expect, it } from "vitest";
import type { Rule } from "#concentrator/admission.ts";
import { grantWhere } from "#concentrator/rules.ts";
import { Refusal } from "#contract/faults.ts";
import { createLanguages } from "#contract/language.ts";
import { meteringTopology } from "#contract/node.ts";
import { generationNames, namespace } from "#iot/generations.ts";
import { createSourceEvents } from "#iot/source-events.ts";
import * as wire from "#iot/source-events.wire.ts";
import { sourceEventsWaitingMax, sourceReplayMax } from "#limits.ts";
import { parse } from "#xml/parser.ts";
import { dateTime } from "#xml/scalars.ts";
import { owner, refOf, type Scene, type SceneOptions, scene, stranger } from "../../concentrator/scene.ts";
import { createBench } from "./face-bench.ts";

const ns = namespace("concentrator", "nf");
const phone = `${owner}/phone`;
const second = 1_000;

async function createFace(options: SceneOptions = {}, before: (it: Scene) => void = () => {}) {
  const bench = createBench();
  const it: Scene = scene({ clock: bench.clock, ...options });
  before(it);
  await it.start();
  const blocked = { now: false };
  const face = createSourceEvents({
    concentrator: it.concentrator,
    send(to, payload) {
      if (blocked.now) throw new Refusal("busy", "the outbox is full");
      bench.send(to, payload);
    },
    languages: createLanguages({ sv: { "No answer.": "Inget svar.", "Works again.": "Fungerar igen." } }),
    log: it.log,
    signal: bench.stop.signal,
  });
  const ask = bench.serve(face.routes);
  const told = (to = phone) => bench.sent.filter(one => one.to === to).map(one => parse(one.payload));
  const names = (to = phone) => told(to).map(one => `${one.name} ${one.attrs.id}`);
  const warn = (id: string, text: string, event = "E") => {
    const node = it.tree.find(refOf(id));
    if (node !== undefined) it.tree.warn(node, event, text);
  };
  const rename = (id: string, nodeId: string, displayName = nodeId) => {
    const node = it.tree.find(refOf(id));
    if (node === undefined) throw new Error(`no ${id}`);
    const { record } = node;
    it.tree.edit([
      {
        node: node.ref,
        nodeId,
        displayName,
        settings: record.settings,
        tags: record.tags,
        options: record.options ?? {},
      },
    ]);
  };
  const pass = (ms = second) => bench.clock.advance(ms);
  await pass();
  return { bench, it, face, ask, told, names, warn, rename, pass, blocked };
}
type Face = Awaited<ReturnType<typeof createFace>>;

const subscribe = (attrs = "ttl='600'", space = ns, source = "src='MeteringTopology'") =>
  `<subscribe xmlns='${space}' ${source} ${attrs}/>`;
const unsubscribe = (attrs = "") => `<unsubscribe xmlns='${ns}' src='MeteringTopology' ${attrs}/>`;
const destroy = async ({ it, pass }: Face, id: string) => {
  await Promise.all([it.tree.destroy(refOf(id)), pass(100)]);
};
const times = (face: Face, to = phone) => face.told(to).map(one => dateTime.parse(one.attrs.ts ?? ""));

describe("subscribing", () => {
  for (const generation of generationNames) {
    it(`CON-SUB-01, CON-EVT-02, -06, COM-NS-03: one event a message, in ${generation}, with source, parent and state`, async () => {
      const space = namespace("concentrator", generation);
      const face = await createFace({}, it => it.add("test.line", "line"));
      expect(await face.ask("set", subscribe("ttl='86400' parameters='1' messages='1'", space), phone)).toBe("");
      face.it.add("test.device", "new", {}, "line");
      await face.pass();
      const [first] = face.told();
      expect(first?.ns).toBe(space);
      const event = wire.nodeAdded.decode(first as never);
      expect(event.info).toMatchObject({
        ref: refOf("new", "line"),
        localId: "new",
        displayName: "new",
        nodeType: "test.device",
        state: "None",
        hasChildren: false,
        parent: { nodeId: "line", partition: "" },
      });
      expect(event.info.parameters.map(one => one.id)).toEqual(expect.arrayContaining(["NodeId", "Type"]));
      expect(first?.attrs.hasChildren).toBe("false");
      await face.it.stop();
    });
  }

  it("CON-SUB-01: ttl is a positive number of seconds, a day at least, and not for ever", async () => {
    const face = await createFace({}, it => it.add("test.device", "a"));
    const condition = async (attrs: string) => {
      const reply = await face.ask("set", subscribe(attrs), phone);
      return reply === "" ? "ok" : ((parse(reply).children[0] as { name: string }).name ?? "");
    };
    for (const attrs of [
      "",
      "ttl=''",
      "ttl='0'",
      "ttl='-5'",
      "ttl='soon'",
      "ttl='1.5'",
      "ttl='5' getEventsSince='x'",
    ]) {
      expect(await condition(attrs), attrs).toBe("bad-request");
    }
    for (const attrs of ["ttl='604801'", "ttl='99999999999'"]) expect(await condition(attrs)).toBe("not-acceptable");
    expect(await condition("ttl='86400'")).toBe("ok");
    expect(await face.ask("get", subscribe(), phone)).toContain("feature-not-implemented");
    expect(face.face.active).toBe(1);
    await face.it.stop();
  });

  it("CON-SUB-01, -03: an unknown source and one that is not to be seen are not found", async () => {
    const face = await createFace({}, it => it.add("test.device", "a"));
    for (const [source, from] of [
      ["src='zz'", phone],
      ["src='MeteringTopology'", "eve@example.org/x"],
    ] as const) {
      expect(await face.ask("set", subscribe("ttl='9'", ns, source), from)).toContain("item-not-found");
      expect(await face.ask("set", `<unsubscribe xmlns='${ns}' ${source}/>`, from)).toContain("item-not-found");
    }
    expect(await face.ask("set", subscribe("ttl='9'", ns, ""), phone), "COM-ID-02").toBe("");
    expect(face.face.active).toBe(1);
    await face.it.stop();
  });

  it("CON-SUB-02: renewing adds events and details, takes the newest language, and begins the time anew", async () => {
    const face = await createFace({}, it => it.add("test.device", "a"));
    const only = (name: string) =>
      wire.eventNames
        .filter(one => one !== name)
        .map(one => `${one}='false'`)
        .join(" ");
    await face.ask("set", subscribe(`ttl='10' ${only("nodeStatusChanged")}`), phone);
    face.warn("a", "No answer.");
    face.it.add("test.device", "b");
    await face.pass(9 * second);
    expect(face.told().map(one => [one.name, one.children.length])).toEqual([["nodeStatusChanged", 0]]);
    await face.ask("set", subscribe(`ttl='10' messages='1' xml:lang='sv' ${only("nodeAdded")}`), phone);
    await face.pass(5 * second);
    face.warn("a", "Other.");
    face.warn("a", "No answer.");
    face.it.add("test.device", "c");
    await face.pass(3 * second);
    expect(face.names().slice(1)).toEqual(["nodeStatusChanged a", "nodeAdded c"]);
    expect(face.bench.sent[1]?.payload).toContain("Inget svar.");
    await face.pass(3 * second);
    expect(face.face.active, "CON-SUB-04").toBe(0);
    face.it.add("test.device", "d");
    await face.pass();
    expect(face.told()).toHaveLength(3);
    await face.it.stop();
  });

  it("CON-SUB-03: what is named is taken away; the last takes all; where there is nothing it is no error", async () => {
    const face = await createFace({}, it => it.add("test.device", "a"));
    expect(await face.ask("set", unsubscribe(), phone)).toBe("");
    await face.ask("set", subscribe(), phone);
    expect(await face.ask("set", unsubscribe("nodeStatusChanged='false'"), phone)).toBe("");
    face.it.add("test.device", "b");
    face.warn("a", "Hm.");
    await face.pass();
    expect(face.names()).toEqual(["nodeStatusChanged a"]);
    expect(face.face.active).toBe(1);
    await face.ask("set", unsubscribe(), phone);
    expect(face.face.active).toBe(0);
    await face.it.stop();
  });

  it("CON-SUB-04: presence, bounce, consent and loss of sight end it; others go on", async () => {
    let blind = false;
    const sight: Rule = {
      name: "sight",
      ask: question =>
        question.right === "view" && question.caller.bareJid === "guest@example.org"
          ? grantWhere(question, () => !blind)
          : [],
    };
    const face = await createFace({ rules: [sight] }, it => it.add("test.device", "a"));
    const guest = "guest@example.org/x";
    for (const from of [phone, `${owner}/desk`, `${stranger}/x`, guest]) await face.ask("set", subscribe(), from);
    expect(face.face.active).toBe(4);
    face.face.gone(`${owner}/desk`);
    expect(face.face.active).toBe(3);
    face.face.withdrawn(stranger);
    expect(face.face.active).toBe(2);
    blind = true;
    face.it.concentrator.rightsChanged();
    await face.pass();
    expect(face.face.active).toBe(1);
    face.warn("a", "Hm.");
    await face.pass();
    expect(face.bench.sent.map(one => one.to)).toEqual([phone]);
    await face.it.stop();
  });

  it("CON-SUB-01: so many a caller and no more", async () => {
    const face = await createFace({}, it => it.add("test.device", "a"));
    for (let index = 0; index < 20; index++) await face.ask("set", subscribe(), `${owner}/r${index}`);
    expect(await face.ask("set", subscribe(), phone)).toContain("resource-constraint");
    expect(await face.ask("set", subscribe(), `${owner}/r3`), "renewing needs no room").toBe("");
    expect(await face.ask("set", subscribe(), `${stranger}/x`)).toBe("");
    await face.it.stop();
  });
});

describe("what is told", () => {
  it("CON-EVT-01, -03, CON-DEL-02, CON-MOVE-03: adding, renaming, moving and removing, at times that only go up", async () => {
    const face = await createFace({}, it => {
      it.add("test.line", "line");
      for (const id of ["x", "y"]) it.add("test.device", id, {}, "line");
    });
    await face.ask("set", subscribe(), phone);
    face.it.add("test.device", "z", {}, "line");
    face.rename("x", "x2", "Room 2");
    face.rename("x2", "x2", "Room 2");
    face.it.tree.move([refOf("z")], "up");
    face.it.tree.move([refOf("x2")], "up");
    await face.pass();
    await destroy(face, "line");
    await face.pass();
    expect(face.names()).toEqual([
      "nodeAdded z",
      "nodeUpdated x2",
      "nodeMovedUp z",
      "nodeRemoved y",
      "nodeRemoved z",
      "nodeRemoved x2",
      "nodeRemoved line",
    ]);
    expect(face.told()[0]?.attrs.aid).toBe("y");
    expect(face.told()[1]?.attrs).toMatchObject({ oid: "x", displayName: "Room 2", nodeType: "test.device" });
    const all = times(face);
    expect(all).toEqual([...new Set(all)].toSorted((a, b) => a - b));
    await face.it.stop();
  });

  it("CON-EVT-04, -05: each change of state or messages with all there are, a second apart, the last one wins", async () => {
    const face = await createFace({}, it => {
      for (const id of ["a", "b"]) it.add("test.device", id);
    });
    await face.ask("set", subscribe("ttl='600' messages='1'"), phone);
    for (let index = 0; index < 10; index++) {
      face.warn("a", `Fault ${index}.`);
      if (index === 5) face.warn("b", "Once.");
      await face.pass(150);
    }
    await face.pass(3 * second);
    const states = face
      .told()
      .map(one => `${one.attrs.id} ${wire.nodeStatusChanged.decode(one).messages.at(-1)?.text}`);
    expect(states[0]).toBe("a Fault 0.");
    expect(states.at(-1)).toBe("a Fault 9.");
    expect(states).toContain("b Once.");
    expect(states.length).toBeLessThanOrEqual(4);
    const all = times(face);
    expect(all, "what was held went before what came after it").toEqual(all.toSorted((a, b) => a - b));
    face.it.tree.acknowledge(refOf("a"));
    await face.pass(2 * second);
    expect(face.told().at(-1)?.attrs.state, "CON-NI-03").toBe("WarningSigned");
    await face.it.stop();
  });

  it("CON-SUB-08: everybody is told of the nodes he sees, and of no invisible parent", async () => {
    const tenant: Rule = {
      name: "tenant",
      ask: question =>
        question.right === "view" && question.caller.bareJid === "tenant@example.org"
          ? grantWhere(question, node => node.nodeId.startsWith("his"))
          : [],
    };
    const face = await createFace({ rules: [tenant] }, it => {
      it.add("test.line", "line");
      it.add("test.device", "his-1", {}, "line");
    });
    await face.ask("set", subscribe(), "tenant@example.org/x");
    face.it.add("test.device", "other", {}, "line");
    face.it.add("test.device", "his-2", {}, "line");
    face.warn("line", "Not his.");
    face.warn("his-1", "His.");
    face.rename("his-2", "not-any-more");
    face.rename("other", "his-3");
    await face.pass();
    await destroy(face, "his-1");
    await face.pass();
    expect(face.names("tenant@example.org/x")).toEqual([
      "nodeAdded his-2",
      "nodeStatusChanged his-1",
      // Called otherwise, it is none of his; to him it is gone under the name he knew.
      "nodeRemoved his-2",
      "nodeAdded his-3",
      "nodeRemoved his-1",
    ]);
    expect(face.told("tenant@example.org/x").some(one => one.attrs.parentId !== undefined)).toBe(false);
    await face.it.stop();
  });

  it("CON-SUB-09: what one begins to see is added for him, what he sees no more is removed, children first", async () => {
    const shown = new Set(["a"]);
    const sight: Rule = {
      name: "sight",
      ask: question =>
        question.right === "view" && question.caller.bareJid === "guest@example.org"
          ? grantWhere(question, node => shown.has(node.nodeId))
          : [],
    };
    const guest = "guest@example.org/x";
    const face = await createFace({ rules: [sight] }, it => {
      it.add("test.device", "a");
      it.add("test.line", "line");
      it.add("test.device", "x", {}, "line");
    });
    await face.ask("set", subscribe(), guest);
    for (const id of ["line", "x"]) shown.add(id);
    face.it.concentrator.rightsChanged();
    await face.pass();
    expect(face.names(guest)).toEqual(["nodeAdded line", "nodeAdded x"]);
    for (const id of ["line", "x"]) shown.delete(id);
    face.it.concentrator.rightsChanged();
    await face.pass();
    expect(face.names(guest).slice(2)).toEqual(["nodeRemoved x", "nodeRemoved line"]);
    // Without a word of the rules: at the next thing that happens to it.
    shown.add("x");
    face.warn("x", "Hm.");
    await face.pass();
    expect(face.names(guest).at(-1)).toBe("nodeAdded x");
    shown.delete("x");
    face.warn("x", "Hm again.");
    await face.pass();
    expect(face.names(guest).at(-1)).toBe("nodeRemoved x");
    await face.it.stop();
  });
});

describe("the past", () => {
  it("CON-SUB-05, CON-EVT-01: replayed after the answer, in order, then live; last ts + 1 ms misses and doubles nothing", async () => {
    const face = await createFace({}, it => it.add("test.device", "a"));
    const begin = face.bench.clock.now();
    for (let index = 0; index < 120; index++) face.it.add("test.device", `n${index}`);
    await destroy(face, "n5");
    const asking = face.ask("set", subscribe(`ttl='600' getEventsSince='${dateTime.format(begin)}'`), phone);
    face.it.add("test.device", "seam");
    expect(await asking).toBe("");
    expect(face.bench.left, "nothing before the answer").toEqual([""]);
    await face.pass(300);
    face.it.add("test.device", "during");
    await face.pass(5 * second);
    const expected = [...Array.from({ length: 120 }, (_, index) => `n${index}`), "n5", "seam", "during"];
    expect(face.told().map(one => one.attrs.id)).toEqual(expected);
    expect(face.told()[120]?.name).toBe("nodeRemoved");
    const all = times(face);
    expect(all).toEqual(all.toSorted((a, b) => a - b));
    const middle = all[60] as number;
    await face.ask("set", subscribe(`ttl='600' getEventsSince='${dateTime.format(middle + 1)}'`), `${owner}/desk`);
    await face.pass(5 * second);
    expect(face.told(`${owner}/desk`).map(one => one.attrs.id)).toEqual(expected.slice(61));
    const future = dateTime.format(face.bench.clock.now() + 1_000_000);
    expect(await face.ask("set", subscribe(`ttl='600' getEventsSince='${future}'`), `${owner}/tablet`)).toBe("");
    await face.pass();
    expect(face.told(`${owner}/tablet`)).toEqual([]);
    await face.it.stop();
  });

  it("CON-SUB-05, -08: a replay goes through the same eyes", async () => {
    const tenant: Rule = {
      name: "tenant",
      ask: question =>
        question.right === "view" && question.caller.bareJid === "tenant@example.org"
          ? grantWhere(question, node => node.nodeId.startsWith("his"))
          : [],
    };
    const face = await createFace({ rules: [tenant] }, it => it.add("test.device", "his-0"));
    const begin = dateTime.format(face.bench.clock.now());
    for (const id of ["a", "his-1", "b", "his-2"]) face.it.add("test.device", id);
    for (const id of ["a", "his-1"]) await destroy(face, id);
    await face.ask("set", subscribe(`ttl='9' nodeUpdated='0' getEventsSince='${begin}'`), "tenant@example.org/x");
    await face.pass();
    expect(face.names("tenant@example.org/x")).toEqual(["nodeAdded his-1", "nodeAdded his-2", "nodeRemoved his-1"]);
    await face.it.stop();
  });

  it("CON-SUB-06: beyond what is kept, or too much, it is not offered and nothing is subscribed", async () => {
    const face = await createFace({}, it => it.add("test.device", "a"));
    const begin = face.bench.clock.now();
    const since = (at: number) => face.ask("set", subscribe(`ttl='9' getEventsSince='${dateTime.format(at)}'`), phone);
    expect(await since(begin - 86_400_000)).toContain("feature-not-implemented");
    expect(face.face.active).toBe(0);
    for (let index = 0; index <= sourceReplayMax; index++) face.warn("a", `Hm ${index}.`);
    expect(await since(begin)).toContain("feature-not-implemented");
    expect(face.face.active).toBe(0);
    await face.ask("set", subscribe(), phone);
    expect(await since(begin), "a renewal that is refused takes nothing away").toContain("feature-not-implemented");
    expect(face.face.active).toBe(1);
    await face.it.stop();
  });

  it("CON-SUB-05: a subscriber whose messages cannot be sent is told later, from the log, and misses nothing", async () => {
    const face = await createFace({}, it => it.add("test.device", "a"));
    await face.ask("set", subscribe(), phone);
    face.blocked.now = true;
    const count = sourceEventsWaitingMax + 200;
    for (let index = 0; index < count; index++) {
      face.it.add("test.device", `n${index}`);
      if (index % 100 === 0) await face.pass(10);
    }
    await face.pass(5 * second);
    expect(face.told()).toEqual([]);
    face.blocked.now = false;
    await face.pass(60 * second);
    expect(face.told().map(one => one.attrs.id)).toEqual(Array.from({ length: count }, (_, index) => `n${index}`));
    await face.it.stop();
  });

  it("CON-SUB-07: the log outlives the program, subscriptions do not", async () => {
    const face = await createFace({}, it => it.add("test.device", "a"));
    await face.ask("set", subscribe(), phone);
    face.it.history.flush();
    expect(face.it.history.events.since(meteringTopology, 0, 10)).toMatchObject([
      { kind: "added", node: { nodeId: "a" } },
    ]);
    await face.it.stop();
    const after = face.it.restart();
    await after.start();
    after.add("test.device", "b");
    await after.clock.advance(second);
    expect(face.told()).toEqual([]);
    await after.stop();
  });
});
