// Labels from the printer to the owner's phone: real broker, registry and appliance, `isthmus labels` in processes of its own,
// and the code that is read from the printed picture is the one that claims.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { saveIdentity } from "#cli/identity.ts";
import { codeIn, pdfPages, pdfText, readPng, zplLabels } from "../labels/reading.ts";
import { type Ended, isthmus } from "./command-line.ts";
import { domain, found, type House, ownerIn, startHouse, uriOf } from "./house.ts";

const people = ["landlord", "tenant", "installer", "newcomer", "stranger"];
const jidOf = (name: string) => `${name}@${domain}`;
let house: House;
let bare: string;

beforeAll(async () => {
  const meter = (id: string, number: number, room: string) => ({
    type: "sim.meter",
    id,
    name: `Zähler ${number}`,
    settings: { fields: 3 },
    tags: { CLASS: "HeatMeter", MAN: "Kamstrup", MODEL: "MULTICAL 403", SN: `6612000${number}`, ROOM: room },
  });
  const nodes = [meter("heat-3", 3, "Küche"), meter("water-7", 7, "Flur"), meter("gas-9", 9, "Keller")];
  const site = { nodes: [{ type: "sim.line", id: "attic", nodes }] };
  house = await startHouse({ site: JSON.stringify(site), people, boot: { language: "de", room: "Keller" } });
  await house.registry.start();
  await house.edge.start();
  const status = await house.statusWhere("registered", one => one.nodes.every(({ thing }) => !thing || thing.uri));
  bare = status.connection.jid.split("/")[0] as string;
  for (const name of people)
    saveIdentity(name, { ...house.identity(name), appliance: bare }, join(house.folder, "identities"));
}, 120_000);
afterAll(() => house?.[Symbol.asyncDispose]());

const env = () => ({
  ISTHMUS_IDENTITIES: join(house.folder, "identities"),
  XDG_STATE_HOME: join(house.folder, "state"),
});
const run = (...args: readonly string[]): Promise<Ended> => isthmus(args, { env: env() }).ended;
const here = (...args: readonly string[]) => run("labels", "--data", house.dataFolder, ...args);
const as = (who: string, ...args: readonly string[]) => run("labels", "--as", who, ...args);
const file = (name: string) => join(house.folder, name);
const fine = async (ended: Promise<Ended>): Promise<string> => {
  const { code, out, err } = await ended;
  expect([code, err], err).toEqual([0, ""]);
  return out;
};
const claim = (who: string, code: string | undefined) => run("owner", "claim", "--as", who, "--yes", code ?? "none");
const printed = (name: string) => pdfPages(file(name), 300).map(page => codeIn(page));
const zplCodes = (name: string) => zplLabels(readFileSync(file(name), "latin1")).map(({ picture }) => codeIn(picture));

it("URI-KIND-03: printed at the machine, each code is the one of its thing; the landlord claims the appliance with it", async () => {
  expect(await fine(here("--out", file("all.pdf")))).toContain("4 labels, 4 with a code");
  const status = await house.status();
  expect(printed("all.pdf")).toEqual(["", "heat-3", "water-7", "gas-9"].map(id => uriOf(status, id)));
  const text = pdfText(file("all.pdf"));
  for (const words of [
    "66120003",
    "Zähler 7",
    "Kamstrup MULTICAL 403",
    "Raum: Küche",
    "Seriennummer",
    `things.${domain}`,
  ])
    expect(text).toContain(words);
  expect((await claim("landlord", printed("all.pdf")[0])).out).toMatch(/^You own the appliance /);
  expect((await claim("tenant", printed("all.pdf")[1])).out).toMatch(/^You own heat-3 \(attic\) of /);
  await house.statusWhere("claimed", one => ownerIn(one, "heat-3") !== undefined);
});

it("what was claimed since has a label that is out of date, and the new one has no code", async () => {
  expect(await fine(here("--list"))).toMatch(/^heat-3 \(attic\) .*claimed +out of date: the thing is claimed/m);
  expect(await fine(here("--out", file("again.pdf"), "--outdated"))).toContain("2 labels, 0 with a code");
  expect(printed("again.pdf")).toEqual([undefined, undefined]);
  expect(pdfText(file("again.pdf"))).toContain("Beansprucht");
});

it("from elsewhere: the landlord gets the codes of what nobody owns", async () => {
  await fine(as("landlord", "--out", file("office.png"), "--sheet", "L7160", "--dpi", "300"));
  const page = readPng(file("office.png"));
  const status = await house.status();
  const at = (place: number) => codeIn(page, 85 + place * 780, 179, 750, 450);
  expect([0, 1, 2].map(at)).toEqual([undefined, undefined, uriOf(status, "water-7")]);
  expect(await fine(as("landlord", "--list"))).toMatch(/^gas-9 \(attic\) +Zähler 9 +66120009 +unclaimed +made \(20/m);
});

it.each(["stranger", "newcomer"])("COM-AUTH-02: %s gets none", async who => {
  const { code, out, err } = await as(who, "--out", file(`${who}.pdf`));
  expect([code, out]).toEqual([1, ""]);
  expect(err).not.toMatch(/iotdisco|KEY/);
  expect(existsSync(file(`${who}.pdf`))).toBe(false);
});

it("the tenant gets a label of his own meter, without a code, and nothing of the others", async () => {
  expect((await as("tenant", "--out", file("no.pdf"))).err).toMatch(
    /they are for the owner of the appliance and for installers/,
  );
  expect((await as("tenant", "--node", "water-7", "--out", file("no.pdf"))).code).toBe(1);
  expect(await fine(as("tenant", "--node", "heat-3", "--out", file("mine.pdf")))).toContain("1 label, 0 with a code");
  expect(existsSync(file("no.pdf"))).toBe(false);
});

it("an installer of one line makes the labels of that line", async () => {
  await fine(run("roles", "grant", jidOf("installer"), "installer", "--node", "attic", "--as", "landlord"));
  await found("let in", async () =>
    (await as("installer", "--line", "attic", "--list")).code === 0 ? true : undefined,
  );
  await fine(as("installer", "--line", "attic", "--unclaimed", "--out", file("line.zpl"), "--size", "2x1in"));
  const status = await house.status();
  expect(zplCodes("line.zpl")).toEqual([uriOf(status, "water-7"), uriOf(status, "gas-9")]);
  expect((await as("installer", "--out", file("no.pdf"))).code).toBe(1);
});

it("a new code: the old label claims nothing any more, the new one does", async () => {
  const before = uriOf(await house.status(), "water-7");
  const asked = await as("landlord", "--rotate", "--node", "water-7", "--out", file("new.zpl"));
  expect([asked.code, asked.err]).toEqual([
    2,
    expect.stringContaining("1 code ends: labels with it are worth nothing"),
  ]);
  expect(uriOf(await house.status(), "water-7")).toBe(before);
  await fine(as("landlord", "--rotate", "--yes", "--node", "water-7", "--out", file("new.zpl")));
  const [code] = zplCodes("new.zpl");
  expect(code).toBe(uriOf(await house.status(), "water-7"));
  expect(code).not.toBe(before);
  expect((await claim("newcomer", before)).err).toMatch(/Nothing that can be claimed has this code/);
  expect((await claim("newcomer", code)).out).toMatch(/^You own water-7/);
  await house.statusWhere("claimed", one => ownerIn(one, "water-7") !== undefined);
  expect(await fine(here("--list"))).toMatch(/^water-7 .*out of date: the thing is claimed/m);
});

it("without the registry nothing is changed, there is no file, and the sentence says so; the old label stays right", async () => {
  const before = uriOf(await house.status(), "gas-9");
  await house.registry.stop();
  const { code, out, err } = await as("landlord", "--rotate", "--yes", "--out", file("never.pdf"));
  expect([code, out]).toEqual([1, ""]);
  expect(err).toMatch(
    /^The registry cannot be reached: the code is the one it was, and its label stays right\.\n1 of 1 have the codes they had\.\n$/,
  );
  expect(existsSync(file("never.pdf"))).toBe(false);
  expect(uriOf(await house.status(), "gas-9")).toBe(before);
  await house.registry.start();
  await found(
    "claimed with the old label",
    async () => {
      const ended = await claim("newcomer", before);
      return /^You own gas-9/.test(ended.out) ? true : undefined;
    },
    60_000,
  );
});

it("nothing that is left can be made anew, and that is said", async () => {
  await house.statusWhere("claimed", one => ownerIn(one, "gas-9") !== undefined);
  const { code, err } = await as("landlord", "--rotate", "--yes", "--out", file("none.pdf"));
  expect([code, err]).toEqual([1, "None of these has a code that could be made anew.\n"]);
});

it("URI-SEC-02: no log of the appliance or the registry has a KEY, nor has any list of labels", async () => {
  const said = house.edge.output() + house.registry.output();
  expect(said).not.toMatch(/KEY=|[0-9a-f]{64}/);
  expect(readFileSync(join(house.dataFolder, "labels.json"), "utf8")).not.toMatch(/iotdisco|KEY/);
  expect(readFileSync(join(house.folder, "state", "isthmus", "labels", `${bare}.json`), "utf8")).not.toMatch(
    /iotdisco|KEY/,
  );
});
