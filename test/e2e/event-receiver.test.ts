// Events from one program of ours to the other: nothing goes until the owner has said so, though a receiver is there; then it is
// found, chosen at the command line, and what it keeps is printed by its own operator.

import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseNode } from "#contract/node.ts";
import { eventLogNs } from "#iot/event-log.wire.ts";
import { namespace } from "#iot/generations.ts";
import { element, elements } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { payloadMessage } from "#xmpp/stanza.ts";
import { forever } from "../lab/scene.ts";
import { isthmus, project, startCommand } from "./command-line.ts";
import { domain, found, type House, ownerIn, service, startHouse, uriOf } from "./house.ts";

const elsewhere = `evil.${domain}`;
let house: House;
let bare: string;

beforeAll(async () => {
  house = await startHouse({
    site: JSON.stringify({ nodes: [] }),
    people: ["owner", "stranger"],
    components: [elsewhere],
  });
  const settings = JSON.parse(readFileSync(registryConfig(), "utf8"));
  writeFileSync(registryConfig(), JSON.stringify({ ...settings, eventLogSenders: [domain] }));
  await house.registry.start();
  await house.edge.start();
  const status = await house.statusWhere("registered", one => one.nodes[0]?.thing?.uri !== undefined);
  bare = status.connection.jid.split("/")[0] as string;
  const owner = await house.client("owner");
  await owner.owner.claim(uriOf(status, ""), true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "") !== undefined);
  await owner.appliance(forever, bare);
  const { jid, password, host, port, caFile } = house.identity("owner");
  const words = ["identity", "add", "owner", "--jid", jid, "--host", String(host), "--port", String(port)];
  const added = isthmus([...words, "--ca", String(caFile), "--of", bare], { stdin: `${password}\n`, env: env() });
  expect((await added.ended).code).toBe(0);
}, 120_000);
afterAll(() => house?.[Symbol.asyncDispose]());

const registryConfig = () => join(house.folder, "registry", "registry.yaml");
const env = () => ({ ISTHMUS_IDENTITIES: join(house.folder, "identities") });
const asOwner = (...words: string[]) => isthmus([...words, "--as", "owner"], { env: env() }).ended;
const received = async (...words: string[]) => {
  const program = join(project, "bin/isthmus-registry.mjs");
  const { out } = await startCommand(process.execPath, [program, "log", "--config", registryConfig(), ...words]).ended;
  return out;
};
const spoof = async () => {
  const stranger = await house.peer("stranger");
  const { jid } = (await house.status()).connection;
  const forged = parse(`<disowned xmlns='${namespace("discovery", "nf")}'/>`);
  await stranger.session.request("set", jid, forged).catch(() => {});
};

it("LOG-SND-01: that somebody offers to receive them is not enough: nothing is sent", async () => {
  await spoof();
  await found("the line", async () => /SpoofedStanza/.test(house.edge.output()) || undefined);
  expect(await received()).toBe("");
});

it("LOG-RCV-01: the receiver says what it is; who is not on its list is not taken", async () => {
  const stranger = await house.peer("stranger");
  const info = await stranger.session.request(
    "get",
    service,
    element("query", "http://jabber.org/protocol/disco#info"),
  );
  const features = elements(info as never).flatMap(one => one.attrs.var ?? []);
  expect(features).toContain(eventLogNs);
  const other = await house.component(elsewhere);
  const event = parse(
    `<log xmlns='${eventLogNs}' timestamp='2026-01-05T08:00:00Z' id='Forged'><message>x</message></log>`,
  );
  const message = payloadMessage(service, event, "jabber:component:accept");
  other.component.send({ ...message, attrs: { ...message.attrs, from: `root@${elsewhere}` } });
  await found("the line", async () => /event-not-taken sender=root@/.test(house.registry.output()) || undefined);
  expect(await received()).toBe("");
});

it("LOG-SND-01, LOG-RCV-02: the owner chooses it, and its operator reads what the appliance notes", async () => {
  const owner = await house.client("owner");
  const appliance = await owner.appliance(forever, bare);
  const board = parseNode("board@@Appliance");
  const form = await found("the receiver in the form", async () => {
    const now = await owner.commands.commandForm(appliance, [board], "SendEvents", forever);
    return now.fields.some(({ values }) => values[0] === service) ? now : undefined;
  });
  expect(form.fields.map(({ name }) => name)).toEqual(["jid"]);

  const { code, out, err } = await asOwner("events", "to", service);
  expect(code, err).toBe(0);
  expect(out).toContain(`Events are sent to ${service}.`);
  const chosen = await found("the first event", async () => (await received()) || undefined);
  expect(chosen).toMatch(new RegExp(`^\\S+ ${bare} Notice/Minor \\S+ `));

  await house.edge.stop();
  await house.edge.start();
  await found(
    "remembered over a restart",
    async () => /(^|\n)\S+ \S+ Notice\/Minor ready /.test(await received()) || undefined,
  );
  await spoof();
  const spoofed = await found("what concerns security", async () => {
    const lines = await received("--type", "warning");
    return /SpoofedStanza/.test(lines) ? lines : undefined;
  });
  expect(spoofed).toMatch(
    new RegExp(`${bare} Warning/Major SpoofedStanza "Spoofed stanza" subject=stranger@${domain} element=disowned`),
  );
  expect(JSON.parse((await received("--json", "--last", "1")).trim())).toMatchObject({ sender: bare, facility: bare });

  expect((await asOwner("events", "to", "nowhere")).code).toBe(0);
  const before = await received("--last", "1000");
  await asOwner("contacts", "list");
  await asOwner("contacts", "list");
  expect(await received("--last", "1000")).toBe(before);
});

describe("PRES-CMP-04: senders are trusted because only the broker reaches the component", () => {
  it("it listens on nothing: there is no way in but the link it opened itself", () => {
    const { pid } = house.registry;
    const inodes = new Set(
      readdirSync(`/proc/${pid}/fd`).flatMap(fd => {
        try {
          return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
        } catch {
          return [];
        }
      }),
    );
    const sockets = ["tcp", "tcp6", "udp", "udp6"].flatMap(kind =>
      readFileSync(`/proc/${pid}/net/${kind}`, "utf8")
        .split("\n")
        .slice(1)
        .map(line => line.trim().split(/\s+/))
        .filter(words => inodes.has(words[9] ?? "")),
    );
    // 01: established, 0A: listening.
    expect(sockets.map(words => words[3])).toEqual(["01"]);
    expect(Number.parseInt(sockets[0]?.[2]?.split(":")[1] ?? "", 16)).toBe(house.prosody.ports.component);
  });

  it("who writes another sender into his stanza is taken for who he is", async () => {
    const liar = await house.peer("stranger");
    const event = parse(
      `<log xmlns='${eventLogNs}' timestamp='2026-01-05T08:00:00Z' id='Lie'><message>x</message></log>`,
    );
    const message = payloadMessage(service, event);
    liar.session.send({ ...message, attrs: { ...message.attrs, from: bare } });
    const line = await found("his event", async () =>
      (await received("--last", "1000")).split("\n").find(one => one.includes(" Lie ")),
    );
    expect(line).toContain(` stranger@${domain} `);
    expect(line).not.toContain(bare);
  });
});
