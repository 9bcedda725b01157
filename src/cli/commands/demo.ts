// `isthmus demo`: a whole house on this machine: broker, registry, simulated devices and the appliance.

import { systemClock } from "#base/clock.ts";
import { LabError } from "#lab/child.ts";
import { type CommandBody, CommandError } from "../command.ts";
import { playStory } from "../demo/story.ts";
import { startWorld, type World } from "../demo/world.ts";
import { createOutput, screenOf } from "../output.ts";
import { qrCode } from "../qr-code.ts";
import { printStatus, type Status } from "../status-text.ts";

export const demo: CommandBody = {
  usage: "[--once]",
  details:
    "Ctrl-C ends it and leaves nothing behind. In another terminal, `isthmus … --as owner` and `--as stranger` are its people.",
  options: { once: { type: "boolean", help: "Play the story unattended, check each step, and end." } },
  words: [0, 0],
  async run(call) {
    const print = (line: string) => process.stdout.write(`${line}\n`);
    try {
      print("Starting broker, registry, devices and appliance …");
      await using world = await startWorld(print, call.signal);
      if (call.flag("once")) return await playStory(world, print, call.signal);
      await show(world, print, call.signal);
      return 0;
    } catch (error) {
      if (error instanceof LabError) throw new CommandError(error.message);
      throw error;
    }
  },
};

const lookEveryMs = 2_000;
/** Until there is something to show. */
const firstLookMs = 200;

/** The table and codes once, then the table again whenever something in it changed. */
async function show(world: World, print: (line: string) => void, signal: AbortSignal): Promise<void> {
  const out = createOutput(false, text => process.stdout.write(text), screenOf(process.stdout, process.env));
  let before = "";
  let first = true;
  while (!signal.aborted) {
    const status = await world.status().catch(() => undefined);
    const shape = status === undefined ? "" : shapeOf(status);
    const complete = status?.nodes.every(({ thing }) => thing === undefined || thing.state !== "unregistered");
    if (status !== undefined && shape !== before && (complete || !first)) {
      print(`\n${new Date(systemClock.now()).toISOString()}`);
      printStatus(status, out, first ? qrCode : undefined);
      if (first) for (const line of hints(world)) print(line);
      before = shape;
      first = false;
    }
    await systemClock.sleep(first ? firstLookMs : lookEveryMs, signal).catch(() => {});
  }
}

const shapeOf = ({ connection, registry, nodes }: Status): string =>
  JSON.stringify([
    connection.phase,
    registry,
    nodes.map(({ ref, state, thing, message }) => [ref.nodeId, state, thing?.owner, message]),
  ]);

const hints = (world: World): string[] => [
  "",
  "In another terminal, in this folder:",
  "  ./bin/isthmus.mjs owner claim --as owner 'iotdisco:…'    with the code of the heat meter above",
  "  ./bin/isthmus.mjs read heat-3 --as owner",
  "  ./bin/isthmus.mjs read heat-3 --as stranger               is refused, and the owner is asked",
  "  ./bin/isthmus.mjs owner questions --as owner",
  `The appliance is ${world.applianceJid()}. Ctrl-C ends the demonstration.`,
];
