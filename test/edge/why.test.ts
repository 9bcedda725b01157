// Explanations: who may hear them, what they say, and that they say what admission does.

import fc from "fast-check";
import { afterEach, expect, it } from "vitest";
import type { StartedQuery } from "#concentrator/queries.ts";
import type { QueryItem } from "#concentrator/query-run.ts";
import { Refusal } from "#contract/faults.ts";
import { type Ask, askAll, type Category, categories } from "#contract/field.ts";
import type { NodeRef } from "#contract/node.ts";
import { decisionAbsenceMs, newQuestionsPerCallerMax } from "#limits.ts";
import { callerOf, never } from "../concentrator/scene.ts";
import {
  addressOf,
  away,
  board,
  decider,
  heat,
  line,
  no,
  type OwnedScene,
  ownedScene,
  rootRef,
  says,
  water,
  yes,
} from "./owned-scene.ts";

const landlord = "landlord@hub.example";
const tenant = "tenant@hub.example";
const bob = "bob@city.example";
const installer = "installer@hub.example";
const viewer = "viewer@hub.example";
const hour = 3_600_000;

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

/** The landlord owns the appliance, the tenant the heat meter; bob is a contact. */
async function house(): Promise<OwnedScene> {
  const it = await ownedScene();
  open.push(it);
  await it.claim(rootRef, landlord);
  await it.claim(heat, tenant);
  it.contacts.add(bob).add(landlord).add(tenant).add(installer).add(viewer);
  await it.clock.advance(2_000);
  return it;
}

async function itemsOf(it: OwnedScene, [query]: readonly StartedQuery[]): Promise<QueryItem[]> {
  const items: QueryItem[] = [];
  const reading = (async () => {
    for await (const item of query?.items ?? []) items.push(item);
  })();
  await it.clock.advance(0);
  await reading;
  return items;
}

async function why(it: OwnedScene, asker: string, node: NodeRef, values: Readonly<Record<string, string>>) {
  const fields = Object.entries(values).map(([name, value]) => ({ name, values: [value] }));
  const started = it.concentrator.startQuery(callerOf(asker), [node], "Why", `q${Math.random()}`, { fields }, never);
  const items = await itemsOf(it, await started);
  expect(items.at(-1)?.kind).toBe("done");
  const tables = new Map<string, { columns: string[]; rows: Record<string, unknown>[] }>();
  for (const item of items) {
    if (item.kind === "newTable")
      tables.set(item.tableId, { columns: item.columns.map(one => one.columnId), rows: [] });
    if (item.kind !== "newRecords") continue;
    const table = tables.get(item.tableId);
    for (const record of item.records) {
      const cells = record.map((cell, at) => [table?.columns[at], "value" in cell ? cell.value : undefined]);
      table?.rows.push(Object.fromEntries(cells.filter(([, value]) => value !== undefined)));
    }
  }
  const [steps, remembered] = [...tables.values()];
  const said = items.flatMap(item => (item.kind === "message" ? [item.text] : []));
  return { said, steps: steps?.rows ?? [], remembered: remembered?.rows ?? [] };
}

const momentaryEnergy: Ask = { ...askAll, categories: categories("momentary"), names: ["Energy", "Flow"] };

async function refusalOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "done";
  } catch (error) {
    if (error instanceof Refusal) return `${error.kind}: ${error.message}`;
    throw error;
  }
}

it("a decision of the service: who said it, when, how long it holds, what is left of what was asked, what is cut", async () => {
  const it = await house();
  it.decide = says("result='true' m='true'", `<nd ${addressOf(heat)}/><f n='Energy'/>`);
  const learned = it.clock.now();
  await it.concentrator.admitRead(
    callerOf(bob),
    [heat],
    { ...momentaryEnergy, categories: categories("momentary", "peak") },
    never,
  );
  await it.clock.advance(hour);
  const asked = it.asked();
  const { said, steps, remembered } = await why(it, tenant, heat, { caller: bob, right: "read" });
  expect(it.asked()).toBe(asked);
  const time = (ms: number) => new Date(ms).toLocaleString("sv", { dateStyle: "short", timeStyle: "short" });
  expect(said).toEqual([
    `In part: ${bob} may read some of heat-3 (attic).`,
    `It is seen by ${bob} as by any contact.`,
    `On ${time(learned)}, ${decider} said yes; that holds until ${time(learned + 24 * hour)}.`,
    "As last asked: Energy, Flow, momentary, peak",
    "Left of it: Energy, momentary",
    "Not granted: Flow, peak",
  ]);
  expect(steps).toEqual([
    { step: "let in", answer: "yes" },
    { step: "view", answer: "yes", rule: "contacts may view" },
    {
      step: "read",
      answer: "part",
      rule: "provisioning",
      by: decider,
      since: learned,
      until: learned + 24 * hour,
      older: false,
      left: "Energy, momentary",
      cut: "Flow, peak",
    },
  ]);
  expect(remembered).toEqual([
    expect.objectContaining({
      answer: "yes",
      fields: "Energy, Flow",
      leftFields: "Energy",
      leftCategories: "momentary",
    }),
  ]);
  expect((await why(it, tenant, heat, { caller: bob, right: "read", field: "Flow" })).said[0]).toBe(
    `No: ${bob} may not read Flow / heat-3 (attic).`,
  );
  expect((await why(it, tenant, heat, { caller: bob, right: "read", field: "Energy" })).steps.at(-1)).toMatchObject({
    answer: "part",
  });
});

it("while the service is away: that an older answer is used for reading, and none for control; and what was asked in vain", async () => {
  const it = await house();
  it.decide = yes;
  await it.concentrator.admitRead(callerOf(bob), [heat], momentaryEnergy, never);
  await it.concentrator.admitControl(callerOf(bob), [heat], ["Set Point"], never);
  it.provisioning.offline();
  it.link.online = false;
  await it.clock.advance(decisionAbsenceMs + 1);
  it.provisioning.online(false);
  const read = await why(it, tenant, heat, { caller: bob, right: "read" });
  expect(read.said).toContain("It is an older answer, and counts because the service cannot be reached.");
  expect(read.steps.at(-1)).toMatchObject({ answer: "yes", older: true });
  const control = await why(it, tenant, heat, { caller: bob, right: "control" });
  expect(control.said[0]).toBe(`No: ${bob} may not control heat-3 (attic).`);
  expect(control.said).toContain("The owner's service cannot be reached.");

  it.link.online = true;
  it.decide = away;
  expect((await why(it, tenant, heat, { caller: bob, right: "control" })).steps.at(-1)).toMatchObject({
    answer: "asked",
  });
  expect(await refusalOf(it.concentrator.admitControl(callerOf(bob), [heat], ["Set Point"], never))).toMatch(/^denied/);
  const after = await why(it, tenant, heat, { caller: bob, right: "control" });
  expect(after.said.some(text => text.endsWith(`${decider} was asked and could not be reached.`))).toBe(true);
  expect(after.steps.at(-1)).toMatchObject({ answer: "asked" });
});

it("owners, roles, strangers, friends and the flood bound have reasons of their own", async () => {
  const it = await house();
  const of = async (asker: string, node: NodeRef, caller: string, right = "read") =>
    (await why(it, asker, node, { caller, right })).said;
  expect(await of(tenant, heat, tenant)).toEqual([
    `Yes: ${tenant} may read heat-3 (attic).`,
    `It is owned by ${tenant}.`,
  ]);
  expect(await of(tenant, heat, landlord)).toContain(`Of ${decider} there is no answer that still holds.`);
  expect(await of(landlord, water, landlord)).toContain(
    `The appliance is owned by ${landlord}, and this by nobody else.`,
  );
  expect(await of(landlord, water, bob)).toContain("Nobody owns this, so nobody can allow it.");
  it.rights.roles.grant(callerOf(landlord), { jid: viewer, role: "viewer", node: water, until: it.clock.now() + hour });
  const role = await of(landlord, water, viewer);
  expect(role[0]).toBe(`Yes: ${viewer} may read water-7 (attic).`);
  expect(role[1]).toMatch(
    /viewer@hub\.example is a viewer by the word of landlord@hub\.example\. Place: water-7 \(attic\)$/,
  );
  expect(role[2]).toMatch(/^The role ends on 2031/);
  expect(await of(landlord, water, "stranger@far.example")).toContain(
    "The appliance does not let stranger@far.example in: whatever comes from there is refused unread.",
  );
  // A tenant does not see his neighbours' meters.
  expect(await of(landlord, water, tenant)).toEqual([
    `No: ${tenant} may not read water-7 (attic).`,
    `To ${tenant} it looks as if there were no such node: no rule lets this be seen.`,
  ]);
  expect(await of(landlord, board, bob, "friend")).toEqual([
    `Yes: ${bob} is let in.`,
    `It was decided before, and ${bob} stays in until that is taken back.`,
    `Of ${decider} there is no answer that still holds.`,
  ]);
  it.contacts.delete(bob);
  expect(await of(landlord, board, bob, "friend")).toEqual([
    `Not decided: when ${bob} asks to be let in, the owner's service is asked.`,
    `Of ${decider} there is no answer that still holds.`,
  ]);
  it.decide = no;
  await it.provisioning.decideSubscription(bob, never);
  const refused = await of(landlord, board, bob, "friend");
  expect(refused[0]).toBe(`No: ${bob} is not let in.`);
  expect(refused[1]).toContain(`${decider} said no; from`);
  it.contacts.add(bob);
  it.decide = away;
  for (let at = 0; at < newQuestionsPerCallerMax; at++)
    await refusalOf(it.concentrator.admitRead(callerOf(bob), [heat], { ...askAll, names: [`F${at}`] }, never));
  expect(await of(tenant, heat, bob)).toContain(
    "There were too many new questions of this caller, of his domain or in all; for a while nothing new is asked.",
  );
});

it("a device that does not answer is said to be so, for who may ask it", async () => {
  const it = await house();
  const node = it.tree.find(heat);
  if (node === undefined) throw new Error("no node");
  it.tree.note(node, "Error", "timeout", "It did not answer in time.");
  const { said } = await why(it, tenant, heat, { caller: tenant, right: "read" });
  expect(said).toContain("Who may ask gets no values now: It did not answer in time.");
});

it("only who owns the node hears it: to all others it is a command or a node that is not there", async () => {
  const it = await house();
  const { roles } = it.rights;
  roles.grant(callerOf(landlord), { jid: installer, role: "installer", node: rootRef });
  roles.grant(callerOf(tenant), { jid: viewer, role: "viewer", node: heat });
  const ask = (asker: string, node: NodeRef, command = "Why") =>
    refusalOf(
      it.concentrator.startQuery(
        callerOf(asker),
        [node],
        command,
        `q${Math.random()}`,
        { fields: [{ name: "caller", values: [bob] }] },
        never,
      ),
    );
  const unknownNode = await ask(tenant, { ...heat, nodeId: "nothing" });
  const unknownCommand = await ask(landlord, heat, "NoSuchCommand");
  expect(unknownNode).toBe("not-found: There is no such node.");
  expect(unknownCommand).toBe("not-found: There is no such command.");
  // The tenant's node: not the landlord, his installer, the viewer, a contact, nor the service.
  for (const other of [landlord, installer, viewer, bob])
    expect([other, await ask(other, heat)]).toEqual([other, unknownCommand]);
  for (const other of ["stranger@far.example", decider])
    expect([other, await ask(other, heat)]).toEqual([other, unknownNode]);
  // Nobody's node: the landlord's to hear, not his installer's, nor the tenant's.
  expect(await ask(installer, water)).toBe(unknownCommand);
  expect(await ask(tenant, water)).toBe(unknownNode);
  expect(await ask(tenant, board)).toBe(unknownNode);
  for (const [asker, node] of [
    [landlord, water],
    [landlord, line],
    [landlord, board],
    [tenant, heat],
  ] as const)
    expect([asker, await ask(asker, node)]).toEqual([asker, "done"]);
  const listed = async (asker: string, node: NodeRef) =>
    (await it.concentrator.commands(callerOf(asker), node, never)).map(({ id }) => id).includes("Why");
  expect(await listed(tenant, heat)).toBe(true);
  expect(await listed(landlord, heat)).toBe(false);
  expect(await listed(installer, water)).toBe(false);
  // Who owned it hears nothing any more.
  await it.disown(heat);
  expect(await ask(tenant, heat)).toBe(unknownNode);
  expect(await ask(landlord, heat)).toBe("done");
});

const people = [landlord, tenant, bob, installer, viewer, "stranger@far.example", decider] as const;
const nodes = [heat, water, line, board] as const;
const names = ["Energy", "Flow", "Set Point"] as const;
const some: readonly Category[] = ["momentary", "peak", "identity"];
const step = fc.oneof(
  fc.record({
    kind: fc.constant("claim" as const),
    thing: fc.constantFrom(rootRef, heat, water),
    by: fc.constantFrom(landlord, tenant),
  }),
  fc.record({ kind: fc.constant("disown" as const), thing: fc.constantFrom(rootRef, heat, water) }),
  fc.record({
    kind: fc.constant("role" as const),
    by: fc.constantFrom(landlord, tenant),
    to: fc.constantFrom(installer, viewer, bob),
    role: fc.constantFrom("installer" as const, "viewer" as const),
    at: fc.constantFrom(rootRef, line, heat, water),
  }),
  fc.record({ kind: fc.constant("contact" as const), who: fc.constantFrom(...people) }),
  fc.record({
    kind: fc.constant("read" as const),
    who: fc.constantFrom(...people),
    node: fc.constantFrom(...nodes),
    names: fc.subarray([...names]),
    some: fc.subarray([...some], { minLength: 1 }),
    service: fc.constantFrom(yes, no, away, says("result='true' m='true' p='true'", "<f n='Energy'/>")),
  }),
  fc.record({
    kind: fc.constant("control" as const),
    who: fc.constantFrom(...people),
    node: fc.constantFrom(...nodes),
    service: fc.constantFrom(yes, no, away),
  }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(1_000, 400_000, 25 * hour) }),
  fc.record({ kind: fc.constant("absence" as const) }),
  fc.record({ kind: fc.constant("link" as const), online: fc.boolean() }),
);

async function happen(it: OwnedScene, one: typeof step extends fc.Arbitrary<infer T> ? T : never): Promise<void> {
  switch (one.kind) {
    case "claim":
      if (it.discovery.ownerOf(one.thing) === undefined) await it.claim(one.thing, one.by);
      return;
    case "disown":
      return await it.disown(one.thing);
    case "contact":
      it.contacts.add(one.who);
      return;
    case "wait":
      return await it.clock.advance(one.ms);
    case "link":
      it.link.online = one.online;
      return;
    case "role": {
      const { to: jid, role, at: node } = one;
      await refusalOf((async () => it.rights.roles.grant(callerOf(one.by), { jid, role, node }))());
      return;
    }
    case "absence":
      it.provisioning.offline();
      await it.clock.advance(decisionAbsenceMs + 1);
      return it.provisioning.online(false);
    case "read": {
      it.decide = one.service;
      const ask = { ...askAll, names: one.names, categories: categories(...one.some) };
      await refusalOf(it.concentrator.admitRead(callerOf(one.who), [one.node], ask, never));
      return;
    }
    case "control":
      it.decide = one.service;
      await refusalOf(it.concentrator.admitControl(callerOf(one.who), [one.node], ["Set Point"], never));
  }
}

/** Explained first and then done: the same comes of it, and what needs no question needs none. */
async function agrees(it: OwnedScene, asked: Parameters<OwnedScene["explain"]>[1], node: NodeRef): Promise<void> {
  const before = it.asked();
  const { question, decided } = await it.explain(node, asked);
  expect(it.asked()).toBe(before);
  const caller = callerOf(asked.caller);
  const work =
    asked.right === "read"
      ? it.concentrator.admitRead(caller, [node], { ...askAll, ...question }, never)
      : it.concentrator.admitControl(caller, [node], question.names, never);
  const admitted = await work.catch(error => {
    if (error instanceof Refusal) return undefined;
    throw error;
  });
  const because = typeof decided === "object" ? decided.because : undefined;
  if (because?.kind === "service" && because.state === "open") {
    expect(it.asked()).toBeGreaterThan(before);
    return;
  }
  expect(it.asked()).toBe(before);
  const granted = typeof decided === "object" ? decided.granted : undefined;
  const target = admitted?.targets[0];
  expect(target === undefined).toBe(granted === undefined);
  if (target === undefined || granted === undefined) return;
  expect("ask" in target ? target.ask.names : target.names).toEqual(granted.names);
  if ("ask" in target) expect(target.ask.categories).toEqual(granted.categories);
}

it("whatever happened before, an explanation agrees with what admission then does, and asks nobody itself", async () => {
  const sure = [
    { kind: "claim", thing: rootRef, by: landlord },
    { kind: "contact", who: bob },
  ] as const;
  const asked = fc.record({
    caller: fc.constantFrom(...people),
    right: fc.constantFrom("read" as const, "control" as const),
    field: fc.constantFrom(undefined, ...names),
    categories: fc.constantFrom(undefined, ...some.map(name => categories(name))),
  });
  const check = fc.record({ asked, node: fc.constantFrom(...nodes), service: fc.constantFrom(yes, no, away) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 4, maxLength: 16 }),
      fc.array(check, { minLength: 40, maxLength: 40 }),
      async (steps, checks) => {
        await using it = await ownedScene({}, { asleep: true });
        for (const one of [...sure, ...steps]) await happen(it, one);
        for (const one of checks) {
          it.decide = one.service;
          await agrees(it, one.asked, one.node);
        }
      },
    ),
    { numRuns: 12 },
  );
}, 300_000);
