// The readout face on the wire, through the real router.

import { describe, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import { Refusal } from "#contract/faults.ts";
import { categories, type Field, type Reading } from "#contract/field.ts";
import { createLanguages } from "#contract/language.ts";
import { namespaces } from "#iot/generations.ts";
import { createSensorData, type SensorDataDeps } from "#iot/sensor-data.ts";
import * as wire from "#iot/sensor-data.wire.ts";
import { parse } from "#xml/parser.ts";
import { asker, createBench, fakeReadouts, ref, type Script, says } from "./face-bench.ts";

const ns = "urn:nf:iot:sd:1.0";
const at = Date.parse("2031-03-02T05:10:00.000Z");

const energy: Field = {
  name: "Energy",
  value: { kind: "quantity", value: 1843.7, decimals: 2, unit: "kWh" },
  categories: categories("momentary"),
  quality: { automaticReadout: true },
};
const sample = (nodeId: string, fields: Field[] = [energy], when = at): Reading => ({
  kind: "reading",
  node: ref(nodeId),
  at: when,
  fields,
});
const fault = (nodeId: string, message: string): Reading => ({ kind: "fault", node: ref(nodeId), at, message });

function createScene(limits: NonNullable<SensorDataDeps["limits"]> = {}) {
  const bench = createBench();
  const readouts = fakeReadouts();
  const face = createSensorData({
    concentrator: readouts,
    send: bench.send,
    clock: bench.clock,
    log: silentLog,
    signal: bench.stop.signal,
    limits,
  });
  const ask = bench.serve(face.routes);
  const hangs: Script = async function* (_ask, signal) {
    yield sample("slow");
    await bench.clock.sleep(3_600_000, signal);
  };
  readouts.nodes.set("heat", says(sample("heat")));
  readouts.nodes.set("slow", hangs);
  /** A device that needs so long to say what it says. */
  const late = (ms: number, ...readings: Reading[]): Script =>
    async function* (_ask, signal) {
      await bench.clock.sleep(ms, signal);
      yield* readings;
    };
  const responses = () =>
    bench.sent
      .map(({ payload }) => parse(payload))
      .filter(one => one.name === "resp")
      .map(one => wire.response.decode(one));
  return { ...bench, bench, readouts, face, ask, late, responses };
}

const req = (attrs: string, children = "<nd id='heat'/>") => `<req xmlns='${ns}' id='r1' ${attrs}>${children}</req>`;
const resp = (children: string) =>
  `<nd id='heat' src='MeteringTopology'><ts v='2031-03-02T05:10:00.000Z'>${children}</ts></nd>`;
const energyXml = "<q n='Energy' m='true' ar='true' v='1843.70' u='kWh'/>";

describe("answers at once", () => {
  for (const generation of namespaces("sensorData")) {
    it(`SD-RESP-01, COM-NS-02: resp in the iq, in ${generation}`, async () => {
      const { ask, sent } = createScene();
      const reply = await ask("get", req("m='true'").replace(ns, generation));
      expect(reply).toBe(`<resp xmlns='${generation}' id='r1'>${resp(energyXml)}</resp>`);
      expect(sent).toEqual([]);
    });
  }

  it("COM-STZ-03: also asked by iq set", async () => {
    const { ask } = createScene();
    expect(await ask("set", req("m='true'"))).toContain(energyXml);
  });

  it("SD-REQ-03: no category is an empty resp and no question of rights; all overrides the letters", async () => {
    const { ask, readouts } = createScene();
    expect(await ask("get", req(""))).toBe(`<resp xmlns='${ns}' id='r1'/>`);
    expect(readouts.admissions).toEqual([]);
    expect(await ask("get", req("all='true' m='false'"))).toContain(energyXml);
    expect(await ask("get", req("p='true'"))).toBe(`<resp xmlns='${ns}' id='r1'/>`);
  });

  it("SD-REQ-06, COM-ID-04: no node is no node, not all of them", async () => {
    const { ask, readouts } = createScene();
    expect(await ask("get", req("all='true'", ""))).toBe(`<resp xmlns='${ns}' id='r1'/>`);
    expect(readouts.started).toBe(0);
  });

  it("SD-REQ-07, COM-ID-02: a node named twice, with and without the default source, is read once", async () => {
    const { ask, readouts } = createScene();
    await ask("get", req("m='true'", "<nd id='heat'/><nd id='heat' src='MeteringTopology'/>"));
    expect(readouts.admissions[0]?.nodes).toEqual([ref("heat")]);
  });

  it("COM-AUTH-01, SD-REQ-04, -05, -09: names, times, tokens, language and the stamped sender reach admission", async () => {
    const { ask, readouts } = createScene();
    const attrs = "m='1' h='1' from='2031-01-01T00:00:00Z' to='2031-02-01T00:00:00Z' st='s1 s2' dt='d' xml:lang='sv'";
    await ask("get", req(attrs, "<nd id='heat'/><f n='Energy'/><f n='Flow'/>"), "Bob@City.Example/Phone");
    expect(readouts.admissions).toEqual([
      {
        caller: {
          bareJid: "bob@city.example",
          fullJid: "bob@city.example/Phone",
          tokens: { service: ["s1", "s2"], device: ["d"], user: [] },
          language: "sv",
        },
        nodes: [ref("heat")],
        ask: {
          names: ["Energy", "Flow"],
          categories: categories("momentary", "historical"),
          from: Date.parse("2031-01-01T00:00:00Z"),
          to: Date.parse("2031-02-01T00:00:00Z"),
        },
      },
    ]);
  });

  it("SD-RESP-10, -15: a value that was not read and a node that failed are errors in their places", async () => {
    const { ask, readouts } = createScene();
    const missing: Field = { ...energy, name: "Flow", value: { kind: "missing", reason: "not in the telegram" } };
    readouts.nodes.set("heat", says(sample("heat", [energy, missing]), fault("heat", "No answer within 3 s.")));
    expect(await ask("get", req("all='1'"))).toBe(
      `<resp xmlns='${ns}' id='r1'>${resp(`${energyXml}<err>Flow: not in the telegram</err><err>No answer within 3 s.</err>`)}</resp>`,
    );
  });

  it("SD-RESP-15, COM-LANG-02: why there is no value is said in the asker's language, what the device said is not touched", async () => {
    const bench = createBench();
    const readouts = fakeReadouts();
    const mode: Field = { ...energy, name: "Mode", value: { kind: "string", value: "No answer within 3 s." } };
    const missing: Field = { ...energy, name: "Flow", value: { kind: "missing", reason: "not in the telegram" } };
    readouts.nodes.set("heat", says(sample("heat", [mode, missing]), fault("heat", "No answer within 3 s.")));
    const face = createSensorData({
      concentrator: readouts,
      send: bench.send,
      languages: createLanguages({
        sv: {
          "No answer within {time}.": "Inget svar inom {time}.",
          "not in the telegram": "finns inte i telegrammet",
        },
      }),
      clock: bench.clock,
      log: silentLog,
      signal: bench.stop.signal,
    });
    const ask = bench.serve(face.routes);
    const errors = ["<err>Flow: finns inte i telegrammet</err>", "<err>Inget svar inom 3 s.</err>"].join("");
    const value = "<s n='Mode' m='true' ar='true' v='No answer within 3 s.'/>";
    expect(await ask("get", req("all='1' xml:lang='sv'"))).toBe(
      `<resp xmlns='${ns}' id='r1'>${resp(`${value}${errors}`)}</resp>`,
    );
    expect(await ask("get", req("all='1' xml:lang='en'"))).toContain("<err>No answer within 3 s.</err>");
  });

  it("SD-RESP-06: oldest first inside a node", async () => {
    const { ask, readouts } = createScene();
    readouts.nodes.set("heat", says(sample("heat", [energy], at), sample("heat", [energy], at - 60_000)));
    const { nodes } = wire.response.decode(parse(await ask("get", req("all='1'"))));
    expect(nodes.map(({ samples }) => samples.map(one => one.at))).toEqual([[at - 60_000, at]]);
  });

  it("SD-RESP-02: a readout that gives nothing ends with an empty resp", async () => {
    const { ask, readouts, face } = createScene();
    readouts.nodes.set("heat", says());
    expect(await ask("get", req("all='1'"))).toBe(`<resp xmlns='${ns}' id='r1'/>`);
    expect(face.active).toBe(0);
  });
});

describe("refuses", () => {
  const refusals: [string, string, string, string][] = [
    ["SD-REQ-01: a missing id", `<req xmlns='${ns}' m='1'><nd id='heat'/></req>`, "bad-request", "req@id: missing"],
    ["SD-REQ-01: an empty id", `<req xmlns='${ns}' id='' m='1'><nd id='heat'/></req>`, "bad-request", "req@id"],
    [
      "COM-LEX-08: an id of 1025 characters",
      `<req xmlns='${ns}' id='${"x".repeat(1025)}' m='1'/>`,
      "bad-request",
      "req@id",
    ],
    ["SD-REQ-05: a malformed time", req("m='1' from='yesterday'"), "bad-request", "req@from"],
    ["COM-LEX-07: a category that is no boolean", req("m='maybe'"), "bad-request", "req@m"],
    ["COM-LEX-08: a node without id", req("m='1'", "<nd src='x'/>"), "bad-request", "req/nd[1]@id: missing"],
    ["SD-REQ-07: an unknown node", req("m='1'", "<nd id='heat'/><nd id='zz'/>"), "item-not-found", "zz"],
    ["SD-REQ-07: an unknown node, nothing asked of it", req("", "<nd id='zz'/>"), "item-not-found", "zz"],
    ["SD-REQ-11: too far ahead", req("m='1' when='2031-06-01T00:00:00Z'"), "not-acceptable", "30 days"],
  ];
  for (const [what, payload, condition, text] of refusals) {
    it(what, async () => {
      const { ask, readouts, face } = createScene();
      const reply = await ask("get", payload);
      expect(reply).toContain(`<${condition} `);
      expect(reply).toContain(text);
      expect(readouts.started).toBe(0);
      expect(face.active).toBe(0);
    });
  }

  it("SD-REQ-09: a denied caller before started, and nothing is read", async () => {
    const { ask, readouts, sent } = createScene();
    readouts.decide = async () => {
      throw new Refusal("denied", "not allowed");
    };
    const reply = await ask("get", req("m='true'"));
    expect(reply).toContain("<error type='auth'><forbidden ");
    expect(readouts.started).toBe(0);
    expect(sent).toEqual([]);
  });

  it("COM-AUTH-05: who is not decided on in time is refused", async () => {
    const { ask, clock, readouts } = createScene();
    readouts.decide = () => new Promise(() => {});
    const reply = ask("get", req("m='true'"));
    await clock.advance(12_000);
    expect(await reply).toContain("<forbidden ");
    expect(readouts.started).toBe(0);
  });

  it("SD-REQ-02: an id that is active, and not one that another resource uses", async () => {
    const { ask, clock } = createScene();
    const first = ask("get", req("m='true'", "<nd id='slow'/>"));
    expect(await ask("get", req("m='true'"))).toContain("<conflict ");
    expect(await ask("get", req("m='true'"), "bob@city.example/tablet")).toContain(energyXml);
    await clock.advance(600);
    expect(await first).toBe(`<started xmlns='${ns}' id='r1'/>`);
    expect(await ask("get", req("m='true'"))).toContain("<conflict ");
  });

  it("SD-REQ-13: more than the quota of one bare JID, freed again by an end", async () => {
    const { ask, clock } = createScene({ readoutsPerCallerMax: 2 });
    const slow = (id: string) => req("m='true'", "<nd id='slow'/>").replace("'r1'", `'${id}'`);
    const replies = [ask("get", slow("a")), ask("get", slow("b"), "bob@city.example/tablet")];
    await clock.advance(600);
    await Promise.all(replies);
    expect(await ask("get", req("m='true'"))).toMatch(/<error type='wait'><resource-constraint .*2 requests of yours/);
    expect(await ask("get", req("m='true'"), "eve@city.example/x")).toContain(energyXml);
    await ask("set", `<cancel xmlns='${ns}' id='a'/>`);
    expect(await ask("get", req("m='true'"))).toContain(energyXml);
  });

  it("COM-ERR-01: what only a bug could throw says nothing of itself", async () => {
    const { ask, readouts, face } = createScene();
    readouts.nodes.set("heat", async function* () {
      yield sample("heat");
      throw new Error("secret of the house");
    });
    const reply = await ask("get", req("m='true'"));
    expect(reply).toBe(
      "<error type='cancel'><internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
    );
    expect(face.active).toBe(0);
  });
});

describe("answers in messages", () => {
  it("COM-NS-03, SD-RESP-01, -02, -04: started in the iq, then data, then one end, all with the id and in the generation asked", async () => {
    for (const generation of namespaces("sensorData")) {
      const { ask, clock, left, sent, readouts, late, face } = createScene();
      readouts.nodes.set("heat", late(2_000, sample("heat")));
      const reply = ask("get", req("m='true'").replace(ns, generation));
      await clock.advance(3_000);
      await reply;
      expect(left).toEqual([
        `<started xmlns='${generation}' id='r1'/>`,
        `<resp xmlns='${generation}' id='r1'>${resp(energyXml)}</resp>`,
      ]);
      expect(sent[0]?.to).toBe(asker);
      expect(face.active).toBe(0);
    }
  });

  it("SD-RESP-02: values of a slow device are sent on while it works, and done is the end when nothing is left to say", async () => {
    const { ask, clock, left, readouts } = createScene();
    readouts.nodes.set("heat", async function* (_ask, signal) {
      yield sample("heat");
      await clock.sleep(5_000, signal);
    });
    void ask("get", req("m='true'"));
    await clock.advance(1_000);
    expect(left).toEqual([
      `<started xmlns='${ns}' id='r1'/>`,
      `<resp xmlns='${ns}' id='r1' more='true'>${resp(energyXml)}</resp>`,
    ]);
    await clock.advance(5_000);
    expect(left.slice(2)).toEqual([`<done xmlns='${ns}' id='r1'/>`]);
  });

  it("SD-RESP-03: a device that hangs is closed with an err, once, and nothing follows", async () => {
    const { ask, clock, left, responses, readouts, face } = createScene({ readoutEndMs: 60_000 });
    readouts.nodes.set("dead", () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }));
    void ask("get", req("m='true'", "<nd id='heat'/><nd id='dead'/>"));
    await clock.advance(59_000);
    expect(responses()).toHaveLength(1);
    await clock.advance(2_000);
    expect(left).toHaveLength(3);
    const last = responses().at(-1);
    expect(last?.more).toBe(false);
    expect(last?.nodes).toMatchObject([
      { ref: ref("dead"), samples: [{ fields: [], errors: ["no answer within 60 s"] }] },
    ]);
    expect(face.active).toBe(0);
    await clock.advance(3_600_000);
    expect(left).toHaveLength(3);
    expect(clock.sleepers).toBe(0);
  });

  it("SD-RESP-03: a readout that breaks in the middle ends with an err that says no more than that", async () => {
    const { ask, clock, responses, readouts, late } = createScene();
    readouts.nodes.set("heat", late(1_000, sample("heat")));
    readouts.nodes.set("bug", async function* (): AsyncGenerator<Reading> {
      yield* [];
      throw new Error("secret of the house");
    });
    void ask("get", req("m='true'", "<nd id='heat'/><nd id='bug'/>"));
    await clock.advance(2_000);
    const [only, ...others] = responses();
    expect(others).toEqual([]);
    expect(only?.more).toBe(false);
    expect(only?.nodes.map(({ ref, samples }) => [ref.nodeId, samples.flatMap(one => one.errors)])).toEqual([
      ["heat", []],
      ["bug", ["the readout failed"]],
    ]);
  });

  it("SD-RESP-03: stopping closes what runs with an err", async () => {
    const { ask, clock, responses, stop } = createScene();
    void ask("get", req("m='true'", "<nd id='slow'/>"));
    await clock.advance(1_000);
    stop.abort(new Error("stopping"));
    await clock.advance(0);
    const last = responses().at(-1);
    expect(last?.more).toBe(false);
    expect(last?.samples.flatMap(one => one.errors)).toEqual(["the appliance is stopping"]);
  });

  it("COM-STZ-09, SD-RESP-05, -16: a thousand nodes in fragments below the bound, at most twenty a second", async () => {
    const { ask, clock, sent, responses, readouts } = createScene({ payloadBytesMax: 10_000 });
    const fields = Array.from({ length: 20 }, (_, index) => ({ ...energy, name: `Field ${index} <&>` }));
    const ids = Array.from({ length: 1_000 }, (_, index) => `meter-${index}`);
    for (const id of ids) readouts.nodes.set(id, says(sample(id, fields)));
    const reply = ask("get", req("m='true'", ids.map(id => `<nd id='${id}'/>`).join("")));
    expect(await reply).toBe(`<started xmlns='${ns}' id='r1'/>`);
    await clock.advance(900);
    expect(sent).toHaveLength(20);
    await clock.advance(20_000);
    for (const { payload } of sent) expect(Buffer.byteLength(payload)).toBeLessThanOrEqual(10_000);
    const all = responses();
    expect(all.map(({ more }) => more)).toEqual(all.map((_, index) => index < all.length - 1));
    const told = all.flatMap(({ nodes }) =>
      nodes.flatMap(({ ref, samples }) =>
        samples.flatMap(one => one.fields.map(field => `${ref.nodeId} ${field.name}`)),
      ),
    );
    expect(told).toEqual(ids.flatMap(id => fields.map(field => `${id} ${field.name}`)));
    expect(sent.length).toBeLessThan(300);
  });

  it("COM-STZ-09: a value too long for any fragment is said to be so, the others are sent", async () => {
    const { ask, readouts } = createScene();
    const long: Field = { ...energy, name: "Log", value: { kind: "string", value: "ü".repeat(40_000) } };
    readouts.nodes.set("heat", says(sample("heat", [long, energy])));
    expect(await ask("get", req("m='true'"))).toBe(
      `<resp xmlns='${ns}' id='r1'>${resp(`<err>Log: the value is too long to be sent</err>${energyXml}`)}</resp>`,
    );
  });

  it("SD-RESP-03: a full outbox is tried again and loses nothing", async () => {
    const bench = createBench();
    const readouts = fakeReadouts();
    readouts.nodes.set("heat", async function* (_ask, signal) {
      await bench.clock.sleep(1_000, signal);
      yield sample("heat");
    });
    let full = true;
    const face = createSensorData({
      concentrator: readouts,
      send(to, payload) {
        if (full) throw new Refusal("busy", "the outbox is full");
        bench.send(to, payload);
      },
      clock: bench.clock,
      log: silentLog,
      signal: bench.stop.signal,
    });
    void bench.serve(face.routes)("get", req("m='true'"));
    await bench.clock.advance(10_000);
    expect(bench.sent).toEqual([]);
    full = false;
    await bench.clock.advance(2_000);
    expect(bench.sent.map(({ payload }) => payload)).toEqual([`<resp xmlns='${ns}' id='r1'>${resp(energyXml)}</resp>`]);
    expect(face.active).toBe(0);
  });
});

describe("later", () => {
  const when = "when='2031-03-02T06:00:00Z'";

  it("SD-REQ-11: a time ahead is accepted and queued, started when it has come, then answered", async () => {
    const { ask, clock, left, readouts } = createScene();
    expect(await ask("get", req(`m='true' ${when}`))).toBe(`<accepted xmlns='${ns}' id='r1' queued='true'/>`);
    await clock.advance(3_599_000);
    expect(readouts.started).toBe(0);
    await clock.advance(2_000);
    expect(left.slice(1)).toEqual([
      `<started xmlns='${ns}' id='r1'/>`,
      `<resp xmlns='${ns}' id='r1'>${resp(energyXml)}</resp>`,
    ]);
  });

  it("SD-REQ-11: a time that has passed is now", async () => {
    const { ask } = createScene();
    expect(await ask("get", req("m='true' when='2031-03-02T04:00:00Z'"))).toContain(energyXml);
  });

  it("SD-REQ-12: rights lost in between are one resp with an err, and nothing is read", async () => {
    const { ask, clock, left, readouts, face } = createScene();
    await ask("get", req(`m='true' ${when}`));
    readouts.decide = async () => {
      throw new Refusal("denied", "you may not read this any more");
    };
    await clock.advance(3_700_000);
    expect(left.slice(1)).toHaveLength(1);
    expect(left[1]).toBe(
      `<resp xmlns='${ns}' id='r1'><ts v='2031-03-02T06:00:00.000Z'><err>you may not read this any more</err></ts></resp>`,
    );
    expect(readouts.started).toBe(0);
    expect(face.active).toBe(0);
  });

  it("SD-REQ-12, COM-AUTH-05: no decision in time when it starts is a refusal, told once", async () => {
    const { ask, clock, left, readouts, face } = createScene();
    await ask("get", req(`m='true' ${when}`));
    readouts.decide = () => new Promise(() => {});
    await clock.advance(3_600_000 + 13_000);
    expect(left.slice(1)).toEqual([
      expect.stringMatching(/^<resp [^>]*><ts [^>]*><err>no decision was reached in time<\/err>/),
    ]);
    expect(readouts.started).toBe(0);
    expect(face.active).toBe(0);
  });

  it("SD-CAN-01, SD-RESP-17: cancelled, left and withdrawn requests never start", async () => {
    const { ask, clock, left, readouts, face } = createScene();
    await ask("get", req(`m='true' ${when}`).replace("'r1'", "'a'"));
    await ask("get", req(`m='true' ${when}`).replace("'r1'", "'b'"));
    await ask("get", req(`m='true' ${when}`).replace("'r1'", "'c'"), "bob@city.example/tablet");
    await ask("set", `<cancel xmlns='${ns}' id='a'/>`);
    face.gone("bob@city.example/tablet");
    expect(face.active).toBe(1);
    face.withdrawn("bob@city.example");
    expect(face.active).toBe(0);
    await clock.advance(4_000_000);
    expect(readouts.started).toBe(0);
    expect(left).toHaveLength(4);
    expect(clock.sleepers).toBe(0);
  });
});

describe("cancel", () => {
  it("SD-CAN-01, -03: is answered empty, also for an unknown id and as get", async () => {
    const { ask } = createScene();
    expect(await ask("set", `<cancel xmlns='${ns}' id='nobody'/>`)).toBe("");
    expect(await ask("get", `<cancel xmlns='${ns}' id='nobody'/>`)).toBe("");
  });

  it("SD-CAN-01, -02: stops a running readout; nothing is said after it", async () => {
    const { ask, clock, left, face } = createScene();
    void ask("get", req("m='true'", "<nd id='slow'/>"));
    await clock.advance(1_000);
    expect(left).toHaveLength(2);
    expect(await ask("set", `<cancel xmlns='${ns}' id='r1'/>`, "bob@city.example/tablet")).toBe("");
    expect(face.active).toBe(1);
    await ask("set", `<cancel xmlns='${ns}' id='r1'/>`);
    expect(face.active).toBe(0);
    await clock.advance(3_700_000);
    expect(left).toHaveLength(4);
    expect(clock.sleepers).toBe(0);
  });

  it("SD-CAN-01: a fragment that waits for its turn is not sent any more", async () => {
    const { ask, clock, sent, readouts } = createScene({ payloadBytesMax: 600 });
    readouts.nodes.set(
      "heat",
      says(...Array.from({ length: 100 }, (_, index) => sample("heat", [energy, energy], at + index))),
    );
    void ask("get", req("m='true'"));
    await clock.advance(500);
    expect(sent).toHaveLength(20);
    await ask("set", `<cancel xmlns='${ns}' id='r1'/>`);
    await clock.advance(60_000);
    expect(sent).toHaveLength(20);
  });

  it("SD-CAN-01, COM-STZ-04: while it is decided on or read, the request itself is still answered, and once", async () => {
    const { ask, clock, left, readouts } = createScene();
    readouts.decide = () => new Promise(() => {});
    const deciding = ask("get", req("m='true'"));
    await ask("set", `<cancel xmlns='${ns}' id='r1'/>`);
    expect(await deciding).toContain("<not-allowed ");
    readouts.decide = async () => {};
    const reading = ask("get", req("m='true'", "<nd id='slow'/>"));
    await clock.advance(100);
    await ask("set", `<cancel xmlns='${ns}' id='r1'/>`);
    expect(await reading).toContain("<not-allowed ");
    await clock.advance(10_000);
    expect(left).toHaveLength(4);
  });
});

describe("PROV-CACHE-07, COM-AUTH-09: rights change while it is read", () => {
  const refusal =
    /^<resp [^>]*id='r1'[^>]*><ts [^>]*><err>rights have changed: ask again for what may still be read<\/err><\/ts><\/resp>$/;
  const denied = async () => {
    throw new Refusal("denied", "not any more");
  };

  it("who may not any more hears that, and not a value more, though the devices go on", async () => {
    const { ask, clock, left, readouts, face, late } = createScene();
    readouts.nodes.set("slow", late(5_000, sample("slow")));
    void ask("get", req("m='true'", "<nd id='slow'/>"));
    void ask("get", req("m='true'", "<nd id='slow'/>"), "ana@home.example/phone");
    await clock.advance(1_000);
    expect(left).toHaveLength(2);
    readouts.decide = async ({ bareJid }) => (bareJid.startsWith("bob") ? await denied() : undefined);
    face.rightsChanged();
    await clock.advance(0);
    expect(left.slice(2)).toEqual([expect.stringMatching(refusal)]);
    expect(face.active).toBe(1);
    await clock.advance(10_000);
    expect(left.slice(3).join("")).toContain("Energy");
    expect(face.active).toBe(0);
  });

  it("nothing is said before it is decided; allowed as before, it goes on whole", async () => {
    const { ask, clock, left, sent, readouts, face } = createScene();
    readouts.nodes.set("slow", async function* (_ask, signal) {
      await clock.sleep(2_000, signal);
      yield sample("slow");
      await clock.sleep(3_600_000, signal);
    });
    const decided = Promise.withResolvers<void>();
    void ask("get", req("m='true'", "<nd id='slow'/>"));
    await clock.advance(600);
    expect(left).toHaveLength(1);
    readouts.decide = () => decided.promise;
    face.rightsChanged();
    face.rightsChanged();
    await clock.advance(5_000);
    expect(sent).toEqual([]);
    decided.resolve();
    await clock.advance(0);
    expect(sent.map(({ payload }) => payload).join("")).toContain("Energy");
    expect(face.active).toBe(1);
  });

  it.each([
    ["a node", "<nd id='slow'/><nd id='heat'/>", (targets: object[]) => targets.slice(0, 1)],
    [
      "names",
      "<nd id='slow'/>",
      (targets: { ask: object }[]) => targets.map(one => ({ ...one, ask: { ...one.ask, names: ["Flow"] } })),
    ],
    [
      "categories",
      "<nd id='slow'/>",
      (targets: { ask: object }[]) =>
        targets.map(one => ({ ...one, ask: { ...one.ask, categories: categories("peak") } })),
    ],
  ])("less of it: %s", async (_what, nodes, less) => {
    const { ask, clock, sent, readouts, face } = createScene();
    const admitRead = readouts.admitRead;
    void ask("get", req("m='true'", nodes));
    await clock.advance(600);
    const before = sent.length;
    readouts.admitRead = async (...asked) => {
      const whole = await admitRead(...asked);
      return { ...whole, targets: less([...whole.targets] as never) } as unknown as typeof whole;
    };
    face.rightsChanged();
    await clock.advance(60_000);
    expect(sent.slice(before).map(({ payload }) => payload)).toEqual([expect.stringMatching(refusal)]);
    expect(face.active).toBe(0);
  });

  it("many of one caller are one question, and then each is decided by what was learned", async () => {
    const { ask, clock, readouts, face, bench } = createScene();
    const nodes = Array.from({ length: 20 }, (_, at) => `slow-${at}`);
    for (const id of nodes)
      readouts.nodes.set(id, async function* (_ask, signal) {
        await bench.clock.sleep(3_600_000, signal);
        yield sample(id);
      });
    for (const id of nodes) void ask("get", req("m='true'", `<nd id='${id}'/>`).replace("'r1'", `'${id}'`));
    void ask("get", req("m='true'", "<nd id='slow-0'/>"), "ana@home.example/phone");
    await clock.advance(1_000);
    readouts.admissions.length = 0;
    face.rightsChanged();
    await clock.advance(0);
    const [first, ...rest] = readouts.admissions.filter(({ caller }) => caller.bareJid === "bob@city.example");
    expect(first?.nodes.map(({ nodeId }) => nodeId)).toEqual(nodes);
    expect(rest.map(one => one.nodes.length)).toEqual(nodes.map(() => 1));
    expect(face.active).toBe(21);
  });

  it("before the request was answered: the answer is forbidden", async () => {
    const { ask, clock, sent, readouts, face, late } = createScene();
    readouts.nodes.set("heat", late(200, sample("heat")));
    const reply = ask("get", req("m='true'"));
    await clock.advance(100);
    readouts.decide = denied;
    face.rightsChanged();
    await clock.advance(1_000);
    expect(await reply).toContain("<forbidden ");
    expect([sent, face.active]).toEqual([[], 0]);
  });

  it("a decision that is not reached in time is none", async () => {
    const { ask, clock, sent, readouts, face } = createScene();
    void ask("get", req("m='true'", "<nd id='slow'/>"));
    await clock.advance(600);
    const before = sent.length;
    readouts.decide = () => new Promise(() => {});
    face.rightsChanged();
    await clock.advance(60_000);
    expect(sent.slice(before).map(({ payload }) => payload)).toEqual([expect.stringMatching(refusal)]);
  });
});

describe("departure", () => {
  it("SD-RESP-17: what a resource asked for is dropped when it is gone, and only that", async () => {
    const { ask, clock, left, face } = createScene();
    void ask("get", req("m='true'", "<nd id='slow'/>"));
    void ask("get", req("m='true'", "<nd id='slow'/>"), "bob@city.example/tablet");
    await clock.advance(1_000);
    expect(left).toHaveLength(4);
    // As a bounce may write it.
    face.gone("Bob@City.Example/phone");
    expect(face.active).toBe(1);
    face.withdrawn("bob@city.example");
    expect(face.active).toBe(0);
    await clock.advance(10_000);
    expect(left).toHaveLength(4);
  });

  it("PRES-IQ-01: a stranger is refused unread", async () => {
    const bench = createBench();
    const readouts = fakeReadouts();
    const face = createSensorData({
      concentrator: readouts,
      send: bench.send,
      clock: bench.clock,
      log: silentLog,
      signal: bench.stop.signal,
    });
    const ask = bench.serve(face.routes, () => false);
    expect(await ask("get", req("m='true'"))).toContain("<forbidden ");
    expect(await ask("get", `<req xmlns='${ns}'/>`)).toContain("<forbidden ");
    expect(readouts.admissions).toEqual([]);
  });
});
