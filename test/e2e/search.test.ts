// Finding things as a person does, with `isthmus search` against the real registry, and another registry beside it; and what a
// person is shown before a KEY leaves the machine.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { element } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { type Ended, isthmus, isthmusOnTerminal } from "./command-line.ts";
import { domain, found, type House, ownerIn, type RawComponent, service, startHouse, uriOf } from "./house.ts";

const peer = `other.${domain}`;
const evil = `evil.${domain}`;
const infoNs = "http://jabber.org/protocol/disco#info";
const site = JSON.stringify({
  nodes: [
    {
      type: "sim.line",
      id: "line-1",
      nodes: ["heat-3", "heat-4", "water-7"].map(id => ({
        type: "sim.meter",
        id,
        tags: { SN: id, CITY: id === "heat-3" ? "Sundsvall" : "Umeå" },
      })),
    },
  ],
});

const before = { ...process.env };
let house: House;
let impostor: RawComponent;

beforeAll(async () => {
  process.env.ISTHMUS_REGISTRY_PEER_REGISTRIES = peer;
  house = await startHouse({ site, people: ["owner", "searcher"], components: [peer, evil] });
  process.env.ISTHMUS_IDENTITIES = house.folder;
  process.env.TMPDIR = house.folder;
  for (const name of ["owner", "searcher"])
    writeFileSync(join(house.folder, `${name}.json`), JSON.stringify(house.identity(name)), { mode: 0o600 });
  await house.registry.start();
  await house.edge.start();
  // Says of itself that it is nothing, and hears what it is sent all the same.
  impostor = await house.component(evil, ({ ns }) => (ns === infoNs ? element("query", infoNs) : undefined));
  await house.component(peer, question =>
    question.name === "search"
      ? parse(
          `<found xmlns='${question.ns}' more='false'><thing jid='gw1@far.example' id='pump-1'><str name='CLASS' value='Pump'/></thing></found>`,
        )
      : undefined,
  );
}, 60_000);
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
  process.env = before;
});

const run = (...words: string[]): Promise<Ended> => isthmus(words).ended;
const values = ({ out }: Ended) =>
  out
    .trimEnd()
    .split("\n")
    .filter(line => line !== "")
    .map(line => JSON.parse(line));

describe("claiming by hand", () => {
  it("URI-SEC-02: the codes are shown at a terminal, and nowhere where what is printed is kept, unless somebody says so", async () => {
    const printed = /^heat-3 \(line-1\) .* registered/m;
    const unattended = await found("the table", async () => printed.exec(house.edge.output())?.input);
    expect(unattended).not.toMatch(/iotdisco:|KEY=/);
    await house.edge.stop();
    const words = ["run", "--config", house.edgeConfig];
    for (const [start, codes] of [
      [() => isthmusOnTerminal(words), true],
      [() => isthmus([...words, "--json"]), false],
      [() => isthmus([...words, "--codes", "once"]), true],
    ] as const) {
      const running = start();
      const text = await running.says(codes ? /iotdisco:\S*KEY=\w{64}/ : /"nodeId":"heat-3"/);
      expect(/KEY=/.test(text)).toBe(codes);
      // The terminal's own program hands no signal on; Ctrl-C is a key.
      if (running.child.stdin?.writable) running.child.stdin.write("\u0003");
      running.child.kill("SIGTERM");
      await running.ended;
    }
    const wrong = await run(...words, "--codes", "always");
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('--codes is once or never, not "always".')]);
    await house.edge.start();
  }, 120_000);

  it("URI-SEC-02, DISCO-THR-07: a registry that is none is sent no KEY, and the KEY is nowhere to be read afterwards", async () => {
    const status = await house.statusWhere("registered", ({ nodes }) =>
      nodes.every(({ thing }) => thing === undefined || thing.uri !== undefined),
    );
    const uri = uriOf(status, "heat-4");
    const key = /KEY=(\w+)/.exec(uri)?.[1] as string;
    const wrong = await run("owner", "claim", "--as", "owner", uri.replace(/R=.*$/, `R=${evil}`));
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining(`${evil} is no registry`)]);
    expect(JSON.stringify(impostor.received)).not.toContain(key);
    for (const text of [wrong.err, wrong.out, house.edge.output(), house.registry.output()])
      expect(text).not.toContain(key);
    const right = await run("owner", "claim", "--as", "owner", uri);
    expect([right.code, right.err]).toEqual([0, ""]);
    const after = await house.statusWhere("claimed", one => ownerIn(one, "heat-4") !== undefined);
    expect(after.nodes.find(one => one.ref.nodeId === "heat-4")?.thing?.uri).toBeUndefined();
    expect(house.rows("things")).not.toContain(key);
    expect(house.edge.output() + house.registry.output()).not.toContain(key);
  });

  it("DISCO-THR-07, URI-SEC-03: at a terminal the registry and what the code says are shown first, and nothing is done without a yes", async () => {
    const uri = uriOf(await house.status(), "heat-3");
    const asking = isthmusOnTerminal(["owner", "claim", "--as", "owner", uri]);
    const shown = await asking.says(/yes\/no: /);
    expect(shown).toContain(`Registry: ${service}`);
    expect(shown).toContain("CITY=Sundsvall");
    expect(shown).toContain("Listed:   yes");
    expect(shown).not.toContain(/KEY=(\w+)/.exec(uri)?.[1]);
    asking.child.stdin?.write("no\r");
    expect((await asking.ended).code).toBe(1);
    expect(ownerIn(await house.status(), "heat-3")).toBeUndefined();
    const sure = isthmusOnTerminal(["owner", "claim", "--as", "owner", uri]);
    await sure.says(/yes\/no: /);
    sure.child.stdin?.write("yes\r");
    expect((await sure.ended).code).toBe(0);
    await house.statusWhere("claimed", one => ownerIn(one, "heat-3") !== undefined);
  });
});

describe("isthmus search", () => {
  it("DISCO-SEARCH-01, URI-SRCH-01: by URI and by conditions, and only what is public", async () => {
    const byUri = await found("the city is in the registry", async () => {
      const ended = await run("search", "--as", "searcher", "--json", "iotdisco:SN~*heat*;CITY>=A;CITY<T");
      return values(ended).length === 1 ? ended : undefined;
    });
    expect(values(byUri)[0]).toMatchObject({ ref: { nodeId: "heat-3" }, registry: service });
    const people = await run("search", "--as", "searcher", "SN~*heat*");
    expect([people.code, people.err]).toEqual([0, ""]);
    expect(people.out).toMatch(/^Appliance +Node +Tags$/m);
    expect(people.out).toMatch(/heat-3 .*CITY=Sundsvall/);
    expect(people.out).toMatch(/heat-4 .*CITY=Umeå/);
    expect(people.out).not.toContain("water-7");
    expect(people.out).not.toContain("KEY");
    const expression = await run("search", "--as", "searcher", "--json", "--matches", "SN=heat-[0-3]");
    expect(values(expression).map(one => one.ref.nodeId)).toEqual(["heat-3"]);
    const nothing = await run("search", "--as", "searcher", "SN=none");
    expect([nothing.code, nothing.out]).toEqual([0, `Nothing at ${service}.\n`]);
  });

  it("DISCO-SEARCH-03: page by page, and all at once", async () => {
    const first = await run("search", "--as", "searcher", "SN~*heat*", "--max", "1");
    expect(first.out).toContain("There are more: say --offset 1, or --all.");
    const rest = await run("search", "--as", "searcher", "--json", "SN~*heat*", "--max", "1", "--offset", "1");
    expect(values(rest)).toHaveLength(1);
    expect(values(await run("search", "--as", "searcher", "--json", "SN~*heat*", "--all"))).toHaveLength(2);
  });

  it("DISCO-DEBBY-01: everywhere, with where each thing was found", async () => {
    const everywhere = await run("search", "--as", "searcher", "--everywhere", "SN~*heat*");
    expect(everywhere.out).toMatch(/^Appliance +Node +Registry +Tags$/m);
    expect(everywhere.out).toMatch(new RegExp(`gw1@far.example +pump-1 +${peer} +CLASS=Pump`));
    const programs = await run("search", "--as", "searcher", "--everywhere", "--json", "SN~*heat*");
    expect(values(programs).map(one => [one.ref.nodeId, one.registry])).toEqual([
      ["heat-3", service],
      ["heat-4", service],
      ["pump-1", peer],
    ]);
  });

  it.each([
    [["search"], 2, /search for what/],
    [["search", "iotdisco:CLASS=x;KEY=0123456789abcdef"], 2, /owner claim/],
    [["search", "iotdisco:CLASS=x;#V=many"], 2, /V is not a number/],
    [["search", "SN=x", "--matches", "SN"], 2, /NAME=PATTERN/],
    [["search", "SN=x", "--max", "none"], 2, /--max is a number/],
    [["search", "SN=x", "--registry", evil], 1, /is no registry/],
    [["search", "SN=x", "--registry", "a@b.example"], 1, /is no domain/],
    [["search", "SN=x", "--matches", "SN=(a)\\1"], 1, /^Not a regular expression of ours: \\1 is not served\.$/m],
  ] as const)("says what is wrong with %j", async (words, code, said) => {
    const ended = await run(...words, "--as", "searcher");
    expect([ended.code, ended.err]).toEqual([code, expect.stringMatching(said)]);
    expect(ended.err).not.toContain("    at ");
    expect(ended.err).not.toContain("0123456789abcdef");
  });
});
