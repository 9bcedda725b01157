// Simulated devices for demonstration, load tests and the tests of the concentrator: as many fields as wanted, as slow as
// wanted, silent when told to be. They pretend nothing: the type name says `sim`, the title says simulated.

import * as z from "zod";
import { createTurns, type Turns, type turnOrder } from "#base/turns.ts";
import type { ControlParameter } from "#contract/control.ts";
import type { Device, Driver, Env, NodeType } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import type { Ask, Sample } from "#contract/field.ts";
import { flag, pollSeconds, timeoutMs } from "#contract/settings.ts";
import { lineQueueMax } from "#limits.ts";
import { simulatedFields } from "./fields.ts";

interface SimLine extends Device {
  readonly turns: Turns;
}

const lineSettings = z.object({
  present: flag("Present", "Off pretends that the line is not there.", true),
});

const line: NodeType<typeof lineSettings, unknown, SimLine> = {
  name: "sim.line",
  title: "Simulated line",
  parents: [""],
  settings: lineSettings,
  line: true,
  inherits: ["Line"],
  async open(settings) {
    if (!settings.present) throw new DeviceFault("unreachable", "The simulated line is not there.");
    return { turns: createTurns(lineQueueMax), async [Symbol.asyncDispose]() {} };
  },
};

const meterSettings = z.object({
  fields: z.int().min(1).max(500).default(20).meta({ title: "Fields", description: "How many values the meter has." }),
  latencyMs: z
    .int()
    .min(0)
    .max(600_000)
    .default(0)
    .meta({ title: "Latency (ms)", description: "How long an answer takes.", page: "Timing" }),
  timeoutMs: timeoutMs(2_000),
  failing: z.enum(["never", "silent", "garbled", "absent"]).default("never").meta({
    title: "Failing",
    description: "silent: does not answer; garbled: answers nonsense; absent: cannot be opened.",
  }),
  pollSeconds: pollSeconds(0),
});

const meter: NodeType<typeof meterSettings, SimLine | undefined> = {
  name: "sim.meter",
  title: "Simulated meter",
  parents: ["", "sim.line"],
  settings: meterSettings,
  thing: true,
  inherits: ["Meter", "Device"],
  tags: () => [
    { name: "CLASS", value: "Meter" },
    { name: "MAN", value: "isthmus.example" },
    { name: "MODEL", value: "Simulated" },
  ],
  async open(settings, env) {
    if (settings.failing === "absent") throw new DeviceFault("unreachable", "The simulated meter is not there.");
    return openMeter(settings, env);
  },
};

export const simDriver: Driver = { name: "sim", nodeTypes: [line, meter] };

function openMeter(settings: z.output<typeof meterSettings>, { clock, parent }: Env<SimLine | undefined>): Device {
  let setPoint = 20.5;
  let silent = settings.failing === "silent";
  let closed = false;
  // A meter without a line has one of its own: no device answers two requests at once.
  const turns = parent?.turns ?? createTurns(lineQueueMax);

  const exchange = (order: keyof typeof turnOrder, signal: AbortSignal) =>
    turns.take(order, signal, async () => {
      if (closed) throw new DeviceFault("unreachable", "The simulated meter is closed.");
      if (silent || settings.latencyMs > settings.timeoutMs) {
        await clock.sleep(settings.timeoutMs, signal);
        throw new DeviceFault("timeout", `No answer within ${settings.timeoutMs} ms.`);
      }
      if (settings.latencyMs > 0) await clock.sleep(settings.latencyMs, signal);
      if (settings.failing === "garbled") throw new DeviceFault("garbled", "The answer made no sense.");
    });

  async function* read(ask: Ask, signal: AbortSignal): AsyncGenerator<Sample> {
    await exchange(ask.order ?? "read", signal);
    const at = clock.now();
    yield { at, fields: simulatedFields(settings.fields, at, setPoint) };
  }

  const parameters: ControlParameter[] = [
    {
      name: "Set Point",
      kind: "double",
      label: "Set point",
      unit: "Cel",
      min: 5,
      max: 30,
      get: async () => ({ kind: "double", value: setPoint }),
      async set(value, signal) {
        await exchange("control", signal);
        setPoint = value.value as number;
        return "confirmed";
      },
    },
    {
      name: "Silent",
      kind: "boolean",
      label: "Does not answer",
      get: async () => ({ kind: "boolean", value: silent }),
      // Not an exchange: a silent meter must hear that it shall speak again.
      async set(value) {
        silent = value.value as boolean;
        return "confirmed";
      },
    },
  ];

  return {
    read,
    parameters,
    async [Symbol.asyncDispose]() {
      closed = true;
    },
  };
}
