import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TreeChange } from "#concentrator/notices.ts";
import type { Device, Env } from "#contract/driver.ts";
import { DeviceFault, Refusal } from "#contract/faults.ts";
import { meteringTopology } from "#contract/node.ts";
import { callerOf, owner, refOf, scene, telling } from "./scene.ts";

const refusal = (work: () => unknown): Refusal => {
  try {
    work();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error("nothing was refused");
};

describe("nodes", () => {
  it("a device hangs what it found below itself, all or none; what is there stays; the partition is its line", async () => {
    const { add, plans, start, stop, tree } = scene();
    let env: Env<Device | undefined> | undefined;
    plans.set("finds", async given => {
      env = given;
      return {};
    });
    const line = add("test.line", "attic", { plan: "finds" });
    add("test.device", "known", {}, "attic");
    await start();
    const child = (id: string, settings: Record<string, unknown> = {}) => ({ type: "test.device", id, settings });
    expect(refusal(() => env?.addBelow?.([child("new-1"), child("new-2", { serial: 0.5 })])).kind).toBe(
      "not-acceptable",
    );
    expect(tree.find(refOf("new-1"))).toBeUndefined();
    expect(env?.addBelow?.([child("new-1"), child("known")])).toEqual({ created: ["new-1"], present: ["known"] });
    expect(tree.find(refOf("new-1"))?.ref).toEqual(refOf("new-1", "attic"));
    await tree.destroy(line);
    expect(refusal(() => env?.addBelow?.([child("new-3")])).kind).toBe("not-found");
    await stop();
  });

  it("a child's partition is the nearest line above it; a NodeId is unique in its source", () => {
    const { add, tree } = scene();
    add("sim.line", "attic");
    add("sim.line", "cellar");
    expect(add("sim.meter", "heat-1", {}, "attic")).toEqual(refOf("heat-1", "attic"));
    expect(add("sim.meter", "alone")).toEqual(refOf("alone"));
    const taken = refusal(() => add("sim.meter", "heat-1", {}, "cellar"));
    expect([taken.kind, taken.parameters[0]?.name]).toEqual(["conflict", "NodeId"]);
    expect(tree.find(refOf("heat-1"))?.ref.partition).toBe("attic");
    expect(tree.find({ nodeId: "heat-1", sourceId: "", partition: "" })?.ref.partition).toBe("attic");
    expect(tree.find(refOf("heat-1", "cellar"))).toBeUndefined();
  });

  it("CON-NEW-01, CON-EDIT-05: refuses unknown types, wrong places, names and settings, and says which setting", () => {
    const { add, tree } = scene();
    expect(refusal(() => add("no.such", "a")).kind).toBe("not-found");
    add("sim.meter", "meter");
    expect(refusal(() => add("sim.meter", "a", {}, "meter")).kind).toBe("not-found");
    expect(refusal(() => add("sim.meter", "a", {}, "nowhere")).kind).toBe("not-found");
    expect(refusal(() => add("sim.meter", " ")).parameters[0]?.name).toBe("NodeId");
    expect(refusal(() => add("sim.meter", "a\u0000b")).kind).toBe("not-acceptable");
    const wrong = refusal(() => add("sim.meter", "a", { fields: 0, latencyMs: "soon" }));
    expect(wrong.parameters.map(one => one.name)).toEqual(["fields", "latencyMs"]);
    expect(tree.sources.get(meteringTopology)?.nodes.size).toBe(1);
  });

  it("a site is created all or nothing, and again without effect", () => {
    const { tree, edge } = scene();
    const site = [
      { type: "sim.line", id: "attic", nodes: [{ type: "sim.meter", id: "a", tags: { ROOM: "3" } }] },
      { type: "sim.meter", id: "b", name: "Meter B" },
    ];
    const bad = refusal(() =>
      tree.import(meteringTopology, [...site, { type: "sim.meter", id: "c", settings: { fields: -1 } }]),
    );
    expect(bad.kind).toBe("not-acceptable");
    expect(edge.prepare("SELECT count(*) FROM nodes").pluck().get()).toBe(0);
    expect(
      refusal(() =>
        tree.import(meteringTopology, [
          { type: "sim.meter", id: "x" },
          { type: "sim.meter", id: "x" },
        ]),
      ).kind,
    ).toBe("conflict");

    expect(tree.import(meteringTopology, site).created.map(ref => ref.nodeId)).toEqual(["attic", "a", "b"]);
    const again = tree.import(meteringTopology, [...site, { type: "sim.meter", id: "d" }]);
    expect(again.created.map(ref => ref.nodeId)).toEqual(["d"]);
    expect(again.present.map(ref => ref.nodeId)).toEqual(["attic", "a", "b"]);
    expect(tree.things().map(thing => [thing.ref.nodeId, thing.tags.at(-1)?.name])).toEqual([
      ["a", "ROOM"],
      ["b", "MODEL"],
      ["d", "MODEL"],
    ]);
  });

  it("are on the disk before create returns: a killed program finds them again, in order, with all they had", () => {
    const first = scene();
    first.tree.import(meteringTopology, [
      {
        type: "sim.line",
        id: "attic",
        nodes: [
          { type: "sim.meter", id: "b", settings: { fields: 7 } },
          { type: "sim.meter", id: "a" },
        ],
      },
    ]);
    // Neither stopped nor closed.
    const second = first.restart();
    const attic = second.tree.find(refOf("attic"));
    expect([...(attic?.children ?? [])].map(node => node.ref.nodeId)).toEqual(["b", "a"]);
    expect(second.tree.find(refOf("b"))?.settings).toMatchObject({ fields: 7, pollSeconds: 0 });
    expect(second.tree.things()).toEqual(first.tree.things());
  });

  it("when the store cannot write, nothing is created or destroyed", async () => {
    const { add, tree, edge } = scene();
    add("sim.meter", "a");
    edge.exec("CREATE TRIGGER full BEFORE INSERT ON nodes BEGIN SELECT RAISE(ABORT, 'disk full'); END");
    edge.exec("CREATE TRIGGER stuck BEFORE DELETE ON nodes BEGIN SELECT RAISE(ABORT, 'disk full'); END");
    expect(() => add("sim.meter", "b")).toThrow("disk full");
    expect(tree.find(refOf("b"))).toBeUndefined();
    await expect(tree.destroy(refOf("a"))).rejects.toThrow("disk full");
    expect(tree.find(refOf("a"))).toBeDefined();
  });

  it("CON-DEL-01, -02: destroying takes the subtree, descendants first, and closes its devices", async () => {
    const one = scene();
    one.plans.set("p", telling());
    one.add("test.line", "attic", { plan: "p" });
    one.add("test.device", "a", { plan: "p" }, "attic");
    one.add("test.device", "b", { plan: "p" }, "attic");
    await one.start();
    expect(one.openNow.get("p")).toBe(3);
    const changes = one.tree.changes(AbortSignal.timeout(50));
    await one.tree.destroy(refOf("attic"));
    const seen: TreeChange[] = [];
    for await (const change of changes) seen.push(change);
    expect(seen.map(({ kind, node }) => `${kind} ${node.nodeId}`)).toEqual(["removed b", "removed a", "removed attic"]);
    expect(one.openNow.get("p")).toBe(0);
    expect(one.edge.prepare("SELECT count(*) FROM nodes").pluck().get()).toBe(0);
    await expect(one.tree.destroy(refOf("attic"))).rejects.toMatchObject({ kind: "not-found" });
    await one.clock.advance(600_000);
    expect(one.openNow.get("p")).toBe(0);
    await one.stop();
  });

  it("of a type no driver has, or with settings that no longer fit, stay: faulted, named, never opened", async () => {
    const first = scene();
    first.add("sim.meter", "old");
    first.add("sim.meter", "odd");
    first.edge.exec("UPDATE nodes SET type = 'gone.meter' WHERE node = 'old'");
    first.edge.exec("UPDATE nodes SET settings = '{\"fields\":-5}' WHERE node = 'odd'");
    const second = first.restart();
    await second.start();
    const info = await second.concentrator.node(callerOf(owner), refOf("old"));
    expect([info.state, info.messages[0]?.text]).toEqual([
      "ErrorUnsigned",
      "No driver of this version has the node type gone.meter.",
    ]);
    const odd = await second.concentrator.node(callerOf(owner), refOf("odd"));
    expect(odd.messages[0]?.text).toContain("fields");
    const readings = await second.read(["odd"]);
    expect(readings).toMatchObject([{ kind: "fault" }]);
    await second.stop();
  });

  it("CON-EVT-01: times of change grow strictly per source, whatever the clock does", async () => {
    const { add, tree } = scene();
    const changes = tree.changes(AbortSignal.timeout(50));
    for (const id of ["a", "b", "c"]) add("sim.meter", id);
    const times: number[] = [];
    for await (const change of changes) times.push(change.at);
    expect(times).toHaveLength(3);
    expect(times.every((at, index) => index === 0 || at > (times[index - 1] as number))).toBe(true);
  });
});

describe("devices", () => {
  it("starting never waits for the field side: a device that hangs while opening is given up and tried again", async () => {
    const one = scene();
    let attempts = 0;
    one.plans.set("hangs", () => {
      attempts++;
      return new Promise(() => {});
    });
    one.add("test.device", "hangs", { plan: "hangs" });
    one.add("test.device", "works");
    await one.start();
    expect(one.tree.find(refOf("works"))?.opened).toBeDefined();
    expect((await one.concentrator.node(callerOf(owner), refOf("hangs"))).state).toBe("None");
    await one.clock.advance(30_000);
    const info = await one.concentrator.node(callerOf(owner), refOf("hangs"));
    expect(info.messages).toMatchObject([{ type: "Error", eventId: "timeout" }]);
    await one.clock.advance(2_000);
    expect(attempts).toBe(2);
    await one.stop();
  });

  it("a device that opens after it was given up is closed again", async () => {
    const one = scene();
    let open = (_device: Partial<Device>) => {};
    one.plans.set("late", () => new Promise(resolve => (open = resolve)));
    one.add("test.device", "late", { plan: "late" });
    await one.start();
    await one.clock.advance(30_000);
    open({});
    await one.clock.advance(1);
    expect(one.openNow.get("late")).toBe(0);
    expect(one.tree.find(refOf("late"))?.opened).toBeUndefined();
    await one.stop();
  });

  it("a line that cannot be opened marks itself and its children; when it opens, one Information each, and no more events", async () => {
    const one = scene();
    let broken = true;
    one.plans.set("line", async () => {
      if (broken) throw new DeviceFault("unreachable", "attic-converter:10001 refuses the connection.");
      return {};
    });
    one.add("test.line", "attic", { plan: "line" });
    one.add("test.device", "heat-1", {}, "attic");
    await one.start();
    const messages = async (id: string) =>
      (await one.concentrator.node(callerOf(owner), refOf(id))).messages.map(({ type, eventId, text }) => [
        type,
        eventId,
        text,
      ]);
    expect(await messages("attic")).toEqual([
      ["Error", "unreachable", "attic-converter:10001 refuses the connection."],
    ]);
    expect(await messages("heat-1")).toEqual([
      ["Error", "line-lost", "attic: attic-converter:10001 refuses the connection."],
    ]);
    const stop = new AbortController();
    const changes: string[] = [];
    const listening = (async () => {
      for await (const { kind, node } of one.tree.changes(stop.signal)) changes.push(`${kind} ${node.nodeId}`);
    })();
    await one.clock.advance(300_000);
    expect(changes).toEqual([]);
    broken = false;
    await one.clock.advance(75_000);
    expect(await messages("attic")).toEqual([["Information", "recovered", "Works again."]]);
    expect(await messages("heat-1")).toEqual([["Information", "recovered", "Works again."]]);
    expect(changes).toEqual(["status attic", "status heat-1"]);
    stop.abort();
    await listening;
    await one.stop();
  });

  it("reopening waits 1 s at first and never more than about a minute", async () => {
    const one = scene();
    const times: number[] = [];
    one.plans.set("dead", async ({ clock }) => {
      times.push(clock.monotonic());
      throw new DeviceFault("unreachable", "no");
    });
    one.add("test.device", "dead", { plan: "dead" });
    await one.start();
    await one.clock.advance(900_000);
    const waits = times.slice(1).map((time, index) => time - (times[index] as number));
    expect(waits[0]).toBeGreaterThanOrEqual(750);
    expect(waits[0]).toBeLessThanOrEqual(1_250);
    expect(Math.max(...waits)).toBeLessThanOrEqual(75_000);
    expect(times.length).toBeGreaterThan(15);
    await one.stop();
  });

  it("a settled `closed` takes the children down, closes once, and reopens all", async () => {
    const one = scene();
    let lose = (_fault: DeviceFault) => {};
    const parents: unknown[] = [];
    let disposed = 0;
    one.plans.set("line", async () => ({
      closed: new Promise<DeviceFault>(resolve => (lose = resolve)),
      [Symbol.asyncDispose]: async () => {
        disposed++;
      },
    }));
    one.plans.set("child", async ({ parent }) => {
      parents.push(parent);
      return {};
    });
    one.add("test.line", "attic", { plan: "line" });
    one.add("test.device", "heat-1", { plan: "child" }, "attic");
    await one.start();
    const before = one.tree.find(refOf("heat-1"))?.opened;
    lose(new DeviceFault("unreachable", "The adapter was unplugged."));
    await one.clock.advance(1);
    expect(before?.signal.aborted).toBe(true);
    expect(before?.signal.reason).toBeInstanceOf(DeviceFault);
    expect(one.tree.find(refOf("heat-1"))?.opened).toBeUndefined();
    expect(disposed).toBe(1);
    await one.clock.advance(2_000);
    expect(one.openNow.get("line")).toBe(1);
    expect(one.openNow.get("child")).toBe(1);
    expect(parents).toHaveLength(2);
    expect(parents[0]).not.toBe(parents[1]);
    await one.stop();
    expect(one.openNow.get("line")).toBe(0);
  });

  it("whatever is lost, slow, failing or destroyed in whatever order: never two openings of one node at once", async () => {
    const step = fc.constantFrom("lose line", "lose child", "wait", "long wait", "fail", "work", "slow");
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async steps => {
        const one = scene();
        let mode = "work";
        const lose = new Map<string, (fault: DeviceFault) => void>();
        const present = new Map<string, number>();
        const plan =
          (name: string) =>
          async ({ clock }: { clock: typeof one.clock }, signal: AbortSignal) => {
            if (mode === "slow") await clock.sleep(5_000, signal);
            if (mode === "fail") throw new DeviceFault("unreachable", "no");
            present.set(name, (present.get(name) ?? 0) + 1);
            expect(present.get(name)).toBe(1);
            let gone = false;
            return {
              closed: new Promise<DeviceFault>(resolve => lose.set(name, resolve)),
              [Symbol.asyncDispose]: async () => {
                if (!gone) present.set(name, (present.get(name) ?? 0) - 1);
                gone = true;
              },
            };
          };
        one.plans.set("line", plan("line") as never);
        one.plans.set("child", plan("child") as never);
        one.add("test.line", "attic", { plan: "line" });
        one.add("test.device", "heat-1", { plan: "child" }, "attic");
        await one.start();
        for (const now of steps) {
          if (now.startsWith("lose")) lose.get(now.slice(5))?.(new DeviceFault("unreachable", now));
          else if (now === "wait") await one.clock.advance(700);
          else if (now === "long wait") await one.clock.advance(70_000);
          else mode = now;
        }
        mode = "work";
        await one.clock.advance(200_000);
        expect([present.get("line"), present.get("child")]).toEqual([1, 1]);
        expect(one.events.filter(({ level }) => level === "error")).toEqual([]);
        await one.stop();
        expect([present.get("line"), present.get("child")]).toEqual([0, 0]);
      }),
      { numRuns: 40 },
    );
  });

  it("a physical line has one owner: the second is refused by the first one's name, and gets it when that is gone", async () => {
    const one = scene();
    one.plans.set("port", async ({ own }) => {
      const lease = own("serial:/dev/ttyUSB0");
      return { [Symbol.asyncDispose]: async () => lease[Symbol.dispose]() };
    });
    one.add("test.line", "first", { plan: "port" });
    one.add("test.line", "second", { plan: "port" });
    await one.start();
    const second = await one.concentrator.node(callerOf(owner), refOf("second"));
    expect(second.messages[0]?.text).toBe("/dev/ttyUSB0 is in use by the node first.");
    await one.tree.destroy(refOf("first"));
    await one.clock.advance(2_000);
    expect(one.tree.find(refOf("second"))?.opened).toBeDefined();
    await one.stop();
  });

  it("a driver that forgets to give its line back does not keep it", async () => {
    const one = scene();
    let lose = (_fault: DeviceFault) => {};
    one.plans.set("leaky", async ({ own }) => {
      own("tcp:converter:10001");
      return { closed: new Promise<DeviceFault>(resolve => (lose = resolve)) };
    });
    one.add("test.line", "attic", { plan: "leaky" });
    await one.start();
    lose(new DeviceFault("unreachable", "cut"));
    await one.clock.advance(2_000);
    expect(one.tree.find(refOf("attic"))?.opened).toBeDefined();
    await one.stop();
  });

  it("a device that hangs while closing is left behind after a bound, and the program ends", async () => {
    const one = scene();
    one.plans.set("stuck", async () => ({ [Symbol.asyncDispose]: () => new Promise<void>(() => {}) }));
    one.add("test.device", "stuck", { plan: "stuck" });
    await one.start();
    await one.stop();
    expect(one.events.map(({ event }) => event)).toContain("device-not-closed");
  });

  it("a bug in a driver is logged whole, and its node says so without internals", async () => {
    const one = scene();
    one.plans.set("bug", async () => {
      throw new TypeError("Cannot read properties of undefined (reading 'secret')");
    });
    one.add("test.device", "bug", { plan: "bug" });
    await one.start();
    const [message] = (await one.concentrator.node(callerOf(owner), refOf("bug"))).messages;
    expect(message).toMatchObject({ eventId: "internal", type: "Error" });
    expect(message?.text).not.toContain("undefined");
    expect(
      one.events.some(({ event, facts }) => event === "driver-failed" && String(facts.stack).includes("TypeError")),
    ).toBe(true);
    await one.stop();
  });

  it("messages and the state of nodes survive a restart", async () => {
    const first = scene();
    first.plans.set("dead", async () => {
      throw new DeviceFault("timeout", "No answer within 2 s.");
    });
    first.add("test.device", "dead", { plan: "dead" });
    await first.clock.advance(5);
    await first.start();
    await first.stop();
    const second = first.restart();
    const info = await second.concentrator.node(callerOf(owner), refOf("dead"));
    expect([info.state, info.messages[0]?.text]).toEqual(["ErrorUnsigned", "No answer within 2 s."]);
    expect((await second.concentrator.sources(callerOf(owner)))[0]?.lastChanged).toBe(info.messages[0]?.at);
  });
});
