// The first boot of an appliance on a domain that lists several registries, one of which nobody put there: nothing is offered to
// any of them until a person says which is meant, and then to that one alone.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseNode } from "#contract/node.ts";
import { info, infoNs } from "#iot/disco.wire.ts";
import { namespaces } from "#iot/generations.ts";
import { elements } from "#xml/element.ts";
import { forever } from "../lab/scene.ts";
import { domain, found, type House, ownerIn, type RawComponent, service, startHouse, uriOf } from "./house.ts";

/** Before the right one in every list. */
const pretender = `a.${domain}`;
const site = JSON.stringify({
  nodes: [{ type: "sim.line", id: "bench", nodes: [{ type: "sim.meter", id: "sim-1" }] }],
});
const boardKey = parseNode("board@@Appliance").nodeId;

let house: House;
let other: RawComponent;
beforeAll(async () => {
  house = await startHouse({ site, people: ["owner"], components: [pretender] });
  const features = [...namespaces("discovery"), ...namespaces("provisioningDevice")];
  other = await house.component(pretender, question =>
    question.ns === infoNs ? info.encode({ node: undefined, identities: [], features }, infoNs) : undefined,
  );
  await house.registry.start();
}, 120_000);
afterAll(() => house?.[Symbol.asyncDispose]());

/** What the pretender was told beside being asked who it is. */
const toldToOther = () =>
  other.received.flatMap(stanza => elements(stanza)).filter(({ ns }) => namespaces("discovery").includes(ns));
const cli = async (...words: string[]) => {
  const program = join(import.meta.dirname, "../../bin/isthmus.mjs");
  const done = await promisify(execFile)(process.execPath, [program, ...words]);
  return done.stdout + done.stderr;
};

it("PRES-IQ-02, DISCO-THR-07: of two registries none is used, and status, node and log say what to do", async () => {
  await house.edge.start();
  const status = await house.statusWhere("several", one => (one.trouble?.registry ?? "") !== "");
  expect([status.registry, status.provisioning]).toEqual(["", ""]);
  expect(status.trouble?.registry).toBe(
    `The domain lists several registries: ${pretender}, ${service}. None of them is used until the boot file names the right one (registry).`,
  );
  expect(status.nodes.find(({ ref }) => ref.nodeId === boardKey)).toMatchObject({
    state: expect.stringMatching(/Error/),
  });
  expect(house.edge.output()).toMatch(/ServiceUnchosen .*what=registry/);
  const shown = await cli("status", "--data", house.dataFolder);
  expect(shown).toMatch(
    /^registry +none: The domain lists several registries: .* names the right one \(registry\)\.$/m,
  );
  expect(shown).toMatch(/^provisioning +none: The domain lists several provisioning services/m);
  // Nobody can claim anything anywhere.
  expect(status.nodes.filter(({ thing }) => thing?.uri !== undefined)).toEqual([]);
  expect(toldToOther()).toEqual([]);
}, 120_000);

it("ACC-FIND-03: named in the boot file by setup, that one is used for both, and the other learns nothing", async () => {
  await house.edge.stop();
  expect(await cli("setup", "--config", house.edgeConfig, "--registry", service)).toContain("is ready for");
  await house.edge.start();
  const ready = await house.statusWhere("registered", ({ nodes }) =>
    nodes.filter(({ thing }) => thing).every(({ thing }) => thing?.uri !== undefined),
  );
  expect([ready.registry, ready.provisioning]).toEqual([service, service]);
  expect(ready.trouble).toEqual({ registry: "", provisioning: "" });
  expect(ready.nodes.find(({ ref }) => ref.nodeId === boardKey)?.message).toBe("");
  expect(toldToOther()).toEqual([]);
}, 120_000);

it("ACC-FIND-03: another one named while nothing is claimed is the one at once, with new codes; one that is not there is none", async () => {
  const before = uriOf(await house.status(), "sim-1");
  await house.edge.stop();
  await cli("setup", "--config", house.edgeConfig, "--registry", `missing.${domain}`);
  await house.edge.start();
  const none = await house.statusWhere("missing", one => (one.trouble?.registry ?? "") !== "");
  expect(none.registry).toBe("");
  expect(none.trouble?.registry).toContain(
    `missing.${domain}, is not among the services of the domain or does not answer`,
  );
  await house.edge.stop();
  await cli("setup", "--config", house.edgeConfig, "--registry", pretender);
  await house.edge.start();
  await house.statusWhere("the other", one => one.registry === pretender);
  await found("a registration", async () => (toldToOther().length > 0 ? true : undefined));
  await house.edge.stop();
  await cli("setup", "--config", house.edgeConfig, "--registry", service);
  await house.edge.start();
  const back = await house.statusWhere(
    "back",
    one =>
      one.registry === service && one.nodes.every(({ thing }) => thing === undefined || thing.uri?.includes(service)),
  );
  // What either of them was told is worth nothing at the other.
  const key = (uri: string) => /KEY=([^;]+)/.exec(uri)?.[1];
  expect(key(uriOf(back, "sim-1"))).not.toBe(key(before));
}, 120_000);

it("ACC-FIND-03: once something is claimed its owner has the last word, whatever the boot file says", async () => {
  const owner = await house.client("owner");
  const ready = await house.statusWhere("codes", ({ nodes }) =>
    nodes.filter(({ thing }) => thing).every(({ thing }) => thing?.uri !== undefined),
  );
  await owner.owner.claim(uriOf(ready, ""), true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "") !== undefined);
  await house.edge.stop();
  await cli("setup", "--config", house.edgeConfig, "--registry", pretender);
  await house.edge.start();
  await found("the alarm", async () => (house.edge.output().includes("ServiceUnconfirmed") ? true : undefined));
  expect((await house.status()).registry).toBe(service);
}, 120_000);
