// Somebody claims a thing today and looks after it tomorrow, with another run of the program: meanwhile a second service has come
// to the domain, or has taken the place of the first. He trusts nobody he did not trust before.

import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { info, infoNs } from "#iot/disco.wire.ts";
import { namespaces } from "#iot/generations.ts";
import { elements } from "#xml/element.ts";
import { saveIdentity } from "../../src/cli/identity.ts";
import { type Ended, isthmus } from "./command-line.ts";
import { domain, type House, ownerIn, type RawComponent, service, startHouse, uriOf } from "./house.ts";

const pretender = `a.${domain}`;
const site = JSON.stringify({
  nodes: [{ type: "sim.line", id: "bench", nodes: [{ type: "sim.meter", id: "sim-1" }] }],
});

let house: House;
let other: RawComponent;
beforeAll(async () => {
  house = await startHouse({ site, people: ["owner", "late"], components: [pretender], boot: { registry: service } });
  await house.registry.start();
  await house.edge.start();
  for (const name of ["owner", "late"]) saveIdentity(name, house.identity(name), identities());
}, 120_000);
afterAll(() => house?.[Symbol.asyncDispose]());

const identities = () => join(house.folder, "identities");
const run = (...words: string[]): Promise<Ended> => isthmus(words, { env: { ISTHMUS_IDENTITIES: identities() } }).ended;
const asOwner = (...words: string[]) => run(...words, "--as", "owner");
const features = [...namespaces("discovery"), ...namespaces("provisioningDevice"), ...namespaces("provisioningOwner")];
const told = () => other.received.flatMap(stanza => elements(stanza)).filter(({ ns }) => features.includes(ns));

it("PROVO-THR-01, PROVO-Q-08: claimed before the other came: the next command goes to the same service, and the other hears nothing", async () => {
  const ready = await house.statusWhere("codes", ({ nodes }) =>
    nodes.filter(({ thing }) => thing).every(({ thing }) => thing?.uri !== undefined),
  );
  const claimed = await asOwner("owner", "claim", uriOf(ready, ""), "--yes");
  expect([claimed.code, claimed.out]).toEqual([0, expect.stringContaining("You own the appliance")]);
  await house.statusWhere("claimed", one => ownerIn(one, "") !== undefined);

  other = await house.component(pretender, question =>
    question.ns === infoNs ? info.encode({ node: undefined, identities: [], features }, infoNs) : undefined,
  );
  const things = await asOwner("owner", "things");
  expect([things.code, things.out]).toEqual([0, expect.stringMatching(/the appliance/)]);
  expect((await asOwner("owner", "questions")).code).toBe(0);
  expect((await asOwner("owner", "rules")).code).toBe(0);
  expect(told()).toEqual([]);
}, 120_000);

it("PROVO-THR-01: who has claimed nothing yet takes none of the two", async () => {
  const things = await run("owner", "things", "--as", "late");
  expect([things.code, things.err]).toEqual([1, expect.stringContaining("lists several services of this kind")]);
  expect(told()).toEqual([]);
}, 120_000);

it("ACC-FIND-03: another one in its place is told, and dealt with only when the first was forgotten by a person's word", async () => {
  await house.registry.stop();
  const things = await asOwner("owner", "things");
  expect(things.code).toBe(1);
  expect(things.err).toContain(
    `does not list ${service} any more, but other services of this kind (registry): ${pretender}`,
  );
  expect(things.err).toContain(`isthmus identity services owner --forget ${domain}`);
  expect(told()).toEqual([]);

  const kept = await run("identity", "services", "owner");
  expect(kept.out).toMatch(new RegExp(`${domain} +${service} +${service}`));
  expect((await run("identity", "services", "owner", "--forget", "elsewhere.example")).out).toContain(
    "Nothing is kept of elsewhere",
  );
  expect((await run("identity", "services", "owner", "--forget", domain)).code).toBe(0);
  await asOwner("owner", "things");
  expect(told().length).toBeGreaterThan(0);
}, 120_000);
