// The table of docs/who-may-what.md, read from the page itself: each cell is brought about and tried. A cell that is not true, a
// row or a column that nobody knows how to bring about, fails.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { Refusal } from "#contract/faults.ts";
import { askAll, categories } from "#contract/field.ts";
import { decisionAbsenceMs, decisionAllowMs } from "#limits.ts";
import { callerOf, never } from "../concentrator/scene.ts";
import {
  away,
  decider,
  heat,
  line,
  no,
  type OwnedScene,
  ownedScene,
  registry,
  rootRef,
  water,
  yes,
} from "./owned-scene.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/who-may-what.md"), "utf8");

const people = {
  "owner of the appliance": "landlord@hub.example",
  "owner of the node": "tenant@hub.example",
  "owner of another node": "neighbour@hub.example",
  "installer of the appliance": "installer@hub.example",
  "installer of its line": "electrician@hub.example",
  "viewer by the owner of the appliance": "caretaker@hub.example",
  "viewer by the owner of the node": "flatmate@hub.example",
  "friend, allowed before": "bob@city.example",
  "friend, nothing decided": "carol@city.example",
  stranger: "stranger@far.example",
  "the owner's service": decider,
  "the registry": registry,
} as const;
type Person = keyof typeof people;
const isService = (jid: string): boolean => jid === decider || jid === registry;

const momentary = { ...askAll, names: ["Energy"], categories: categories("momentary") };
const refused = async (work: Promise<unknown>): Promise<boolean> => {
  try {
    await work;
    return false;
  } catch (error) {
    if (error instanceof Refusal) return true;
    throw error;
  }
};

/** The landlord owns the appliance and the neighbour another meter; all are let in but the stranger and who has nothing here yet. */
async function house(): Promise<OwnedScene> {
  const it = await ownedScene({}, { asleep: true });
  const { roles } = it.rights;
  await it.claim(rootRef, people["owner of the appliance"]);
  await it.claim(water, people["owner of another node"]);
  const landlord = callerOf(people["owner of the appliance"]);
  roles.grant(landlord, { jid: people["installer of the appliance"], role: "installer", node: rootRef });
  roles.grant(landlord, { jid: people["installer of its line"], role: "installer", node: line });
  roles.grant(landlord, { jid: people["viewer by the owner of the appliance"], role: "viewer", node: heat });
  const later = [people["owner of the node"], people["viewer by the owner of the node"]];
  for (const jid of Object.values(people)) {
    if (jid !== people.stranger && !isService(jid) && !later.some(one => one === jid)) it.contacts.add(jid);
  }
  return it;
}
/** And has used it: given a role, and allowed a friend what he asked. */
async function claimed(isPublic = true): Promise<OwnedScene> {
  const it = await house();
  await it.claim(heat, people["owner of the node"], isPublic);
  const tenant = callerOf(people["owner of the node"]);
  it.contacts.add(tenant.bareJid).add(people["viewer by the owner of the node"]);
  it.rights.roles.grant(tenant, { jid: people["viewer by the owner of the node"], role: "viewer", node: heat });
  const bob = callerOf(people["friend, allowed before"]);
  it.decide = yes;
  await it.concentrator.admitRead(bob, [heat], momentary, never);
  await it.concentrator.admitControl(bob, [heat], ["Set Point"], never);
  it.decide = no;
  return it;
}
async function absent(ms: number): Promise<OwnedScene> {
  const it = await claimed();
  it.provisioning.offline();
  await it.clock.advance(ms);
  it.provisioning.online(false);
  it.decide = away;
  return it;
}

const states: Readonly<Record<string, () => Promise<OwnedScene>>> = {
  async unknown() {
    const it = await house();
    // As after a start without the registry.
    it.reset.thing(heat, "keep", "the test");
    it.rights.roles.grant(callerOf(people["owner of the appliance"]), {
      jid: people["viewer by the owner of the appliance"],
      role: "viewer",
      node: heat,
    });
    return it;
  },
  async registered() {
    const it = await house();
    await it.clock.advance(5_000);
    return it;
  },
  public: () => claimed(),
  private: () => claimed(false),
  async disowned() {
    const it = await claimed();
    await it.disown(heat);
    await it.clock.advance(10_000);
    return it;
  },
  away: () => absent(decisionAbsenceMs + 1),
  expired: () => absent(decisionAllowMs + 1),
  async reset() {
    const it = await claimed();
    it.reset.thing(heat, "keep", "the test");
    await it.clock.advance(10_000);
    return it;
  },
};

/** The cell as it is. Who is not let in is refused before anything is asked of the rules. */
async function cellOf(it: OwnedScene, jid: string): Promise<string> {
  const caller = callerOf(jid);
  const { concentrator } = it;
  const isLetIn = it.contacts.has(jid) && !it.rights.parting.isLeaving(jid);
  const letters: string[] = [];
  const isOlder = async (right: "read" | "control") => {
    const { decided } = await it.explain(heat, { caller: jid, right, field: undefined, categories: undefined });
    const because = typeof decided === "object" ? decided.because : undefined;
    return because?.kind === "service" && because.known?.isOlder === true;
  };
  const decided = async (letter: string, right: "read" | "control", work: () => Promise<unknown>) => {
    const before = it.asked();
    const isRefused = await refused(work());
    const isAsked = it.asked() > before && it.decide !== away;
    if (!isRefused) letters.push(`${letter}${(await isOlder(right)) ? "~" : ""}`);
    else if (isAsked) letters.push(`${letter}?`);
  };
  if (isLetIn) {
    if (await concentrator.contains(caller, heat)) letters.push("S");
    await decided("R", "read", () => concentrator.admitRead(caller, [heat], momentary, never));
    await decided("C", "control", () => concentrator.admitControl(caller, [heat], ["Set Point"], never));
    await decided("U", "read", async () => {
      const wishes = { limits: new Map(), minIntervalMs: undefined, maxIntervalMs: undefined, historyMs: undefined };
      // Another field than was read: what was refused a moment ago is not asked for again.
      const ask = { ...momentary, names: letters.includes("R?") ? ["Flow"] : ["Energy"] };
      const subscriber = { event: async () => {}, ended: () => {} };
      using _ = await concentrator.subscribe({ caller, nodes: [heat], ask, ...wishes }, subscriber, never);
    });
    if (!(await refused(concentrator.require(caller, "edit", [heat], never)))) letters.push("E");
  } else {
    // Should the gate ever fail, the rules let nobody else in than it.
    const may = await concentrator.contains(caller, heat);
    expect([jid, may && !letters.includes("S")]).toEqual([jid, false]);
  }
  if (!isService(jid) && it.discovery.claimUri(heat) !== undefined) letters.push("K");
  return letters.length === 0 ? "–" : letters.join(" ");
}

const rows = page
  .slice(page.indexOf("| Caller |"))
  .split("\n")
  .map(text =>
    text
      .split("|")
      .map(cell => cell.trim())
      .slice(1, -1),
  );
const [head = [], , ...body] = rows.slice(
  0,
  rows.findIndex(cells => cells.length === 0),
);
const columns = head.slice(1);

const scenes: OwnedScene[] = [];
afterAll(async () => {
  for (const one of scenes) await one[Symbol.asyncDispose]();
});

it("the table has the states and the callers there are, each once", () => {
  expect([...columns].sort()).toEqual(Object.keys(states).sort());
  expect(body.map(([who]) => who).sort()).toEqual(Object.keys(people).sort());
});

for (const [at, state] of columns.entries()) {
  it(`COM-AUTH-02, -03, -04, -06, -07, -08: a node that is ${state}: each caller gets what his cell says`, async () => {
    const scene = await states[state]?.();
    if (scene === undefined) throw new Error(`nobody knows how to bring about "${state}"`);
    scenes.push(scene);
    const said: string[] = [];
    const found: string[] = [];
    for (const [who = "", ...cells] of body) {
      const jid = people[who as Person];
      said.push(`${who}: ${cells[at]}`);
      found.push(`${who}: ${await cellOf(scene, jid)}`);
    }
    expect(found).toEqual(said);
  });
}
