import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Rule } from "#concentrator/admission.ts";
import { asFieldValue, fitValue } from "#concentrator/control-values.ts";
import type { ControlParameter, ControlValue, WriteOutcome } from "#contract/control.ts";
import { ControlFault, DeviceFault, Refusal } from "#contract/faults.ts";
import { allCategories, formatValue } from "#contract/field.ts";
import { callerOf, never, owner, refOf, type Scene, scene, stranger } from "./scene.ts";

const double = (value: number): ControlValue => ({ kind: "double", value });

/** A device that notes what it is told. `mode` says how it takes it. */
const thermostat =
  (log: string[], name: string, mode: { now: string } = { now: "confirmed" }) =>
  async () => {
    const set =
      (parameter: string) =>
      async (value: ControlValue): Promise<WriteOutcome> => {
        if (mode.now === "refused") throw new DeviceFault("refused", "Illegal data value.");
        if (mode.now === "timeout") throw new DeviceFault("timeout", "No answer within 2 s.");
        if (mode.now === "hangs") return new Promise(() => {});
        log.push(`${name} ${parameter} ${value.value}`);
        return mode.now as WriteOutcome;
      };
    const parameters: ControlParameter[] = [
      { name: "Set Point", kind: "double", label: "Set point", unit: "Cel", min: 5, max: 30, set: set("Set Point") },
      { name: "Mode", kind: "enum", label: "Mode", options: ["heat", "off"], set: set("Mode") },
      { name: "Steps", kind: "int32", label: "Steps", min: 0, max: 10, set: set("Steps") },
    ];
    return { parameters };
  };

const house = async (...names: string[]) => {
  const one = scene({ rules: [setPointOnly] });
  const log: string[] = [];
  const modes = new Map<string, { now: string }>();
  for (const name of names) {
    const mode = { now: "confirmed" };
    modes.set(name, mode);
    one.plans.set(name, thermostat(log, name, mode));
    one.add("test.device", name, { plan: name });
  }
  await one.start();
  return { one, log, modes };
};

/** A stranger may set the set point of the room "a" alone. */
const setPointOnly: Rule = {
  name: "set point only",
  ask: async ({ nodes }) =>
    nodes
      .filter(node => node.nodeId === "a")
      .map(node => ({ node, grant: { categories: allCategories, names: ["Set Point"] } })),
};

const set = async (one: Scene, nodes: string[], values: [string, ControlValue][], jid = owner) => {
  const names = values.map(([name]) => name);
  const refs = nodes.map(nodeId => refOf(nodeId));
  const admitted = await one.concentrator.admitControl(callerOf(jid), refs, names, never);
  return one.concentrator.control(admitted, { values: values.map(([name, value]) => ({ name, value })) }, never);
};
const failure = async (work: Promise<unknown>): Promise<Refusal | ControlFault> => {
  const error = await work.then(
    () => undefined,
    error => error,
  );
  if (error instanceof Refusal || error instanceof ControlFault) return error;
  throw error ?? new Error("it succeeded");
};

describe("control", () => {
  it("CTR-SET-01, -10: every parameter on every node, nodes as listed, parameters in order; the result lists both", async () => {
    const { one, log } = await house("a", "b");
    const done = await set(
      one,
      ["b", "a"],
      [
        ["Mode", { kind: "enum", value: "heat", type: "x" }],
        ["Set Point", double(21.5)],
      ],
    );
    expect(log).toEqual(["b Mode heat", "b Set Point 21.5", "a Mode heat", "a Set Point 21.5"]);
    expect(done).toEqual({ nodes: [refOf("b"), refOf("a")], parameters: ["Mode", "Set Point"] });
    await one.stop();
  });

  it("CTR-SET-05, CTR-ERR-03: one wrong value and nothing is written; every faulty parameter is named", async () => {
    const { one, log } = await house("a", "b");
    const refused = await failure(
      set(
        one,
        ["a", "b"],
        [
          ["Set Point", double(140)],
          ["Mode", { kind: "string", value: "cool" }],
          ["Steps", double(1)],
        ],
      ),
    );
    expect(refused).toMatchObject({
      kind: "bad-request",
      parameters: [
        { name: "Set Point", message: "It takes 5 to 30 Cel." },
        { name: "Mode", message: "It takes one of heat, off." },
        { name: "Steps", message: "It takes a whole number." },
      ],
    });
    const missing = await failure(
      set(
        one,
        ["a"],
        [
          ["Set Point", double(20)],
          ["Colour", double(1)],
        ],
      ),
    );
    expect(missing).toMatchObject({ kind: "not-found", parameters: [{ name: "Colour" }] });
    expect(
      (
        await failure(
          set(
            one,
            ["a"],
            [
              ["Steps", double(1)],
              ["Steps", double(2)],
            ],
          ),
        )
      ).message,
    ).toContain("twice");
    expect(await failure(set(one, ["a"], []))).toMatchObject({ kind: "bad-request" });
    expect(log).toEqual([]);
    await one.stop();
  });

  it("CTR-SET-08: an enumerated value is one of the options, whatever its type is called", async () => {
    const { one, log } = await house("a");
    for (const type of ["", "urn:x:mode", "System.DayOfWeek"]) {
      await set(one, ["a"], [["Mode", { kind: "enum", value: "off", type }]]);
    }
    await set(one, ["a"], [["Mode", { kind: "string", value: "heat" }]]);
    expect(log).toEqual(["a Mode off", "a Mode off", "a Mode off", "a Mode heat"]);
    for (const value of ["Off", "cool", ""]) {
      const error = await failure(set(one, ["a"], [["Mode", { kind: "enum", value, type: "urn:x:mode" }]]));
      expect(error).toMatchObject({ kind: "bad-request", parameters: [{ name: "Mode" }] });
    }
    expect(log).toHaveLength(4);
    await one.stop();
  });

  it("CTR-AUTH-01, CTR-SET-11: what was not granted is left out in silence; nothing left is denied", async () => {
    const { one, log } = await house("a", "b");
    const values: [string, ControlValue][] = [
      ["Mode", { kind: "string", value: "off" }],
      ["Set Point", double(19)],
    ];
    expect(await set(one, ["a", "b"], values, stranger)).toEqual({ nodes: [refOf("a")], parameters: ["Set Point"] });
    expect(log).toEqual(["a Set Point 19"]);
    expect(await failure(set(one, ["b"], values, stranger))).toMatchObject({ kind: "denied" });
    expect(await failure(set(one, ["a"], values.slice(0, 1), stranger))).toMatchObject({ kind: "denied" });
    const admitted = await one.concentrator.admitControl(callerOf(stranger), [refOf("a")], [], never);
    expect(one.concentrator.parameters(admitted).map(parameter => parameter.name)).toEqual(["Set Point"]);
    await one.stop();
  });

  it("CTR-SET-12: a failure after partial writes says what was done and what was not, node by node", async () => {
    const { one, log, modes } = await house("a", "b", "c");
    (modes.get("b") as { now: string }).now = "timeout";
    const fault = await failure(
      set(
        one,
        ["a", "b", "c"],
        [
          ["Set Point", double(20)],
          ["Steps", { kind: "int32", value: 3 }],
        ],
      ),
    );
    expect(fault).toBeInstanceOf(ControlFault);
    expect(fault).toMatchObject({
      done: { nodes: [refOf("a"), refOf("c")], parameters: ["Set Point", "Steps"] },
      failures: [
        { node: refOf("b"), name: "Set Point", message: "No answer within 2 s." },
        { node: refOf("b"), name: "Steps", message: "not written, since Set Point failed" },
      ],
    });
    expect(log).toEqual(["a Set Point 20", "a Steps 3", "c Set Point 20", "c Steps 3"]);
    expect((await one.concentrator.node(callerOf(owner), refOf("b"))).messages).toMatchObject([
      { type: "Error", eventId: "timeout" },
    ]);
    await one.stop();
  });

  it("a device that says no is not broken: a Warning, no Error", async () => {
    const { one, modes } = await house("a");
    (modes.get("a") as { now: string }).now = "refused";
    await failure(set(one, ["a"], [["Set Point", double(20)]]));
    expect(await one.concentrator.node(callerOf(owner), refOf("a"))).toMatchObject({
      state: "WarningUnsigned",
      messages: [{ type: "Warning", eventId: "write-refused", text: "Set Point: Illegal data value." }],
    });
    await one.stop();
  });

  it("CTR-SET-14: a device that hangs is given up in time to answer, and the next caller is not stuck behind it", async () => {
    const { one, log, modes } = await house("a", "b");
    (modes.get("a") as { now: string }).now = "hangs";
    const waiting = failure(set(one, ["a", "b"], [["Set Point", double(20)]]));
    await one.clock.advance(9_000);
    expect(await waiting).toMatchObject({
      failures: [{ node: refOf("a"), message: "Set Point: no answer within 9 s" }],
    });
    (modes.get("a") as { now: string }).now = "confirmed";
    const next = failure(set(one, ["a"], [["Set Point", double(21)]]));
    await one.clock.advance(9_000);
    // The hung write still has the device: the next one waits its bound and is refused, not interleaved.
    expect(await next).toBeInstanceOf(ControlFault);
    expect(log).not.toContain("a Set Point 21");
    await one.stop();
  });

  it("CTR-SET-14: writes of several callers to one device never overlap", async () => {
    const one = scene();
    let now = 0;
    let most = 0;
    one.plans.set("slow", async ({ clock }) => ({
      parameters: [
        {
          name: "Set Point",
          kind: "double",
          label: "Set point",
          async set(_value, signal) {
            most = Math.max(most, ++now);
            await clock.sleep(500, signal);
            now--;
            return "confirmed";
          },
        },
      ],
    }));
    one.add("test.device", "slow", { plan: "slow" });
    await one.start();
    const all = Promise.all([1, 2, 3, 4].map(value => set(one, ["slow"], [["Set Point", double(value)]])));
    await one.clock.advance(2_000);
    expect(await all).toHaveLength(4);
    expect(most).toBe(1);
    await one.stop();
  });

  it("CTR-SET-15: a confirmed value is published, an unconfirmed one is not", async () => {
    const { one, modes } = await house("a");
    await set(one, ["a"], [["Set Point", double(21.5)]]);
    const [latest] = one.history.readings.latest(refOf("a"));
    expect([
      latest?.field.name,
      formatValue(latest?.field.value ?? { kind: "missing", reason: "" }),
      latest?.field.writable,
    ]).toEqual(["Set Point", "21.5 Cel", true]);
    (modes.get("a") as { now: string }).now = "unconfirmed";
    await set(one, ["a"], [["Set Point", double(9)]]);
    expect(one.history.readings.latest(refOf("a"))).toEqual([latest]);
    await one.stop();
  });

  it("COM-AUTH-10, CTR-AUTH-02: each write is in the log: who, where, what it was and what it is, taken or not", async () => {
    const { one, modes } = await house("a");
    await set(one, ["a"], [["Set Point", double(20)]]);
    await set(one, ["a"], [["Set Point", double(21.5)]]);
    (modes.get("a") as { now: string }).now = "refused";
    await failure(set(one, ["a"], [["Set Point", double(22)]]));
    const lines = one.events.filter(({ facts }) => facts.audit === true);
    const common = { audit: true, by: owner, from: `${owner}/test`, nodes: [refOf("a")], parameter: "Set Point" };
    expect(lines.map(({ event, facts }) => ({ event, ...facts }))).toEqual([
      { event: "controlled", ...common, value: "20", outcome: "confirmed" },
      { event: "controlled", ...common, was: "20 Cel", value: "21.5", outcome: "confirmed" },
      { event: "not-controlled", ...common, was: "21.5 Cel", value: "22", error: expect.any(DeviceFault) },
    ]);
    await one.stop();
  });

  it("a device that is not open fails as a device, its parameters known from when it was", async () => {
    const one = scene();
    let cut = (_fault: DeviceFault) => {};
    let back = true;
    const log: string[] = [];
    one.plans.set("a", async () => {
      if (!back) throw new DeviceFault("unreachable", "gone");
      return { ...(await thermostat(log, "a")()), closed: new Promise<DeviceFault>(resolve => (cut = resolve)) };
    });
    one.add("test.device", "a", { plan: "a" });
    await one.start();
    back = false;
    cut(new DeviceFault("unreachable", "gone"));
    await one.clock.advance(10);
    const fault = await failure(set(one, ["a"], [["Set Point", double(20)]]));
    expect(fault).toMatchObject({
      done: { nodes: [] },
      failures: [{ name: "Set Point", message: "The device is not open." }],
    });
    await one.stop();
  });
});

describe("values on their way", () => {
  const parameter = (kind: ControlParameter["kind"], more: Partial<ControlParameter> = {}): ControlParameter => ({
    name: "P",
    kind,
    label: "P",
    set: async () => "confirmed",
    ...more,
  });

  it("CTR-SET-07: widens only where nothing is lost", () => {
    expect(fitValue({ kind: "int32", value: 7 }, parameter("int64"))).toEqual({ value: { kind: "int64", value: 7n } });
    expect(fitValue({ kind: "int32", value: 7 }, parameter("double"))).toEqual({ value: double(7) });
    expect(fitValue({ kind: "date", value: "2031-03-02" }, parameter("dateTime"))).toEqual({
      value: { kind: "dateTime", value: Date.UTC(2031, 2, 2) },
    });
    expect(fitValue({ kind: "int64", value: 2n ** 53n + 1n }, parameter("double"))).toHaveProperty("fault");
    for (const [value, kind] of [
      [double(1), "int32"],
      [{ kind: "boolean", value: true }, "int32"],
      [{ kind: "string", value: "1" }, "double"],
      [{ kind: "dateTime", value: 0 }, "date"],
    ] as const) {
      expect(fitValue(value, parameter(kind))).toHaveProperty("fault");
    }
  });

  it("CTR-SET-09: never clamps: what comes through is what was sent, in range, or it does not come through", () => {
    fc.assert(
      fc.property(fc.double(), fc.integer({ min: -50, max: 0 }), fc.integer({ min: 1, max: 50 }), (sent, min, max) => {
        const fitted = fitValue(double(sent), parameter("double", { min, max }));
        if ("value" in fitted) {
          expect(fitted.value.value).toBe(sent);
          expect(sent).toBeGreaterThanOrEqual(min);
          expect(sent).toBeLessThanOrEqual(max);
        } else expect(sent >= min && sent <= max).toBe(false);
      }),
    );
    const bounds = parameter("int32");
    expect(fitValue({ kind: "int32", value: -(2 ** 31) }, bounds)).toHaveProperty("value");
    expect(fitValue({ kind: "int32", value: 2 ** 31 - 1 }, bounds)).toHaveProperty("value");
    expect(fitValue({ kind: "int32", value: 2 ** 31 }, bounds)).toHaveProperty("fault");
    expect(fitValue({ kind: "int32", value: 1.5 }, bounds)).toHaveProperty("fault");
    expect(fitValue({ kind: "int64", value: 2n ** 63n }, parameter("int64"))).toHaveProperty("fault");
    expect(fitValue({ kind: "color", value: "12345" }, parameter("color"))).toHaveProperty("fault");
    expect(fitValue({ kind: "string", value: "x".repeat(5_000) }, parameter("string"))).toHaveProperty("fault");
  });

  it("a published number has the decimals it was set with", () => {
    const decimals = (value: number) => {
      const field = asFieldValue(double(value));
      return field.kind === "quantity" ? field.decimals : -1;
    };
    expect([21, 21.5, -0.25, 1e-7, 1.5e-7, 1e21].map(decimals)).toEqual([0, 1, 2, 7, 8, 0]);
  });
});
