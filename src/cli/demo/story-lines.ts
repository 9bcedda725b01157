// Step 7 of the story: the serial lines with a dead device each and a noisy meter, and what the bus doctor says of them.

import type { QueryItem } from "#client/queries.ts";
import { parseNode } from "#contract/node.ts";
import type { Client } from "../connect.ts";
import { type Checks, demand } from "./checks.ts";
import { readings } from "./story-decision.ts";
import type { World } from "./world.ts";

const doctorSeconds = 4;

export async function lineSteps(world: World, { step, check }: Checks, signal: AbortSignal): Promise<void> {
  step("Step 7: serial lines with a dead device each and a noisy meter");
  const owner = await world.client("owner");
  await check("the noisy meter is read all the same, and the dead ones say so at their own cost", async () => {
    const nodes = ["water-11", "heat-12", "gas-13", "pumps-2", "boiler-9"];
    const found = await readings(world, owner, [], signal, nodes);
    const faults = found.flatMap(one => (one.kind === "fault" ? [`${one.node.nodeId}: ${one.message}`] : []));
    const read = [...new Set(found.flatMap(one => (one.kind === "reading" ? [one.node.nodeId] : [])))].sort();
    demand(
      read.join() === "heat-12,pumps-2,water-11" && faults.length === 2,
      `read ${read.join(", ")}; faults ${faults.join("; ")}`,
    );
    return `values of ${read.join(", ")}; faults ${faults.join("; ")}`;
  });
  // Both at once, as `isthmus doctor` does: a line is examined while others are.
  const saying = ["shaft-mbus", "boiler-room"].map(node => examined(owner, world, node, signal));
  for (const one of saying) one.catch(() => {});
  await check("the doctor finds the noisy meter and the dead one on the M-Bus", async () => {
    const said = (await saying[0]) ?? "";
    demand(said.includes("Unit 13 is not there.") && said.includes("Most of all from: 12."), said);
    return said;
  });
  await check("the doctor finds the dead unit on the Modbus line, and nothing wrong with the other", async () => {
    const said = (await saying[1]) ?? "";
    demand(said.includes("Unit 9 is not there.") && !said.includes("Unit 2 "), said);
    return said;
  });
}

/** What a line says of itself, in one line. */
async function examined(owner: Client, world: World, node: string, signal: AbortSignal): Promise<string> {
  const to = await owner.appliance(signal, world.applianceJid());
  const given = { fields: [{ name: "seconds", values: [`${doctorSeconds}`] }] };
  const items: QueryItem[] = [];
  for await (const item of owner.queries.query(to, parseNode(node), "Doctor", given, signal)) items.push(item);
  demand(items.at(-1)?.kind === "done", `the examination ended with ${items.at(-1)?.kind}`);
  return items.flatMap(item => (item.kind === "message" ? [item.text] : [])).join(" ");
}
