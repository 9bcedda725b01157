// A meter changes hands through the running appliance, real registry and real broker: the former tenant asked why, was answered,
// gave it back, and of him nothing is left; the next one claims it with the new code.

import { existsSync } from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "#cli/connect.ts";
import { refusalOf } from "#cli/demo/story-decision.ts";
import { saveIdentity } from "#cli/identity.ts";
import type { OwnerQuestion } from "#client/questions.ts";
import { type NodeRef, parseNode } from "#contract/node.ts";
import { forever } from "../lab/scene.ts";
import { isthmus } from "./command-line.ts";
import { domain, found, type House, ownerIn, startHouse, uriOf } from "./house.ts";

const heat = parseNode("heat-3@attic");
const jidOf = (name: string) => `${name}@${domain}`;

let house: House;
let landlord: Client;
let tenant: Client;
let appliance: string;
let bare: string;
let identities: string;

beforeAll(async () => {
  const sim = (id: string) => ({ type: "sim.meter", id, settings: { fields: 4, pollSeconds: 1 } });
  const site = { nodes: [{ type: "sim.line", id: "attic", nodes: [sim("heat-3"), sim("water-7")] }] };
  house = await startHouse({ site: JSON.stringify(site), people: ["landlord", "tenant", "next", "bob"] });
  identities = join(house.folder, "identities");
  await house.registry.start();
  await house.edge.start();
  const status = await house.statusWhere("registered", ({ nodes }) =>
    nodes.every(({ thing }) => thing === undefined || thing.uri !== undefined),
  );
  appliance = status.connection.jid;
  bare = appliance.split("/")[0] as string;
  landlord = await house.client("landlord");
  tenant = await house.client("tenant");
  await landlord.owner.claim(uriOf(status, ""), true, forever);
  await tenant.owner.claim(uriOf(status, "heat-3"), false, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "heat-3") === jidOf("tenant"));
  await letIn(landlord);
  await letIn(tenant);
}, 120_000);
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
});

const letIn = (client: Client) => found("let in", () => client.appliance(forever, bare).catch(() => undefined));
const run = (who: Client, node: NodeRef, command: string, fields: Readonly<Record<string, string>>) => {
  const filled = Object.entries(fields).map(([name, value]) => ({ name, values: [value] }));
  return who.commands.execute(appliance, node, command, { fields: filled }, forever);
};
const read = async (who: Client, node: NodeRef): Promise<number> => {
  let readings = 0;
  for await (const one of who.things.read(appliance, [node], {}, forever)) if (one.kind === "reading") readings++;
  return readings;
};
/** Every table of every file in which the text stands; the log is not among them. */
const placesOf = (text: string): string[] =>
  ["edge.db", "history.db", "outbox.db"].flatMap(file => {
    const database = new SQLite(join(house.dataFolder, file), { readonly: true });
    try {
      const tables = database.prepare<[], string>("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all();
      return tables
        .filter(table =>
          JSON.stringify(database.prepare(`SELECT * FROM "${table}"`).safeIntegers().all(), (_, value) =>
            typeof value === "bigint" ? `${value}` : value,
          ).includes(text),
        )
        .map(table => `${file} ${table}`);
    } finally {
      database.close();
    }
  });
const command = async (as: string, words: readonly string[]) =>
  await isthmus([...words, "--as", as], { env: { ISTHMUS_IDENTITIES: identities } }).ended;

it("isthmus why: who asked what and is refused, when the tenant was asked, and what he then allowed; nobody else is told", async () => {
  for (const name of ["landlord", "tenant", "next"])
    saveIdentity(name, { ...house.identity(name), appliance: bare }, identities);
  const questions: OwnerQuestion[] = [];
  using _ = tenant.owner.onQuestion(one => questions.push(one));
  using __ = landlord.owner.onQuestion(one => questions.push(one));
  const asked = (kind: string) => found(`a question ${kind}`, async () => questions.find(one => one.kind === kind));
  const answer = (who: Client, question: OwnerQuestion) =>
    who.owner.answer(question, { allow: true, range: "caller", names: [] }, forever);
  const bob = await house.client("bob");
  await bob.askPresence(bare, forever);
  await answer(landlord, await asked("isFriend"));
  await letIn(bob);
  expect(await refusalOf(read(bob, heat))).toBe("forbidden");
  const question = await asked("canRead");

  const before = await command("tenant", ["why", jidOf("bob"), "heat-3", "read"]);
  expect([before.code, before.err]).toEqual([0, ""]);
  expect(before.out).toMatch(/^No: bob@house\.localhost may not read heat-3 \(attic\)\.$/m);
  expect(before.out).toMatch(/^On \d{4}-\d\d-\d\d \d\d:\d\d, things\.house\.localhost said no; from /m);
  expect(before.out).toMatch(
    /^You were asked about this on \d{4}-\d\d-\d\d \d\d:\d\d \(heat-3 \(attic\); sent to you \d times?, last /m,
  );
  expect(before.out).toContain(`isthmus owner answer ${question.key.replace(/^-+/, "").slice(0, 8)} yes|no`);

  await answer(tenant, question);
  await found("allowed", async () => ((await read(bob, heat).catch(() => 0)) > 0 ? true : undefined));
  const after = await command("tenant", ["why", jidOf("bob"), "heat-3", "read", "--json"]);
  expect(JSON.parse(after.out)).toMatchObject({
    caller: jidOf("bob"),
    node: { nodeId: "heat-3" },
    right: "read",
    failed: false,
    questions: [],
    steps: [
      { step: "let in", answer: "yes" },
      { step: "view", answer: "yes", rule: "contacts may view" },
      { step: "read", answer: "yes", rule: "provisioning", by: `things.${domain}`, older: false },
    ],
  });
  // The owner of the appliance does not hear what goes on at the tenant's meter.
  const [swedish, friend, other] = await Promise.all([
    command("landlord", ["why", jidOf("bob"), "water-7", "read", "--lang", "sv"]),
    command("landlord", ["why", jidOf("bob"), "heat-3", "friend"]),
    command("landlord", ["why", jidOf("bob"), "heat-3", "read"]),
  ]);
  expect(swedish.out).toMatch(/^Nej: bob@house\.localhost får inte läsa water-7/m);
  expect(friend.out).toMatch(/^Yes: bob@house\.localhost is let in\.$/m);
  expect(other).toMatchObject({ code: 1, out: "" });
  expect(other.err).toBe("There is no such command. Only the owner of a node is told why.\n");
  // The service is away: the appliance says the same, and what the service alone knows is said to be unknown.
  await house.registry.stop();
  const alone = await command("tenant", ["why", jidOf("bob"), "heat-3", "read"]);
  expect([alone.code, alone.err]).toEqual([0, ""]);
  expect(alone.out).toMatch(/^Yes: bob@house\.localhost may read heat-3 \(attic\)\.$/m);
  expect(alone.out).toContain("Your service cannot be reached: what it has asked of you is not known here.");
  await house.registry.start();
}, 60_000);

it("DISCO-DISOWN-02, PROVO-THR-04: given back and claimed by the next: the old code is dead, and of the former tenant nothing is left", async () => {
  const old = uriOf(await house.statusWhere("known", () => true), "water-7");
  await run(tenant, heat, "LogMessage", { type: "Information", text: "mine" });
  const stop = new AbortController();
  const told: string[] = [];
  const wish = { nodes: [heat], fields: [], now: true, minIntervalMs: 1_000, maxIntervalMs: 1_000 };
  const following = (async () => {
    for await (const one of tenant.subscriptions.subscribe(async () => appliance, wish, stop.signal))
      told.push(one.kind);
  })().catch(() => {});
  await found("an event", async () => told[0]);
  expect(placesOf(jidOf("tenant"))).toContain("edge.db things");

  await tenant.owner.disown({ jid: bare, ref: heat }, forever);
  const status = await house.statusWhere(
    "nobody's, with a code",
    ({ nodes }) => nodes.find(({ ref }) => ref.nodeId === "heat-3")?.thing?.uri !== undefined,
  );
  await found("nothing of him", async () => (placesOf(jidOf("tenant")).length === 0 ? true : undefined));
  expect(placesOf(jidOf("tenant"))).toEqual([]);
  expect(await refusalOf(read(tenant, heat))).not.toBe("nothing refused");
  const heard = told.length;

  const next = await house.client("next");
  await next.owner.claim(uriOf(status, "heat-3"), true, forever);
  await house.statusWhere("claimed anew", one => ownerIn(one, "heat-3") === jidOf("next"));
  await letIn(next);
  expect(await read(next, heat)).toBeGreaterThan(0);
  const history = await command("next", ["why", jidOf("bob"), "heat-3", "read"]);
  expect(history.out).toContain(`Of things.${domain} there is no answer that still holds.`);
  expect(told).toHaveLength(heard);
  stop.abort();
  await following;

  // Reset by the landlord: its former code claims nothing.
  await run(landlord, parseNode("water-7@attic"), "ResetThing", { settings: "keep" });
  const anew = await house.statusWhere("another code", one => {
    const uri = one.nodes.find(({ ref }) => ref.nodeId === "water-7")?.thing?.uri;
    return uri !== undefined && uri !== old;
  });
  expect(await refusalOf(next.owner.claim(old, true, forever))).toBe("item-not-found");
  await next.owner.claim(uriOf(anew, "water-7"), true, forever);
}, 60_000);

it("the whole appliance, at the machine: refused while it runs, done at its next start", async () => {
  const words = ["reset", "--config", house.edgeConfig];
  const running = await isthmus([...words, "--yes"]).ended;
  expect([running.code, running.out]).toEqual([1, ""]);
  expect(running.err).toMatch(/is in use by another appliance that is running/);
  await house.edge.stop();
  const unsure = await isthmus(words).ended;
  expect([unsure.code === 0, existsSync(join(house.dataFolder, "reset.json"))]).toEqual([false, false]);
  const wanted = await isthmus([...words, "--yes"]).ended;
  expect([wanted.code, wanted.err]).toEqual([0, ""]);
  await house.edge.start();
  const status = await house.statusWhere("as new", ({ nodes }) =>
    nodes.every(({ thing }) => thing === undefined || (thing.uri !== undefined && thing.owner === undefined)),
  );
  for (const name of ["landlord", "next", "bob"])
    await found(`nothing of ${name}`, async () => (placesOf(jidOf(name)).length === 0 ? true : undefined));
  expect(existsSync(join(house.dataFolder, "reset.json"))).toBe(false);
  await tenant.owner.claim(uriOf(status, ""), true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "") === jidOf("tenant"));

  // And by its owner, over the network: he is answered, and then he is a stranger.
  appliance = await letIn(tenant);
  await run(tenant, parseNode("board@@Appliance"), "FactoryReset", { settings: "wipe" });
  const empty = await house.statusWhere("as new again", one => ownerIn(one, "") === undefined);
  expect(empty.nodes.map(({ ref }) => ref.nodeId).sort()).toEqual(["", "board", "site"]);
  await found("nothing of him", async () => (placesOf(jidOf("tenant")).length === 0 ? true : undefined));
  expect(await refusalOf(tenant.things.node(appliance, parseNode("board@@Appliance"), forever))).not.toBe(
    "nothing refused",
  );
}, 60_000);
