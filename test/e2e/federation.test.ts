// Two servers and the way between them: what happens when it is cut, and when the operator closes it.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { type Client, connectClient } from "#cli/connect.ts";
import { collect, refusalOf } from "#cli/demo/story-decision.ts";
import { freePorts } from "#lab/ports.ts";
import { type Prosody, startProsody } from "#lab/prosody.ts";
import { forever } from "../lab/scene.ts";
import { domain, found, type House, ownerIn, service, startHouse, uriOf } from "./house.ts";

const city = "city.localhost";
let house: House;
let broker: Prosody;
let appliance: string;
const open: Client[] = [];

async function login(name: string): Promise<Client> {
  const { tls: port } = broker.ports;
  const caFile = house.authority.caPath;
  const one = await connectClient(
    { jid: `${name}@${city}`, password: "secret", host: "127.0.0.1", port, caFile },
    forever,
  );
  open.push(one);
  return one;
}
const registryLog = (pattern: RegExp) =>
  found(`${pattern} in the registry's log`, async () => pattern.exec(house.registry.output())?.[0]);

beforeAll(async () => {
  const [here = 0, there = 0] = await freePorts(2);
  const peers = { [domain]: here, [service]: here, [city]: there };
  house = await startHouse({ site: "nodes: []", people: ["resident"], servers: { port: here, peers } });
  broker = await startProsody({
    folder: join(house.folder, "city"),
    domain: city,
    certificate: await house.authority.issue({ hosts: [city] }),
    clock,
    signal: forever,
    users: ["owner", "guest"].map(name => ({ name, password: "secret" })),
    passwordHash: "SHA-256",
    servers: { port: there, peers, caPath: house.authority.caPath },
  });
  await house.registry.start();
  await house.edge.start();
  const status = await house.statusWhere("registered", ({ nodes }) => nodes[0]?.thing?.uri !== undefined);
  appliance = status.connection.jid.split("/")[0] as string;
  await (await login("owner")).owner.claim(uriOf(status, ""), true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "") !== undefined);
}, 120_000);
afterAll(async () => {
  for (const one of open) await one[Symbol.asyncDispose]();
  await broker?.[Symbol.asyncDispose]();
  await house?.[Symbol.asyncDispose]();
}, 60_000);

it("FED-05: no way to the owner: nobody is let in meanwhile, and he is asked when he is back", async () => {
  const resident = await house.client("resident");
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
  await broker.stop();
  expect((await resident.askPresence(appliance, forever)).state).toBe("declined");
  expect(await registryLog(/domain-away domain=\S+/)).toContain(city);

  await broker.restart();
  const owner = await login("owner");
  const question = await collect(owner).next("isFriend", resident, forever);
  expect(await registryLog(/domain-back domain=\S+/)).toContain(city);
  await owner.owner.answer(question, { allow: true, range: "caller", names: [] }, forever);
  await found("let in", async () =>
    (await resident.askPresence(appliance, forever)).state === "online" ? true : undefined,
  );
}, 60_000);

it("FED-03: a domain the operator denies is not listened to, and the owner keeps his appliance all the same", async () => {
  const config = join(house.folder, "registry", "registry.yaml");
  writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, "utf8")), deniedDomains: [city] }));
  await house.registry.stop();
  await house.registry.start();
  const [owner, guest] = await Promise.all([login("owner"), login("guest")]);
  expect(
    await refusalOf(
      guest.finder.search({ operators: [], registry: service }, { offset: 0, count: 1, distributed: false }, forever),
    ),
  ).toBe("forbidden");
  expect(await refusalOf(owner.owner.things(forever, domain))).toBe("item-not-found");
  await registryLog(/DomainRefused from=guest@city\.localhost/);
  expect((await guest.askPresence(appliance, forever)).state).toBe("declined");
  await registryLog(/DecisionDenied thing=\S+ caller=guest@city\.localhost/);
  expect(await owner.appliance(forever, appliance)).toMatch(new RegExp(`^${appliance}/`));
}, 60_000);
