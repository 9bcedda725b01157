// The appliance itself as a thing: how long it runs, how warm, how full and how busy it is, and whether it knows the time.
// What this machine does not have is left out; what it has and does not tell is missing, with the reason.

import * as z from "zod";
import type { Device, Driver, NodeType } from "#contract/driver.ts";
import { type Ask, isAsked, type Sample } from "#contract/field.ts";
import { pollSeconds } from "#contract/settings.ts";
import { type Place, readBoard, thisMachine } from "./facts.ts";

const settings = z.object({
  folder: z
    .string()
    .min(1)
    .max(4096)
    .startsWith("/", "an absolute path")
    .default("/")
    .meta({ title: "Folder", description: "The disk watched is the one this folder lies on." }),
  pollSeconds: pollSeconds(300),
});

export const boardDriver: Driver = createBoardDriver(thisMachine);

/** `place` says where the machine's own files lie: elsewhere in tests. */
export function createBoardDriver(place: Place): Driver {
  const appliance: NodeType<typeof settings> = {
    name: "board.appliance",
    title: "The appliance",
    parents: [""],
    settings,
    inherits: ["Appliance"],
    async open({ folder }, { clock }) {
      async function* read(ask: Ask, signal: AbortSignal): AsyncGenerator<Sample> {
        signal.throwIfAborted();
        const fields = await readBoard(place, folder);
        signal.throwIfAborted();
        yield { at: clock.now(), fields: fields.filter(field => isAsked(field, ask)) };
      }
      const device: Device = { read, async [Symbol.asyncDispose]() {} };
      return device;
    },
  };
  return { name: "board", nodeTypes: [appliance] };
}
