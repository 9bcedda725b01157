// Simple control on the wire, over the real concentrator and simulated meters: one answer each, and of the right type.

import { describe, expect, it } from "vitest";
import type { Rule } from "#concentrator/admission.ts";
import { namespaces } from "#iot/generations.ts";
import { elements } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { createRealScene } from "../xmpp/iot/real-scene.ts";

const ns = "urn:nf:iot:ctr:1.0";
const owner = "owner@city.example/phone";
const contact = "bob@city.example/phone";
const set = (children: string) => `<set xmlns='${ns}'>${children}</set>`;

const mayView: Rule = {
  name: "contacts may view",
  ask: ({ right, caller, nodes, categories, names }) =>
    right === "view" && caller.bareJid === "bob@city.example"
      ? nodes.map(node => ({ node, grant: { categories, names } }))
      : [],
};
const scene = () =>
  createRealScene(
    [
      {
        type: "sim.line",
        id: "attic",
        nodes: [
          { type: "sim.meter", id: "heat" },
          { type: "sim.meter", id: "mute", settings: { failing: "silent", timeoutMs: 1_000 } },
        ],
      },
    ],
    [mayView],
  );

const said = (reply: string) => {
  const error = parse(reply);
  return `${error.attrs.type} ${elements(error)[0]?.name}`;
};

describe("refusals", () => {
  it.each([
    ["modify bad-request", "<nd id='heat'/><db n='Set Point' v='140'/>", owner],
    ["modify bad-request", "<nd id='heat'/>", owner],
    ["modify bad-request", "<db n='Set Point' v='20'/>", owner],
    ["cancel item-not-found", "<nd id='heat'/><db n='Zz' v='1'/>", owner],
    ["cancel item-not-found", "<nd id='zz'/><db n='Set Point' v='20'/>", owner],
    ["auth forbidden", "<nd id='heat'/><db n='Set Point' v='20'/>", contact],
    ["cancel item-not-found", "<nd id='heat'/><db n='Set Point' v='20'/>", "eve@city.example/x"],
  ])("CTR-ERR-04: %s for %s", async (wanted, children, from) => {
    await using it = await scene();
    expect(said(await it.ask("set", set(children), from))).toBe(wanted);
  });

  it("COM-ERR-03: form, then visibility, then right, then content", async () => {
    await using it = await scene();
    const answers = async (children: string) => {
      const from = ["eve@city.example/x", contact, owner];
      return Promise.all(from.map(async one => said(await it.ask("set", set(children), one)).split(" ")[1]));
    };
    const node = "<nd id='heat'/>";
    expect(await answers(`${node}<db n='Set Point' v='warm'/>`)).toEqual(["bad-request", "bad-request", "bad-request"]);
    expect(await answers(`${node}<db n='Set Point' v='140'/>`)).toEqual(["item-not-found", "forbidden", "bad-request"]);
    expect(await answers(`${node}<db n='Zz' v='1'/>`)).toEqual(["item-not-found", "forbidden", "item-not-found"]);
  });

  it("CTR-SET-02: a node that lets itself be told nothing has no such parameter", async () => {
    await using it = await scene();
    const reply = await it.ask("set", set("<nd id='attic'/><db n='Set Point' v='20'/>"), owner);
    expect(said(reply)).toBe("cancel item-not-found");
    expect(reply).toContain("<paramError xmlns='urn:nf:iot:ctr:1.0' var='Set Point' n='Set Point'>");
  });

  it("CTR-ERR-01: the parameters at fault are told in the generation of the request", async () => {
    await using it = await scene();
    for (const generation of namespaces("control")) {
      const request = set("<nd id='heat'/><db n='Set Point' v='140'/>").replace(ns, generation);
      expect(elements(parse(await it.ask("set", request, owner))).at(-1)).toMatchObject({
        name: "paramError",
        ns: generation,
      });
    }
  });

  it("CTR-ERR-03: a parameter's name is escaped, whatever it is", async () => {
    await using it = await scene();
    const name = "a&lt;b&gt; &apos;&amp;amp;&quot;";
    const reply = await it.ask("set", set(`<nd id='heat'/><db n="${name}" v='1'/>`), owner);
    expect(elements(parse(reply)).at(-1)?.attrs).toMatchObject({ var: `a<b> '&amp;"`, n: `a<b> '&amp;"` });
  });
});

it("COM-STZ-12: a slow decision before a slow device still leaves an answer within 15 s", async () => {
  let grant = () => {};
  const slow: Rule = {
    name: "provisioning",
    ask: ({ right, nodes, categories, names }) =>
      right === "control"
        ? new Promise(resolve => {
            grant = () => resolve(nodes.map(node => ({ node, grant: { categories, names } })));
          })
        : [],
  };
  const hung = { type: "sim.meter", id: "hung", settings: { latencyMs: 600_000, timeoutMs: 60_000 } };
  await using it = await createRealScene([hung], [mayView, slow]);
  const reply = it.ask("set", set("<nd id='hung'/><db n='Set Point' v='21'/>"), contact);
  await it.bench.clock.advance(9_000);
  expect(it.bench.left).toEqual([]);
  grant();
  await it.bench.clock.advance(5_900);
  expect(it.bench.left).toHaveLength(1);
  expect(await reply).toMatch(/internal-server-error.*Not confirmed within 5 s; it may have been set/);
});

it("CTR-SET-13: one reply, also when the device failed after a part was written, and nothing later", async () => {
  await using it = await scene();
  const reply = it.ask("set", set("<nd id='heat'/><nd id='mute'/><db n='Set Point' v='21'/>"), owner);
  await it.bench.clock.advance(60_000);
  expect(said(await reply)).toBe("cancel internal-server-error");
  await it.bench.clock.advance(600_000);
  expect(it.bench.left).toHaveLength(1);
  expect(it.bench.sent).toEqual([]);
});
