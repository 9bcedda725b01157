// The README's story by hand, through the program itself: every command in a process of its own, as a person in the second
// terminal types it; what people read, what programs read, and what is said to those who mistype.

import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commands } from "#cli/commands.ts";
import { startWorld, type World } from "#cli/demo/world.ts";
import { forever, temporaryFolder } from "../lab/scene.ts";
import { type Ended, isthmus, isthmusOnTerminal, type Start } from "./command-line.ts";
import { found } from "./house.ts";

const home = await temporaryFolder();
const before = { ...process.env };
let world: World;

beforeAll(async () => {
  process.env.TMPDIR = home.path;
  process.env.ISTHMUS_IDENTITIES = join(home.path, "own identities");
  world = await startWorld(() => {}, forever);
  await found("registered", () =>
    world.statusWhere(({ nodes }) => nodes.every(({ thing }) => !thing || thing.uri !== undefined)),
  );
}, 60_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  process.env = before;
  await home[Symbol.asyncDispose]();
});

const run = (words: string, start: Start = {}): Promise<Ended> => isthmus(split(words), start).ended;
const onTerminal = (words: string) => isthmusOnTerminal(split(words));
/** As a shell would: blanks separate, single quotes hold together. */
const split = (words: string): string[] => [...words.matchAll(/'([^']*)'|\S+/g)].map(found => found[1] ?? found[0]);
/** Runs it, and once more with --json: what people and what programs read. */
async function both(words: string): Promise<{ text: string; values: Record<string, unknown>[] }> {
  const [people, programs] = await Promise.all([run(words), run(`${words} --json`)]);
  expect([people.code, people.err], people.err).toEqual([0, ""]);
  expect([programs.code, programs.err], programs.err).toEqual([0, ""]);
  return {
    text: people.out,
    values: programs.out
      .trimEnd()
      .split("\n")
      .filter(line => line !== "")
      .map(line => JSON.parse(line)),
  };
}
const ok = async (words: string): Promise<string> => {
  const { code, out, err } = await run(words);
  expect(err).toBe("");
  expect(code).toBe(0);
  return out;
};
const codeOf = async (nodeId: string): Promise<string> => {
  const text = await ok("status --codes");
  const uri = new RegExp(`^To claim ${nodeId}.*:\\n(iotdisco:\\S+)$`, "m").exec(text)?.[1];
  expect(uri, nodeId).toBeDefined();
  return uri as string;
};

describe("the README's story by hand", () => {
  it("who one is: learned from the running demonstration", async () => {
    const { text, values } = await both("identity list");
    expect(text).toMatch(/^owner +owner@isthmus\.localhost +demo-\S+@isthmus\.localhost$/m);
    expect(values.map(one => one.name).sort()).toEqual(["newcomer", "owner", "stranger"]);
    expect(JSON.stringify(values)).not.toContain("password");
  });

  it("URI-SEC-02: status: with codes only when asked for, for people and for programs", async () => {
    const { text, values } = await both("status");
    expect(text).toMatch(/^Isthmus in the cellar, Isthmus \S+, up \d+ s\nbroker {8}online as demo-/);
    expect(text).toMatch(/^heat-3 \(attic-mbus\) +Heat meter, flat 3 +mbus\.meter +None +registered$/m);
    expect(text).not.toContain("iotdisco:");
    expect(values).toHaveLength(1);
    expect(values[0]).toMatchObject({ connection: { phase: "online" }, registry: world.serviceJid });
    expect(JSON.stringify(values)).not.toMatch(/iotdisco:|KEY=/);
    expect(JSON.stringify((await both("status --codes")).values)).toMatch(/"iotdisco:[^"]*KEY=/);
  });

  it("an owner claims the appliance and the heat meter", async () => {
    expect(await ok(`owner claim --as owner '${await codeOf("the appliance")}'`)).toMatch(
      /^You own the appliance demo-\S+@isthmus\.localhost now\.\n$/,
    );
    const code = await codeOf("heat-3");
    expect(await ok(`owner claim --as owner '${code}'`)).toMatch(/^You own heat-3 \(attic-mbus\) of demo-\S+ now\.\n$/);
    const again = await run(`owner claim --as stranger '${code}'`);
    expect(again).toMatchObject({ code: 1, out: "" });
    expect(again.err).toBe(
      "Nothing that can be claimed has this code: it was claimed before, or the code is not exactly that of the label.\n",
    );
    const { text, values } = await both("owner things --as owner");
    expect(text).toMatch(/^demo-\S+ +heat-3 \(attic-mbus\) +CLASS=HeatMeter /m);
    expect(values).toHaveLength(2);
    expect(text + JSON.stringify(values)).not.toMatch(/KEY/);
    await found("shown as claimed", async () =>
      /^heat-3 .*claimed by owner@isthmus\.localhost$/m.test(await ok("status")) ? true : undefined,
    );
  });

  it("nodes and a readout", async () => {
    const nodes = await both("nodes --as owner");
    expect(nodes.text).toMatch(/^thermostat-2 \(home-mqtt\) +Thermostat, living room +mqtt\.topic +None +read, set$/m);
    expect(nodes.text).toMatch(/^board@@Appliance +This appliance/m);
    expect(await ok("commands board@@Appliance --as owner")).toMatch(/^ChangePassword /m);
    expect(nodes.values.length).toBe(nodes.text.trimEnd().split("\n").length - 2);
    const { text, values } = await both("read heat-3 --as owner");
    expect(text).toMatch(/^heat-3 \(attic-mbus\) +20\S+Z +Energy +\d+ kWh +momentary +automaticReadout$/m);
    expect(values[0]).toMatchObject({ kind: "reading", node: { nodeId: "heat-3", partition: "attic-mbus" } });
    expect(await ok("read heat-3@attic-mbus water-7 --as owner --field Volume --category momentary")).toMatch(
      /^heat-3 .*Volume[\s\S]*^water-7 .*Volume/m,
    );
    expect(await ok("read heat-3 --as owner --field Nothing")).toBe("No values of that kind.\n");
  });

  it("a stranger asks to be let in, then for values; the owner decides; he gets what was granted and no more", async () => {
    const refused = await run("read heat-3 --as stranger");
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toMatch(/does not let you in\. If it has an owner, he has been asked/);
    const asked = await both("owner questions --as owner");
    const [, key] = /^(\S{8}) {2}stranger@isthmus\.localhost wants to be let in by demo-\S+$/m.exec(asked.text) ?? [];
    expect(asked.text).toMatch(/\nDecide one: isthmus owner answer KEY yes\|no\n$/);
    expect(asked.values.map(one => one.kind)).toEqual(["isFriend"]);
    expect(await ok(`owner answer --as owner ${key} yes`)).toMatch(/^Answered yes: stranger@/);
    const forbidden = await found("let in", async () => {
      const said = await run("read heat-3 --field Energy --field Flow --as stranger");
      return said.err.startsWith("You may not read this") ? said : undefined;
    });
    expect(forbidden).toMatchObject({ code: 1, out: "" });
    const [, second] =
      /^(\S{8}) {2}stranger\S+ wants to read heat-3 \(attic-mbus\) of demo-\S+: Energy, Flow, momentary$/m.exec(
        await ok("owner questions --as owner"),
      ) ?? [];
    expect(JSON.parse((await run(`owner answer --as owner ${second} yes --field Energy --json`)).out)).toMatchObject({
      allow: true,
    });
    const text = await found("permitted", async () => {
      const said = await run("read heat-3 --field Energy --field Flow --as stranger");
      return said.code === 0 ? said.out : undefined;
    });
    expect(text).toMatch(/ Energy +\d+ kWh /);
    expect(text).not.toMatch(/Flow/);
    expect(await ok("owner questions --as owner")).toBe("No open questions.\n");
    const rules = await both("owner rules --as owner");
    expect(rules.text).toMatch(/^demo-\S+ +heat-3 \(attic-mbus\) +read +stranger@isthmus\.localhost +yes +Energy$/m);
    expect(rules.values).toHaveLength(2);
  }, 60_000);

  it("the owner sets the thermostat, and reads what it reports; a stranger may not", async () => {
    expect(await ok("set thermostat-2 'Set Point=22.5' --as owner")).toMatch(/Set Point/);
    expect(world.setPoint()).toBe(22.5);
    expect(await ok("read thermostat-2 --as owner")).toMatch(/ Set Point +22\.5 Cel /);
    expect((await run("set thermostat-2 'Set Point=29' --as stranger")).err).toMatch(/^You may not /);
    expect(await run("set thermostat-2 'Set Point=99' --as owner")).toMatchObject({
      code: 1,
      out: "",
      err: "Set Point: It takes 5 to 30 Cel.\n",
    });
    expect(world.setPoint()).toBe(22.5);
  });

  it("watch prints again and again until Ctrl-C, which is no failure", async () => {
    const people = isthmus(split("watch heat-3 --every 1 --field Energy --as owner"));
    const programs = isthmus(split("watch heat-3 --every 1 --field Energy --as owner --json"));
    await people.says(/(Energy[\s\S]*){2}/);
    await programs.says(/(\n[\s\S]*){2}/);
    people.child.kill("SIGINT");
    programs.child.kill("SIGINT");
    expect(await people.ended).toMatchObject({ code: 0, err: "" });
    const { code, out } = await programs.ended;
    expect(code).toBe(0);
    for (const line of out.trimEnd().split("\n")) expect(JSON.parse(line)).toMatchObject({ kind: "reading" });
  });

  it("watch goes on when the appliance was away", async () => {
    const watching = isthmus(split("watch heat-3 --every 1 --field Energy --as owner"));
    await watching.says(/Energy/);
    await world.edge.stop();
    await found("a word of its absence", async () => (/offline/.test(watching.err()) ? true : undefined), 30_000);
    const soFar = watching.out().length;
    await world.edge.start();
    await found(
      "values again",
      async () => (watching.out().slice(soFar).includes("Energy") ? true : undefined),
      30_000,
    );
    watching.child.kill("SIGINT");
    expect(await watching.ended).toMatchObject({ code: 0 });
  }, 60_000);

  it("questions with --wait come as they are asked", async () => {
    const waiting = isthmus(split("owner questions --as owner --wait"));
    await waiting.says(/No open questions/);
    await run("read heat-3 --as newcomer");
    await waiting.says(/newcomer@isthmus\.localhost wants to be let in/);
    waiting.child.kill("SIGINT");
    expect((await waiting.ended).code).toBe(0);
  }, 60_000);

  it("a thing is given up, when it is meant, and then claimed by somebody else with its new code", async () => {
    expect(await ok(`owner claim --as owner '${await codeOf("water-7")}'`)).toMatch(/^You own water-7 /);
    expect(await run("owner disown water-7 --as owner")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^You will own water-7 \(attic-mbus\) of demo-\S+ no more.*Say --yes\.\n/),
    });
    expect(await run("owner disown water-7 --as stranger --yes")).toMatchObject({
      code: 1,
      err: "You do not own water-7: see `isthmus owner things`.\n",
    });
    expect(await ok("owner disown water-7 --as owner --yes")).toMatch(
      /^You do not own water-7 .* any more\. It gets a new/,
    );
    expect(await ok("owner things --as owner")).not.toContain("water-7");
    const again = await found("a new code", async () =>
      (await ok("status --codes")).includes("\nTo claim water-7") ? await codeOf("water-7") : undefined,
    );
    // Pasted out of a letter: in its quotation marks, and broken over two lines.
    expect(
      (await isthmus(["owner", "claim", `“${again.replace(";", ";\n ")}”`, "--as", "stranger"]).ended).out,
    ).toMatch(/^You own water-7 /);
    expect(await ok("owner disown water-7@attic-mbus --as stranger --yes")).toMatch(/^You do not own water-7 /);
  }, 60_000);

  it("rules are taken back", async () => {
    const unasked = await run("owner rules --delete --as owner");
    expect(unasked).toMatchObject({ code: 2, out: "" });
    expect(unasked.err).toMatch(/all your things. Continue\? Say --all, or --thing JID\.\n/);
    expect((await both("owner rules --as owner")).values).not.toHaveLength(0);
    const refused = onTerminal("owner rules --delete --as owner");
    await refused.says(/yes\/no: /);
    refused.child.stdin?.write("no\n");
    expect(await refused.ended).toMatchObject({ code: 1, out: expect.stringContaining("Nothing was done.") });
    const given = onTerminal("owner rules --delete --as owner");
    await given.says(/yes\/no: /);
    given.child.stdin?.write("\u0003");
    expect((await given.ended).code).toBe(130);
    expect((await both("owner rules --as owner")).values).not.toHaveLength(0);
    expect(await ok("owner rules --delete --all --as owner")).toBe("All rules of all your things are deleted.\n");
    expect(await ok("owner rules --as owner")).toBe("No rules yet: they are made by answering questions.\n");
    await found("forbidden again", async () =>
      (await run("read heat-3 --field Energy --as stranger")).code === 1 ? true : undefined,
    );
  });
});

describe("what goes wrong is said in one sentence", () => {
  it.for<[number, string, RegExp]>([
    [2, "frobnicate", /^There is no command "frobnicate"\.\nTry `isthmus --help`\.\n$/],
    [2, "raed heat-3", /^There is no command "raed"\.\n/],
    [2, "owner frobnicate", /^There is no command "owner frobnicate"\./],
    [2, "nodes --frob", /^Unknown option '--frob'/],
    [2, "nodes extra", /^nodes does not know what to do with "extra"/],
    [2, "read", /^read needs more: NODE[^\n]*\nTry `isthmus read --help`\.\n$/],
    [2, "read heat-3 --category frob --as owner", /^"frob" is no category: say momentary, peak/],
    [2, "read heat-3 --from yesterday --as owner", /^--from is a time such as 2031/],
    [2, "read heat-3 --as owner --of 'a b'", /^--of is the JID of an appliance, not "a b"/],
    [2, "watch heat-3 --every 0 --as owner", /^--every is a number of seconds/],
    [2, "set thermostat-2 'Set Point' --as owner", /^"Set Point" is not NAME=VALUE/],
    [2, "owner answer --as owner abc maybe", /^say yes or no, not "maybe"/],
    [
      2,
      "owner answer --as owner abc yes --for friends",
      /^--for is caller, domain, all, user, device, service, not "friends"/,
    ],
    [2, "owner rules --node heat-3 --as owner", /^--node needs --thing/],
    [2, "owner rules --thing heat-3 --as owner", /^--thing is the JID of an appliance, such as box@/],
    [2, "owner rules --all --as owner", /^--all goes with --delete/],
    [2, "owner rules --delete --all --thing me@example.org --as owner", /^say --all or --thing, not both/],
    [2, "identity add me --jid me", /^--jid is an account such as/],
    [2, "run", /^Say with --config FILE/],
    [1, "read heat-3", /^Say as whom with --as: newcomer, owner, stranger\.\n$/],
    [1, "read heat-3 --as nobody", /^There is no identity "nobody"; known are newcomer, owner, stranger\.\n$/],
    [1, "read nothing --as owner", /^There is no such node\.\n$/],
    [1, "read heat-3@cellar-modbus --as owner", /^There is no such node\.\n$/],
    [1, "set thermostat-2 Nothing=1 --as owner", /^Nothing: thermostat-2 \(home-mqtt\) has no such parameter\.\n$/],
    [1, "owner answer --as owner abc yes", /^There is no open question abc: see `isthmus owner questions`\.\n$/],
    [2, "owner claim http://example.org --as owner", /^This is not an iotdisco URI: /],
    [2, "owner claim iotdisco:CLASS=X --as owner", /^This code has no KEY\. Is it in quotes\?/],
    [1, "status --data /nowhere", /^No appliance is running with \/nowhere\/status\.sock\.\n$/],
    [1, "identity add a/b --jid a@example.org", /^"a\/b" cannot be the name of a file/],
    [1, "identity add me --jid me@example.org", /^No password was given\.\n$/],
  ])("exit code %i: isthmus %s", async ([code, words, said]) => {
    const ended = await run(words);
    expect(ended.err).toMatch(said);
    expect(ended.err.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
    expect([ended.code, ended.out]).toEqual([code, ""]);
  });

  it("without any identity, and without a demonstration", async () => {
    const env = { ISTHMUS_IDENTITIES: join(home.path, "none"), TMPDIR: join(home.path, "none") };
    expect(await run("nodes", { env })).toMatchObject({ code: 1, out: "" });
    expect((await run("nodes", { env })).err).toMatch(
      /^No identity is known on this machine: add one with `isthmus identity add/,
    );
    expect((await run("identity list", { env })).out).toBe("None yet: add one with `isthmus identity add`.\n");
  });

  it("an identity whose broker is not there; its password is kept for its owner alone", async () => {
    expect(
      (
        await run("identity add me --jid me@example.org --host 127.0.0.1 --port 1 --of x@example.org", {
          stdin: "a secret\n",
        })
      ).out,
    ).toMatch(/^Kept in .*me\.json\.\n$/);
    const said = await run("nodes --as me");
    expect(said).toMatchObject({ code: 1, out: "" });
    expect(said.err).toMatch(/^me@example\.org is not logged in: .*127\.0\.0\.1:1 refused the connection/);
    expect(said.err).not.toContain("a secret");
  });

  it("a reader that has seen enough ends the program, without a word", async () => {
    const reading = isthmus(split("nodes --as owner --json"));
    reading.child.stdout?.once("data", () => reading.child.stdout?.destroy());
    expect(await reading.ended).toMatchObject({ err: "" });
  });
});

describe("help", () => {
  it("of the whole lists every command; a group lists its own", async () => {
    for (const words of ["", "--help"]) {
      const text = await ok(words);
      for (const { name, summary } of commands)
        expect(text).toMatch(new RegExp(`^ {2}isthmus ${name} +${summary.slice(0, 20)}`, "m"));
    }
    expect(await ok("help")).toBe(await ok("--help"));
    expect(await ok("help node add")).toBe(await ok("node add --help"));
    expect(await ok("owner --help")).toMatch(/isthmus owner claim[\s\S]*isthmus owner rules/);
    expect(await ok("--version")).toMatch(/^isthmus \d+\.\d+\.\d+ on Node 24\./);
  });

  it.for(commands.map(({ name }) => name))("of %s: what it does, how it is called, each option", async name => {
    const text = await ok(`${name} --help`);
    expect(text).toMatch(new RegExp(`^isthmus ${name}\\b.*\\n\\n\\S.*\\.\\n`));
    expect(text).toMatch(/\n {2}--help +Show this help\.\n {2}--json +Print JSON/);
    for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(150);
  });
});

describe("decode", () => {
  it("M-Bus and Modbus, from words and line by line, for people and for programs", async () => {
    expect(await ok("decode mbus 10 5b 05 60 16")).toMatch(/^short frame, C 5B, address 5/);
    expect(await ok("decode modbus 010300000002c40b")).toMatch(/RTU, unit 1 .*holding registers/);
    const many = await run("decode mbus --json", { stdin: "10 5b 05 60 16\n\n10 40 05 45 16\n" });
    expect(
      many.out
        .trimEnd()
        .split("\n")
        .map(line => JSON.parse(line).frame.c),
    ).toEqual(["5B", "40"]);
    const bad = await run("decode mbus 68 1F 1F 68");
    expect([bad.code, bad.out]).toEqual([1, expect.stringMatching(/^no telegram: it ends too early/)]);
  });
});
