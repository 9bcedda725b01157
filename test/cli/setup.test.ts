// `isthmus setup`: a boot file from an invite, completed without touching what it says already; and brokers of the local network,
// announced by a real responder on a real socket, proven by a real Prosody, agreed to by a person.

import { createSocket, type Socket } from "node:dgram";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import type { Invocation } from "#cli/command.ts";
import { setUp } from "#cli/commands/setup.ts";
import { type DnsRecord, decodeAnswer, encodePointerQuestion } from "#cli/dns-message.ts";
import { brokersIn, type Place } from "#cli/local-brokers.ts";
import { createOutput } from "#cli/output.ts";
import { readBootSettings } from "#config.ts";
import { type Authority, createAuthority } from "#lab/certificates.ts";
import { type Prosody, startProsody } from "#lab/prosody.ts";
import { forever, temporaryFolder } from "../lab/scene.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-setup-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = () => join(folder, "isthmus.yaml");
const invite = "xmpp:hub.example?register;preauth=tok-1";

/** Says what it printed. In a test nobody is at a terminal. */
async function setup(words: string[], options: Record<string, string | boolean> = {}, place?: Place): Promise<string> {
  let said = "";
  const call: Invocation = {
    words,
    text: name => (name === "config" ? file() : (options[name] as string | undefined)),
    texts: () => [],
    flag: name => options[name] === true,
    out: createOutput(false, text => {
      said += text;
    }),
    signal: forever,
  };
  await setUp(call, clock, place);
  return said;
}

describe("from an invite", () => {
  it("ACC-FIND-01: the bundle says the domain and opens the door: the file is ready to run, for its owner alone", async () => {
    expect(await setup([`${invite}\n`], { name: "Cellar, Mill Lane 4", data: join(folder, "data") })).toMatch(
      /isthmus\.yaml is ready for hub\.example\. Start the appliance with: isthmus run --config /,
    );
    expect(readBootSettings(file())).toMatchObject({
      domain: "hub.example",
      invite,
      name: "Cellar, Mill Lane 4",
      dataFolder: join(folder, "data"),
    });
    expect(statSync(file()).mode & 0o077).toBe(0);
    expect(readdirSync(folder)).toEqual(["isthmus.yaml"]);
  });

  it("what the file says stays, comments too; the domain of an appliance does not change", async () => {
    const before = "# Mill Lane\ndomain: hub.example # ours\nsiteFile: site.yaml\nroom: Cellar\n";
    writeFileSync(file(), before);
    await setup([invite]);
    expect(readFileSync(file(), "utf8")).toBe(`${before}invite: ${invite}\n`);
    await expect(setup(["xmpp:other.example?register;preauth=x"])).rejects.toThrow(
      /is for hub\.example: an appliance keeps to one domain\. Use another file .* for other\.example/,
    );
    expect(readFileSync(file(), "utf8")).toContain("tok-1");
  });

  it("ACC-FIND-03: the registry and who decides can be named, also later, and may be left out", async () => {
    await setup([invite]);
    expect(readBootSettings(file())).not.toHaveProperty("registry");
    await setup([], { registry: "Things.hub.example" });
    await setup([], { provisioning: "decides.hub.example" });
    expect(readBootSettings(file())).toMatchObject({
      domain: "hub.example",
      registry: "things.hub.example",
      provisioning: "decides.hub.example",
    });
    writeFileSync(file(), "domain: hub.example\nregistry: me@hub.example\n");
    expect(() => readBootSettings(file())).toThrow(/registry: is not the address of a service, such as things/);
  });

  it.for<[string, string, string[], Record<string, string | boolean>, RegExp]>([
    [
      "a registry that is a person",
      "",
      [invite],
      { registry: "me@hub.example" },
      /--registry is the address of a serv/,
    ],
    ["a service without a domain", "", [], { provisioning: "p.hub.example" }, /setup needs an invite, --domain or/],
    ["no invite", "", ["hello"], {}, /an invite looks like xmpp:/],
    ["nothing said", "", [], {}, /setup needs an invite, --domain or --find/],
    ["two ways", "", [invite], { domain: "hub.example" }, /one of them is enough/],
    ["consent to nothing", "", [invite], { accept: "hub.example" }, /--accept is said with --find/],
    ["no domain", "", [], { domain: "a b" }, /--domain is a domain such as/],
    ["a damaged file", "domain: [a", [invite], {}, /isthmus\.yaml: /],
    ["a list", "- a", [invite], {}, /is no boot file/],
    [
      "an account there already",
      "domain: hub.example\naccount: me\npasswordFile: pw",
      [invite],
      {},
      /account and invite: only one/,
    ],
    ["another mistake in it", "domain: hub.example\nport: many", [invite], {}, /isthmus\.yaml is not right:\n {2}port/],
    ["an authority that is none", "", [], { find: true, ca: "/nothing.pem" }, /caFile: \/nothing\.pem cannot be read/],
  ])("%s: nothing is changed, and a sentence says why", async ([, before, words, options, sentence]) => {
    if (before !== "") writeFileSync(file(), before);
    const place = { address: "127.0.0.1", port: 9 };
    await expect(setup(words, options, place)).rejects.toThrow(sentence);
    if (before === "") expect(existsSync(file())).toBe(false);
    else expect(readFileSync(file(), "utf8")).toBe(before);
    expect(readdirSync(folder).filter(name => name.endsWith(".new"))).toEqual([]);
  });

  it("ACC-FIND-01: the settings take the invite without a domain, and one for another domain not at all", () => {
    writeFileSync(file(), `invite: "${invite}"\n`);
    expect(readBootSettings(file()).domain).toBe("hub.example");
    const wrong: [string, RegExp][] = [
      [`domain: other.example\ninvite: "${invite}"`, /invite: it is for hub\.example, and domain says other\.example/],
      ['invite: "xmpp:hub.example?register"', /invite: an invite looks like/],
      ["domain: a\napiKey: k", /apiKey and apiSecretFile: one is of no use without the other/],
      [`invite: "${invite}"\napiKey: k\napiSecretFile: s`, /invite and apiKey: only one of them/],
    ];
    for (const [text, sentence] of wrong) {
      writeFileSync(file(), text);
      expect(() => readBootSettings(file())).toThrow(sentence);
    }
  });
});

/** A record as it goes over the wire; names are not compressed but for those that end in a pointer to offset 12. */
const nameBytes = (name: string): Buffer =>
  Buffer.concat([...name.split(".").map(one => Buffer.from([one.length, ...Buffer.from(one)])), Buffer.from([0])]);
const record = (name: Buffer, type: number, content: Buffer): Buffer => {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt32BE(120, 4);
  head.writeUInt16BE(content.length, 8);
  return Buffer.concat([name, head, content]);
};
const text = (...texts: string[]): Buffer =>
  Buffer.concat(texts.map(one => Buffer.from([Buffer.byteLength(one), ...Buffer.from(one)])));
const serverBytes = (port: number, target: string): Buffer => {
  const head = Buffer.alloc(6);
  head.writeUInt16BE(port, 4);
  return Buffer.concat([head, nameBytes(target)]);
};
const service = "_xmpp-client._tcp.local";
function announcement(
  instance: string,
  port: number,
  target: string,
  address: readonly number[],
  ...texts: string[]
): Buffer {
  const header = Buffer.from([0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 3]);
  const pointer = Buffer.from([0xc0, 12]);
  const full = Buffer.concat([Buffer.from([instance.length, ...Buffer.from(instance)]), pointer]);
  return Buffer.concat([
    header,
    record(nameBytes(service), 12, full),
    record(full, 33, serverBytes(port, target)),
    record(full, 16, text(...texts)),
    record(nameBytes(target), 1, Buffer.from(address)),
  ]);
}

describe("answers of the local network", () => {
  it("ACC-FIND-01: a broker with its domain, its port and its address; accounts announced besides are not looked at", () => {
    const message = announcement(
      "Hub",
      5222,
      "box.local",
      [192, 0, 2, 7],
      "txtvers=1",
      "ordom=Hub.Example",
      "regis=evil@hub.example",
    );
    const records = decodeAnswer(message) as readonly DnsRecord[];
    expect(brokersIn(records)).toEqual([{ domain: "hub.example", host: "192.0.2.7", port: 5222 }]);
    expect(JSON.stringify(brokersIn(records))).not.toContain("evil");
  });

  it("without a domain of its own it cannot prove itself, and is left out; by the name of its machine it can", () => {
    const at = (target: string, ...texts: string[]) =>
      brokersIn(decodeAnswer(announcement("Hub", 5222, target, [192, 0, 2, 7], ...texts)) ?? []);
    expect(at("box.local")).toEqual([]);
    expect(at("box.local", "ordom=")).toEqual([]);
    expect(at("box.local", "ordom=evil@hub.example")).toEqual([]);
    expect(at("hub.example")).toEqual([{ domain: "hub.example", host: "192.0.2.7", port: 5222 }]);
  });

  it("questions and damaged messages are no answers, and none ends the program", () => {
    expect(decodeAnswer(encodePointerQuestion(service))).toBeUndefined();
    const loop = Buffer.concat([Buffer.from([0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xc0, 12]), Buffer.alloc(10)]);
    expect(decodeAnswer(loop)).toBeUndefined();
    const whole = announcement("Hub", 5222, "box.local", [192, 0, 2, 7], "ordom=hub.example");
    fc.assert(
      fc.property(
        fc.nat(whole.length - 1),
        fc.integer({ min: 0, max: 255 }),
        fc.nat(whole.length),
        (at, octet, end) => {
          const damaged = Buffer.from(whole.subarray(0, end));
          if (at < end) damaged[at] = octet;
          const records = decodeAnswer(damaged);
          for (const { domain, port } of brokersIn(records ?? [])) {
            expect(domain).not.toMatch(/[\s@/]/);
            expect(port).toBeGreaterThan(0);
          }
        },
      ),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), bytes => void decodeAnswer(bytes)));
  });
});

describe("a broker found in the local network", () => {
  const domain = "isthmus.localhost";
  let home: Awaited<ReturnType<typeof temporaryFolder>>;
  let authority: Authority;
  let prosody: Prosody;
  let responder: Socket;
  let place: Place;
  let answers: Buffer[] = [];
  beforeAll(async () => {
    home = await temporaryFolder();
    authority = await createAuthority(join(home.path, "ca"), clock, forever);
    const certificate = await authority.issue({ hosts: [domain] });
    prosody = await startProsody({ folder: join(home.path, "broker"), domain, certificate, clock, signal: forever });
    responder = createSocket("udp4");
    responder.on("message", (question, { port, address }) => {
      if (question.equals(encodePointerQuestion(service)))
        for (const one of answers) responder.send(one, port, address);
    });
    await new Promise<void>(resolve => responder.bind(0, "127.0.0.1", resolve));
    place = { address: "127.0.0.1", port: responder.address().port };
  });
  afterAll(async () => {
    await new Promise<void>(resolve => responder.close(() => resolve()));
    await prosody?.stop();
    await home?.[Symbol.asyncDispose]();
  });
  const announces = (said: string) =>
    announcement(said, prosody.ports.c2s, "box.local", [127, 0, 0, 1], `ordom=${said}`);

  it("ACC-FIND-01: its certificate is verified, and it is used only when somebody says so", async () => {
    answers = [announces("liar.localhost"), announces(domain)];
    const ca = authority.caPath;
    await expect(setup([], { find: true, ca }, place)).rejects.toThrow(
      /^isthmus\.localhost announces itself in this network, at 127\.0\.0\.1, and its certificate is valid\. Use it\? Say --accept isthmus\.localhost\.$/,
    );
    expect(existsSync(file())).toBe(false);
    const said = await setup([], { find: true, ca, accept: domain }, place);
    expect(said).toContain(`is ready for ${domain}`);
    expect(readBootSettings(file())).toMatchObject({
      domain,
      host: "127.0.0.1",
      port: prosody.ports.c2s,
      security: "starttls",
    });
  });

  it("ACC-THR-03: one that claims a domain it has no certificate for is not used, whoever says so", async () => {
    answers = [announces("liar.localhost")];
    const options = { find: true, ca: authority.caPath, accept: "liar.localhost" };
    await expect(setup([], options, place)).rejects.toThrow(
      /liar\.localhost was not found here, or could not prove itself/,
    );
    const { ca: _, ...publicOnes } = { ...options, accept: domain };
    answers = [announces(domain)];
    await expect(setup([], publicOnes, place)).rejects.toThrow(/could not prove itself/);
    expect(existsSync(file())).toBe(false);
  });

  it("nobody there", async () => {
    answers = [];
    await expect(setup([], { find: true }, place)).rejects.toThrow(/Nobody in the local network announces a broker/);
  });
});
