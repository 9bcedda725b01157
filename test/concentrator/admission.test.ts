import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLog, type LogEvent } from "#base/log.ts";
import { createAdmission, type Opinion, type Question, type Rule } from "#concentrator/admission.ts";
import { contactsMayView, ownerRule } from "#concentrator/rules.ts";
import { Refusal } from "#contract/faults.ts";
import { type Ask, askAll, categories, categoriesOfMask, covers, noCategories } from "#contract/field.ts";
import { applianceSource, meteringTopology, type NodeRef } from "#contract/node.ts";
import { type ManualClock, manualClock } from "../support/manual-clock.ts";
import { callerOf, never, owner, refOf, stranger } from "./scene.ts";

const heat = refOf("heat-1", "attic");
const water = refOf("water-1", "attic");
const board: NodeRef = { nodeId: "board", sourceId: applianceSource, partition: "" };
const known = [heat, water, board];
const find = (ref: NodeRef) => known.find(one => one.nodeId === ref.nodeId);
const tenant = "tenant@example.org";
const momentaryEnergy: Ask = { ...askAll, categories: categories("momentary"), names: ["Energy", "Flow"] };

const seesAll: Rule = {
  name: "sees all",
  ask: async question => (question.right === "view" ? question.nodes.map(node => ({ node, grant: question })) : []),
};
const rule = (opine: (question: Question) => readonly Opinion[]): Rule => ({
  name: "test",
  ask: async question => (question.right === "view" ? [] : opine(question)),
});

const admission = (rules: readonly Rule[], events: LogEvent[] = [], clock: ManualClock = manualClock()) =>
  createAdmission({ rules, find, clock, log: createLog(event => events.push(event)) });

const kind = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return "admitted";
  } catch (error) {
    if (error instanceof Refusal) return error.kind;
    throw error;
  }
};

describe("admission", () => {
  it("SD-REQ-07, COM-ERR-02: one unknown or invisible node refuses the whole request, with the same words", async () => {
    const seesHeat: Rule = {
      name: "heat only",
      ask: async question =>
        question.nodes.filter(node => node.nodeId === "heat-1").map(node => ({ node, grant: question })),
    };
    const { read, control } = admission([seesHeat]);
    const caller = callerOf(stranger);
    expect(await kind(read(caller, [heat], askAll, never))).toBe("admitted");
    const unknown = read(caller, [heat, refOf("nothing")], askAll, never);
    const invisible = read(caller, [heat, water], askAll, never);
    const words = [await unknown.catch(error => error), await invisible.catch(error => error)];
    expect(words[0]).toMatchObject({ kind: "not-found" });
    expect(words[1]).toEqual(words[0]);
    expect(await kind(control(caller, [water], ["Set Point"], never))).toBe("not-found");
  });

  it("COM-AUTH-02: seeing is a condition of reading, even where a rule would grant the reading", async () => {
    const { read } = admission([rule(question => question.nodes.map(node => ({ node, grant: question })))]);
    expect(await kind(read(callerOf(stranger), [heat], askAll, never))).toBe("not-found");
  });

  it("SD-REQ-07: a node named twice, or in two spellings, is a target once, under its full name", async () => {
    const { read } = admission([seesAll, rule(question => question.nodes.map(node => ({ node, grant: question })))]);
    const admitted = await read(callerOf(stranger), [heat, heat, refOf("heat-1"), water], askAll, never);
    expect(admitted.targets.map(target => target.node)).toEqual([heat, water]);
  });

  it("SD-REQ-09, PROV-CANREAD-04: narrows silently; denied when nothing is left", async () => {
    const energyOnly = (names: string[]) =>
      rule(question => question.nodes.map(node => ({ node, grant: { categories: question.categories, names } })));
    const some = await admission([seesAll, energyOnly(["Energy"])]).read(
      callerOf(stranger),
      [heat],
      momentaryEnergy,
      never,
    );
    expect(some.targets).toEqual([{ node: heat, ask: { ...momentaryEnergy, names: ["Energy"] } }]);
    const nothing = admission([seesAll, energyOnly(["Volume"])]);
    expect(await kind(nothing.read(callerOf(stranger), [heat], momentaryEnergy, never))).toBe("denied");
    expect(await kind(admission([seesAll]).read(callerOf(stranger), [heat], askAll, never))).toBe("denied");
  });

  it("PROV-CANREAD-05: each node by the first rule with an opinion on it; the result is the union", async () => {
    const asked: string[][] = [];
    const first = rule(question => [{ node: heat, grant: question }]);
    const second = rule(question => {
      asked.push(question.nodes.map(node => node.nodeId));
      return question.nodes.map(node => ({ node, grant: { categories: categories("momentary"), names: [] } }));
    });
    const admitted = await admission([seesAll, first, second]).read(callerOf(stranger), [water, heat], askAll, never);
    expect(admitted.targets.map(({ node, ask }) => [node.nodeId, ask.categories])).toEqual([
      ["water-1", categories("momentary")],
      ["heat-1", askAll.categories],
    ]);
    expect(asked).toEqual([["water-1"]]);
  });

  it("a denial is an opinion: a later rule cannot grant what an earlier one denied", async () => {
    const deny = rule(question => question.nodes.map(node => ({ node, deny: "no" })));
    const grant = rule(question => question.nodes.map(node => ({ node, grant: question })));
    expect(await kind(admission([seesAll, deny, grant]).read(callerOf(stranger), [heat], askAll, never))).toBe(
      "denied",
    );
  });

  it("a rule that throws or hangs has no opinion, is logged, and in the end refuses", async () => {
    const events: LogEvent[] = [];
    const broken = rule(() => {
      throw new Error("database gone");
    });
    const throwing = admission([seesAll, broken], events);
    expect(await kind(throwing.read(callerOf(stranger), [heat], askAll, never))).toBe("denied");
    expect(events.map(one => one.event)).toEqual(["rule-failed", "DecisionDenied"]);

    const clock = manualClock();
    const hanging: Rule = {
      name: "hangs",
      ask: question => (question.right === "view" ? seesAll.ask(question, never) : new Promise(() => {})),
    };
    const waiting = kind(admission([hanging], events, clock).read(callerOf(stranger), [heat], askAll, never));
    await clock.advance(10_000);
    expect(await waiting).toBe("denied");
  });

  it("the asker's abort is the end of it, not an opinion", async () => {
    const stop = new AbortController();
    const hanging: Rule = {
      name: "hangs",
      ask: question => (question.right === "view" ? seesAll.ask(question, never) : new Promise(() => {})),
    };
    const waiting = admission([hanging]).read(callerOf(stranger), [heat], askAll, stop.signal);
    waiting.catch(() => {});
    stop.abort(new Error("left"));
    await expect(waiting).rejects.toThrow("left");
  });

  it("SD-REQ-03, SD-REQ-06: no nodes, or no category, is nothing asked and nothing refused to who may read", async () => {
    const { read } = admission([seesAll, rule(question => question.nodes.map(node => ({ node, grant: question })))]);
    expect((await read(callerOf(stranger), [], askAll, never)).targets).toEqual([]);
    const none = await read(callerOf(stranger), [heat], { ...askAll, categories: noCategories }, never);
    expect(none.targets[0]?.ask.categories).toEqual(noCategories);
  });

  it("what is admitted cannot be changed afterwards", async () => {
    const { control } = admission([seesAll, rule(question => question.nodes.map(node => ({ node, grant: question })))]);
    const admitted = await control(callerOf(stranger), [heat], ["Set Point"], never);
    expect(Object.isFrozen(admitted)).toBe(true);
    expect(Object.isFrozen(admitted.targets)).toBe(true);
    expect(Object.isFrozen(admitted.targets[0])).toBe(true);
  });

  it("PROV-CANREAD-02, -03: whatever a rule answers, no more is admitted than was asked", async () => {
    const names = fc.subarray(["Energy", "Flow", "Volume"]);
    const mask = fc.nat(63);
    const opinion = fc.record({ node: fc.constantFrom(heat, water, board, refOf("other")), mask, names });
    await fc.assert(
      fc.asyncProperty(fc.array(opinion), mask, names, async (opinions, askedMask, askedNames) => {
        const ask: Ask = { ...askAll, categories: categoriesOfMask(askedMask), names: askedNames };
        const generous = rule(() =>
          opinions.map(one => ({
            node: one.node,
            grant: { categories: categoriesOfMask(one.mask), names: one.names },
          })),
        );
        const admitted = await admission([seesAll, generous])
          .read(callerOf(stranger), [heat, water], ask, never)
          .catch(error => {
            if (error instanceof Refusal && error.kind === "denied") return undefined;
            throw error;
          });
        for (const target of admitted?.targets ?? []) {
          expect([heat, water]).toContain(target.node);
          expect(covers(ask.categories, target.ask.categories)).toBe(true);
          if (askedNames.length > 0) {
            expect(target.ask.names.length).toBeGreaterThan(0);
            for (const name of target.ask.names) expect(askedNames).toContain(name);
          }
        }
      }),
    );
  });
});

describe("the rules of the appliance", () => {
  const owners = new Map([["water-1", tenant]]);
  let rootOwner: string | undefined = owner;
  const owning = { ownerOf: (ref: NodeRef) => owners.get(ref.nodeId), rootOwner: () => rootOwner };
  const appliance = admission([
    ownerRule(owning),
    contactsMayView(jid => jid === stranger || jid === "provisioning.example.org"),
  ]);
  const { read, control, visible } = appliance;
  const may = async (jid: string, node: NodeRef) => [
    (await visible(callerOf(jid), [node], never)).size === 1,
    await kind(read(callerOf(jid), [node], askAll, never)),
    await kind(control(callerOf(jid), [node], [], never)),
  ];

  it("COM-AUTH-03: the appliance's owner sees all, reads and controls what nobody else claimed", async () => {
    expect(await may(owner, heat)).toEqual([true, "admitted", "admitted"]);
    expect(await may(owner, board)).toEqual([true, "admitted", "admitted"]);
    expect(await may(owner, water)).toEqual([true, "denied", "denied"]);
  });

  it("COM-AUTH-04: the owner of a node sees, reads and controls that node and no other", async () => {
    expect(await may(tenant, water)).toEqual([true, "admitted", "admitted"]);
    expect(await may(tenant, heat)).toEqual([false, "not-found", "not-found"]);
  });

  const managing = ["edit", "add", "destroy", "execute", "sniff"] as const;
  const rightsOf = async (jid: string, node: NodeRef, from = appliance) => {
    const held: string[] = [];
    for (const right of managing) {
      if ((await from.allowed(callerOf(jid), right, [node], never)).size === 1) held.push(right);
    }
    return held;
  };

  it("COM-AUTH-03: the appliance's owner manages every node, also those of others, and adds at the root of a source", async () => {
    expect(await rightsOf(owner, heat)).toEqual([...managing]);
    expect(await rightsOf(owner, water)).toEqual([...managing]);
    expect(await rightsOf(owner, refOf(""))).toEqual([...managing]);
  });

  it("COM-AUTH-04: the owner of a node runs its commands; he changes its settings only where that is configured", async () => {
    expect(await rightsOf(tenant, water)).toEqual(["execute"]);
    expect(await rightsOf(tenant, heat)).toEqual([]);
    const generous = admission([ownerRule(owning, { ownersEdit: true })]);
    expect(await rightsOf(tenant, water, generous)).toEqual(["edit", "execute"]);
    expect(await rightsOf(tenant, heat, generous)).toEqual([]);
  });

  it("COM-AUTH-02, COM-AUTH-07: contacts manage nothing", async () => {
    expect(await rightsOf(stranger, heat)).toEqual([]);
  });

  it("COM-ERR-02, COM-ERR-03: an invisible node is not-found before anything is said of rights", async () => {
    expect(await kind(appliance.require(callerOf(tenant), "edit", [heat], never))).toBe("not-found");
    expect(await kind(appliance.require(callerOf(tenant), "edit", [water, heat], never))).toBe("not-found");
    expect(await kind(appliance.require(callerOf(tenant), "edit", [refOf("nothing")], never))).toBe("not-found");
    expect(await kind(appliance.require(callerOf(tenant), "edit", [water], never))).toBe("denied");
    expect(await kind(appliance.require(callerOf(stranger), "add", [refOf("")], never))).toBe("denied");
    expect(await kind(appliance.require(callerOf("nobody@example.org"), "add", [refOf("")], never))).toBe("not-found");
    expect(await appliance.require(callerOf(owner), "edit", [refOf("heat-1"), heat, water], never)).toEqual([
      heat,
      water,
    ]);
    expect(await appliance.require(callerOf(tenant), "view", [water], never)).toEqual([water]);
  });

  it("COM-AUTH-07, -08: contacts, the provisioning service among them, see field devices and no more", async () => {
    expect(await may(stranger, heat)).toEqual([true, "denied", "denied"]);
    expect(await may("provisioning.example.org", heat)).toEqual([true, "denied", "denied"]);
    expect(await may(stranger, board)).toEqual([false, "not-found", "not-found"]);
    expect(meteringTopology).toBe(heat.sourceId);
  });

  it("COM-AUTH-06: before anybody owned anything, nobody may do anything", async () => {
    rootOwner = undefined;
    expect(await may(owner, heat)).toEqual([false, "not-found", "not-found"]);
    rootOwner = owner;
  });
});
