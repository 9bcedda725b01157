// A million subscriptions from one JID, through the router: of sensor data, of sources, to a line, and queries. He gets as many
// as one may have, the others are refused as such, nothing of them is kept, and others are served as if he were not there.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { generationNames, namespace } from "#iot/generations.ts";
import {
  queriesPerCallerMax,
  sniffersPerCallerAndNodeMax,
  sourceSubscriptionsPerCallerMax,
  subscriptionsPerCallerMax,
} from "#limits.ts";
import { type Element, element, elements } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { type Appliance, applianceJid, bareOf, contact, owner, startAppliance, tenant } from "./appliance.ts";

setFlagsFromString("--expose-gc");
/** The test runner wants a hundred frames of each; nobody looks at a million. */
Error.stackTraceLimit = 0;
const collect = runInNewContext("gc") as () => void;
const heapMegabytes = (): number => {
  collect();
  return process.memoryUsage().heapUsed / 1_048_576;
};

/** Sends so many, one after the other; how often there was which answer. */
async function flood(
  { router, replies }: Appliance,
  count: number,
  make: (at: number) => { type: "get" | "set"; from: string; payload: Element },
  each: (at: number) => Promise<void> = async () => {},
): Promise<Record<string, number>> {
  const said: Record<string, number> = {};
  for (let at = 0; at < count; at++) {
    const { type, from, payload } = make(at);
    const id = `f${at}`;
    await router.iq(element("iq", "jabber:client", { type, id, from, to: applianceJid }, [payload]));
    const all = replies.get(id) ?? [];
    replies.delete(id);
    if (all.length !== 1) throw new Error(`${all.length} replies`);
    const [reply] = all as [Element];
    const [error] = elements(reply);
    const answer = reply.attrs.type === "error" && error ? (elements(error)[0]?.name ?? "") : "taken";
    said[answer] = (said[answer] ?? 0) + 1;
    if (at % 20_000 === 0) await each(at);
  }
  return said;
}

const with_ = (node: Element, attrs: Record<string, string>): Element =>
  element(node.name, node.ns, { ...node.attrs, ...attrs }, node.children);
const [sd, ev, con] = (["sensorData", "events", "concentrator"] as const).map(family => namespace(family, "nf")) as [
  string,
  string,
  string,
];

it("EV-SUB-01, CON-SUB-01, CON-SNIFF-08, CON-QRY-05: a million from one JID", async () => {
  await using appliance = await startAppliance();
  const others = async () => {
    const node = await appliance.ask("get", `<getNode xmlns='${con}' id='hidden'/>`, contact);
    expect(node.name).toBe("nodeInfo");
    const read = `<req xmlns='${sd}' id='r' m='true'><nd id='hidden'/><f n='Energy'/></req>`;
    expect((await appliance.ask("get", read, owner)).name).toBe("resp");
  };
  await others();
  const before = heapMegabytes();
  const grown = () => heapMegabytes() - before;

  // Each from another resource, in another generation, under another id, half of them for a year of silence.
  const subscribe = generationNames.map(generation =>
    parse(
      `<subscribe xmlns='${namespace("events", generation)}' m='true'><nd id='own' src='MeteringTopology'/><f n='Energy' by='1'/></subscribe>`,
    ),
  );
  const values = await flood(
    appliance,
    600_000,
    at => ({
      type: "get",
      from: `${tenant}${at % 7}`,
      payload: with_(subscribe[at % 3] as Element, { id: `s${at}`, ...(at % 2 === 0 ? { maxInt: "P1Y" } : {}) }),
    }),
    others,
  );
  expect(values).toEqual({
    taken: subscriptionsPerCallerMax,
    "resource-constraint": 600_000 - subscriptionsPerCallerMax,
  });
  expect(grown()).toBeLessThan(16);

  const follow = parse(`<subscribe xmlns='${con}' ttl='604800'/>`);
  const sources = await flood(
    appliance,
    200_000,
    at => ({ type: "set", from: `${owner}-${at}`, payload: follow }),
    others,
  );
  expect(sources).toEqual({
    taken: sourceSubscriptionsPerCallerMax,
    "resource-constraint": 200_000 - sourceSubscriptionsPerCallerMax,
  });

  const sniff = parse(`<registerSniffer xmlns='${con}' id='tap' expires='2031-03-03T00:00:00Z'/>`);
  const sniffers = await flood(
    appliance,
    150_000,
    at => ({ type: "set", from: `${owner}-${at}`, payload: sniff }),
    others,
  );
  expect(sniffers).toEqual({
    taken: sniffersPerCallerAndNodeMax,
    "resource-constraint": 150_000 - sniffersPerCallerAndNodeMax,
  });

  const query = parse(`<executeNodeQuery xmlns='${con}' id='tap' command='Listen'/>`);
  const queries = await flood(
    appliance,
    50_000,
    at => ({ type: "set", from: `${owner}-${at}`, payload: with_(query, { queryId: `q${at}` }) }),
    others,
  );
  expect(queries).toEqual({ taken: queriesPerCallerMax, "resource-constraint": 50_000 - queriesPerCallerMax });
  expect(grown()).toBeLessThan(16);

  // Somebody else subscribes to what he likes meanwhile.
  const his = `<subscribe xmlns='${ev}' id='mine' m='true'><nd id='hidden' src='MeteringTopology'/></subscribe>`;
  expect((await appliance.ask("get", his, owner)).name).toBe("accepted");
  // And he himself again, when he is rid of his own.
  appliance.withdrawn(bareOf(tenant));
  const again = `<subscribe xmlns='${ev}' id='again' m='true'><nd id='own' src='MeteringTopology'/></subscribe>`;
  expect((await appliance.ask("get", again, tenant)).name).toBe("accepted");
}, 900_000);

it("EV-END-01, CON-SUB-03: to come and go thousands of times leaves nothing behind", async () => {
  await using appliance = await startAppliance();
  const come = parse(
    `<subscribe xmlns='${ev}' id='s' m='true' minInt='P1Y' maxInt='P1Y' req='true'><nd id='own' src='MeteringTopology'/></subscribe>`,
  );
  const go = parse(`<unsubscribe xmlns='${ev}' id='s'/>`);
  const follow = parse(`<subscribe xmlns='${con}' ttl='604800' getEventsSince='2031-03-02T05:30:00Z'/>`);
  const leave = parse(`<unsubscribe xmlns='${con}'/>`);
  const before = heapMegabytes();
  const values = await flood(appliance, 40_000, at => ({
    type: "get",
    from: `${tenant}${at >> 1}`,
    payload: at % 2 === 0 ? come : go,
  }));
  expect(values).toEqual({ taken: 40_000 });
  const sources = await flood(appliance, 40_000, at => ({
    type: "set",
    from: `${owner}${at >> 1}`,
    payload: at % 2 === 0 ? follow : leave,
  }));
  expect(sources).toEqual({ taken: 40_000 });
  expect(heapMegabytes() - before).toBeLessThan(16);
  await appliance.clock.advance(60_000);
  expect(appliance.sent).toEqual([]);
}, 300_000);

it("CON-QRY-05: short queries that are told slowly are counted until they are told", async () => {
  await using appliance = await startAppliance();
  const read = parse(`<executeNodeQuery xmlns='${con}' id='own' command='ReadNow'/>`);
  const ask = () =>
    flood(appliance, 1_000, at => ({
      type: "set",
      from: tenant,
      payload: with_(read, { queryId: `${appliance.clock.now()}-${at}` }),
    }));
  const wanted = { taken: queriesPerCallerMax, "resource-constraint": 1_000 - queriesPerCallerMax };
  expect(await ask()).toEqual(wanted);
  await appliance.clock.advance(10_000);
  expect(appliance.sent.filter(({ payload }) => payload.includes("<queryDone"))).toHaveLength(queriesPerCallerMax);
  expect(await ask()).toEqual(wanted);
});
