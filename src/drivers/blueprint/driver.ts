// An empty driver that compiles and passes the suite: copy the folder, rename, and replace what is between the lines and
// the device. docs/adding-a-driver.md walks through it step by step.

import * as z from "zod";
import { within } from "#base/deadline.ts";
import { createTurns, type TurnOrder } from "#base/turns.ts";
import type { Device, Driver, Env, NodeType } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import { type Ask, categories, type Field, type Sample } from "#contract/field.ts";
import { host, pollSeconds, tcpPort, timeoutMs, unitAddress } from "#contract/settings.ts";
import { lineQueueMax } from "#limits.ts";
import { counterFacts } from "../device-facts.ts";
import { identitySettings, identityTags } from "../identity.ts";
import { owning } from "../line-ownership.ts";
import { tcpLineKey } from "../tcp-channel.ts";

/** What a line does for its units: one exchange at a time, whoever asks. It is a device like any other. */
interface BlueprintLine extends Device {
  exchange(request: number, order: TurnOrder, signal: AbortSignal): Promise<number>;
}

const lineSettings = z.object({ host, port: tcpPort(4000), timeoutMs: timeoutMs(1_000) });

const line: NodeType<typeof lineSettings, unknown, BlueprintLine> = {
  // Public API: never renamed once released.
  name: "blueprint.line",
  title: "Blueprint line",
  parents: [""],
  settings: lineSettings,
  // The addresses of its children repeat from line to line.
  line: true,
  inherits: ["Line"],
  // First the line becomes ours: a second node on the same line is refused by our name.
  open: (settings, env) => owning(env, tcpLineKey(settings), async () => openLine(settings, env)),
};

/** Here a driver connects. It throws `DeviceFault` unreachable when it cannot, and the tree tries again later. */
function openLine(settings: z.output<typeof lineSettings>, { clock }: Env): BlueprintLine {
  const turns = createTurns(lineQueueMax);
  let closed = false;
  return {
    exchange: (request, order, signal) =>
      turns.take(order, signal, () =>
        within(clock, settings.timeoutMs, "unit", signal, async () => {
          if (closed) throw new DeviceFault("unreachable", "The line is closed.");
          // Here a driver writes a frame and waits for the answer, and turns `TimeoutError` into `DeviceFault` timeout.
          return request * 2;
        }),
      ),
    describe: () => counterFacts({ waiting: turns.waiting }),
    // A driver of a real line has `closed` too: a promise that settles with the fault when the connection is lost.
    async [Symbol.asyncDispose]() {
      closed = true;
    },
  };
}

const unitSettings = z.object({ address: unitAddress(1, 250), pollSeconds: pollSeconds(900), ...identitySettings });

const unit: NodeType<typeof unitSettings, BlueprintLine> = {
  name: "blueprint.unit",
  title: "Blueprint unit",
  parents: ["blueprint.line"],
  settings: unitSettings,
  // A thing is registered and can be claimed on its own.
  thing: true,
  inherits: ["Meter", "Device"],
  // What the label says; what the driver knows by itself stands behind it.
  tags: settings => identityTags(settings, { class: "Meter" }),
  // Opening a unit sends nothing: a unit that is silent now must not keep the others from being opened.
  async open({ address }, { clock, parent }) {
    async function* read(ask: Ask, signal: AbortSignal): AsyncGenerator<Sample> {
      const answer = await parent.exchange(address, ask.order ?? "read", signal);
      // The time of measurement: the device's own where it has one, else now. More fields than asked for do no harm.
      yield { at: clock.now(), fields: [asField(answer)] };
    }
    return { read, async [Symbol.asyncDispose]() {} };
  },
};

export const blueprintDriver: Driver = { name: "blueprint", nodeTypes: [line, unit] };

/** Bytes to fields is a pure function in a file of its own as soon as it is more than this. */
const asField = (answer: number): Field => ({
  name: "Energy",
  value: { kind: "quantity", value: answer, decimals: 0, unit: "kWh" },
  categories: categories("momentary"),
  quality: { automaticReadout: true },
});
