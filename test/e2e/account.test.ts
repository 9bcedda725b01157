// The account of the running appliance, from its first to its last day: another password by its owner's word, a registry that
// another one pretends to be, out of service, and back with an invitation.

import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "#cli/connect.ts";
import { describeNode, parseNode } from "#contract/node.ts";
import { info, infoNs } from "#iot/disco.wire.ts";
import { namespaces } from "#iot/generations.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { forever } from "../lab/scene.ts";
import { prosodyInvite } from "../support/prosody-invite.ts";
import { startPeer, until } from "../support/xmpp-peer.ts";
import { applianceWith, domain, found, type House, ownerIn, service, startHouse, uriOf, writeBoot } from "./house.ts";

const board = parseNode("board@@Appliance");
const pretender = `other.${domain}`;
const site = {
  nodes: [
    {
      type: "sim.line",
      id: "bench",
      nodes: ["sim-1", "sim-2", "sim-3"].map(id => ({ type: "sim.meter", id, settings: { fields: 5 } })),
    },
  ],
};
let house: House;
let owner: Client;
const ending = new AsyncDisposableStack();

interface AccountJson {
  username?: string;
  password?: string;
  next?: string;
  bundle?: string;
  retired?: string;
}
const accountFile = () => join(house.dataFolder, "account.json");
const account = (): AccountJson => JSON.parse(readFileSync(accountFile(), "utf8")) as AccountJson;

beforeAll(async () => {
  house = ending.use(
    await startHouse({
      site: JSON.stringify(site),
      people: ["owner", "contact"],
      components: [pretender],
      hostConfig: 'modules_enabled = { "invites_register" }\nregistration_invite_only = false',
    }),
  );
  await house.registry.start();
  await house.edge.start();
  const ready = await house.statusWhere("registered", ({ nodes }) =>
    nodes.filter(({ thing }) => thing).every(({ thing }) => thing?.uri !== undefined),
  );
  owner = await house.client("owner");
  for (const id of ["", "sim-1"]) await owner.owner.claim(uriOf(ready, id), true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "") !== undefined && ownerIn(one, "sim-1") !== undefined);
}, 120_000);
afterAll(() => ending.disposeAsync());

const applianceJid = async () =>
  (await house.statusWhere("online", one => one.connection.phase === "online")).connection.jid;
const run = async (command: string) => {
  const to = await owner.appliance(forever, (await applianceJid()).split("/")[0]);
  await owner.commands.execute(to, board, command, undefined, forever);
};
const commandsOf = async (who: Client): Promise<string[]> => {
  const to = await who.appliance(forever, (await applianceJid()).split("/")[0]);
  return (await who.commands.commands(to, [board], forever)).map(({ commandId }) => commandId);
};
/** Whether the broker lets one in with these. */
async function letsIn({ username = "", password = "" }: AccountJson): Promise<boolean> {
  const { host = "", port = 0 } = house.identity("owner");
  const ca = [house.authority.ca];
  await using peer = startPeer({ domain, host, port, tls: "direct", ca, user: username, password });
  await until("an end", () => peer.session.online || peer.logged.some(one => one.event === "xmpp-offline"));
  return peer.session.online;
}

it("ACC-IBR-07: the owner has the password changed: the old one is worth nothing, and a restart finds the new one", async () => {
  const before = account();
  await run("ChangePassword");
  const after = account();
  expect(after.username).toBe(before.username);
  expect(after.password).not.toBe(before.password);
  expect(after.next).toBeUndefined();
  expect(statSync(accountFile()).mode & 0o077).toBe(0);
  expect(await letsIn(before)).toBe(false);
  expect(await letsIn(after)).toBe(true);
  await house.edge.stop();
  await house.edge.start();
  await house.statusWhere("online again", one => one.connection.phase === "online");
  expect(house.edge.output() + house.prosody.log()).not.toContain(after.password);
});

it("ACC-FIND-03: another that says it is the registry is an alarm, and nothing changes until the owner confirms", async () => {
  const features = [...namespaces("discovery"), ...namespaces("provisioningDevice")];
  const other = await house.component(pretender, question =>
    question.ns === infoNs ? info.encode({ node: undefined, identities: [], features }, infoNs) : undefined,
  );
  // Beside the known one it is not even a question.
  await house.edge.stop();
  await house.edge.start();
  expect((await house.statusWhere("a registry", one => one.registry !== "")).registry).toBe(service);
  await found("looked", async () => (other.received.some(one => one.name === "iq") ? true : undefined));
  expect(house.edge.output()).not.toContain("ServiceUnconfirmed");

  await house.registry.stop();
  await house.edge.stop();
  await house.edge.start();
  await found("the alarm", async () =>
    house.edge.output().match(/ServiceUnconfirmed/g)?.length === 2 ? true : undefined,
  );
  const status = await house.status();
  expect([status.registry, status.provisioning]).toEqual([service, service]);
  expect(ownerIn(status, "sim-1")).toBe(`owner@${domain}`);
  const to = await owner.appliance(forever, (await applianceJid()).split("/")[0]);
  const [shown] = await owner.things.allNodes(to, board.sourceId, forever);
  expect(JSON.stringify(shown?.messages)).toMatch(/other\.house\.localhost now, and not things\.house\.localhost/);
  expect(await commandsOf(owner)).toContain("ConfirmServices");
  await run("ConfirmServices");
  const confirmed = await house.statusWhere("the other", one => one.registry === pretender);
  expect(confirmed.provisioning).toBe(pretender);
  expect(await commandsOf(owner)).not.toContain("ConfirmServices");
  // And back, in the same way.
  await other[Symbol.asyncDispose]();
  await house.registry.start();
  await house.edge.stop();
  await house.edge.start();
  await found("the alarm", async () => (house.edge.output().includes("ServiceUnconfirmed") ? true : undefined));
  await run("ConfirmServices");
  await house.statusWhere("the known one", one => one.registry === service && one.provisioning === service);
}, 120_000);

it("ACC-IBR-07: these commands are the owner's of the appliance alone", async () => {
  expect(await commandsOf(owner)).toEqual(expect.arrayContaining(["ChangePassword", "TakeOutOfService"]));
  const contact = await house.client("contact");
  const to = await applianceJid();
  await expect(contact.commands.execute(to, board, "TakeOutOfService", undefined, forever)).rejects.toThrow(
    StanzaError,
  );
});

it("ACC-IBR-07: out of service: the things leave the registry, then the account goes, and nothing is left to log in with", async () => {
  const before = account();
  const things = async () => (await owner.owner.things(forever)).map(({ ref }) => describeNode(ref));
  expect(await things()).toContain("sim-1 (bench)");
  const offered = await house.statusWhere("told anew", ({ nodes }) =>
    nodes.some(({ ref, thing }) => ref.nodeId === "sim-2" && thing?.uri !== undefined),
  );
  const key = /KEY=([^;]+)/.exec(uriOf(offered, "sim-2"))?.[1] ?? "?";
  expect(house.rows("things")).toContain(key);
  const to = await owner.appliance(forever, (await applianceJid()).split("/")[0]);
  const said: string[] = [];
  for await (const item of owner.queries.query(to, board, "TakeOutOfService", undefined, forever)) {
    said.push(JSON.stringify(item));
  }
  expect(said.join("\n")).toMatch(/The things are out of the registry/);
  expect(said.at(-1)).toContain("done");
  expect(await house.edge.ended()).toBe("exit code 75");
  expect(await things()).toEqual([]);
  expect(await letsIn(before)).toBe(false);
  expect(account()).toEqual({ retired: "" });
  for (const table of ["things", "services", "decisions", "grants"]) expect(house.rows(table), table).toBe("[]");
  const kept = ["edge.db", "edge.db-wal"].map(name => join(house.dataFolder, name)).filter(existsSync);
  for (const file of kept) expect(readFileSync(file).includes(key), file).toBe(false);
});

it("ACC-IBR-01, ACC-IBR-07: started again it makes no account by itself, and with an invitation it makes another one", async () => {
  await house.edge.start();
  const out = await house.statusWhere("a reason", one => one.connection.phase === "waiting");
  expect(out.connection.reason).toMatch(/given back when this appliance was taken out of service; a new invite/);
  expect(account()).toEqual({ retired: "" });
  await house.edge.stop();

  const invite = await prosodyInvite(join(house.folder, "prosody"), domain);
  const settings = JSON.parse(readFileSync(house.edgeConfig, "utf8")) as Record<string, unknown>;
  // The invitation says whose it is: the domain is not needed.
  const { domain: _, ...others } = settings;
  const text = { ...others, domain: undefined, invite };
  await using edge = applianceWith(writeBoot(house.folder, "invited", text));
  await edge.start();
  await house.statusWhere("online", one => one.connection.phase === "online");
  expect(account()).toMatchObject({
    username: expect.stringMatching(/^house-/),
    bundle: expect.stringMatching(/^invite /),
  });
  expect(edge.output()).not.toContain(/preauth=(.+)$/.exec(invite)?.[1]);
  expect(existsSync(accountFile())).toBe(true);
});
