// Steps 5 and 6 of the story: control with a result that is read back, and a line that is cut in the middle of a readout.

import { parseNode } from "#contract/node.ts";
import { describeQuestion } from "../commands/owner.ts";
import { type Checks, demand, until } from "./checks.ts";
import { deadNodes } from "./serial-devices.ts";
import { collect, readings, refusalOf } from "./story-decision.ts";
import type { World } from "./world.ts";

const settleMs = 30_000;
const wantedPoint = 22.5;

export async function faultSteps(world: World, { step, check }: Checks, signal: AbortSignal): Promise<void> {
  step("Step 5: the owner sets the thermostat");
  const owner = await world.client("owner");
  const stranger = await world.client("stranger");
  const inbox = collect(owner);
  const thermostat = [parseNode("thermostat-2")];
  await check("the owner claims the thermostat", async () => {
    const uri = (await world.status()).nodes.find(one => one.ref.nodeId === "thermostat-2")?.thing?.uri ?? "";
    return (await owner.owner.claim(uri, true, signal)).ref.nodeId;
  });
  await check("the device takes the set point, and the result is read back", async () => {
    const values = [{ name: "Set Point", value: { kind: "double", value: wantedPoint } }] as const;
    const done = await owner.things.set(await owner.appliance(signal), thermostat, values, signal);
    demand(
      done.parameters.includes("Set Point") && world.setPoint() === wantedPoint,
      `the device has ${world.setPoint()}`,
    );
    const read = await world.readText(owner, ["thermostat-2"], ["Set Point"], signal);
    demand(read.includes(wantedPoint.toFixed(1)), read);
    return `device ${world.setPoint()}, read back ${read}`;
  });
  await check("the stranger's attempt is refused, and the device keeps its set point", async () => {
    await until(
      "claimed",
      settleMs,
      signal,
      async () => (await world.status()).nodes.find(one => one.ref.nodeId === "thermostat-2")?.thing?.owner,
    );
    const values = [{ name: "Set Point", value: { kind: "double", value: 30 } }] as const;
    const to = await stranger.appliance(signal, world.applianceJid());
    const said = await refusalOf(stranger.things.set(to, thermostat, values, signal));
    demand(said === "forbidden" && world.setPoint() === wantedPoint, `${said}, the device has ${world.setPoint()}`);
    return `${said}, the device has ${world.setPoint()}`;
  });
  await check("the owner is asked about it", async () =>
    describeQuestion(await inbox.next("canControl", stranger, signal)),
  );

  step("Step 6: the meter's line is cut during a readout");
  await check("the readout ends with a fault for that node and values for the others", async () => {
    world.cutDuringNextAnswer();
    const found = await readings(world, owner, [], signal, ["heat-3", "energy-1", "thermostat-2"]);
    const faults = found.flatMap(one => (one.kind === "fault" ? [`${one.node.nodeId}: ${one.message}`] : []));
    const read = new Set(found.flatMap(one => (one.kind === "reading" ? [one.node.nodeId] : [])));
    demand(
      faults.some(one => one.startsWith("heat-3")) &&
        read.has("energy-1") &&
        read.has("thermostat-2") &&
        !read.has("heat-3"),
      `faults ${faults.join("; ")}; read ${[...read].join(", ")}`,
    );
    return `fault ${faults.join("; ")}; values of ${[...read].join(", ")}`;
  });
  await check("the node shows the error", async () => {
    const found = await until("error shown", settleMs, signal, async () =>
      (await world.status()).nodes.find(one => one.ref.nodeId === "heat-3" && one.state.startsWith("Error")),
    );
    return `${found.state}: ${found.message}`;
  });
  await check("the line comes back by itself", async () => {
    await world.restoreLine();
    await until("line well", settleMs * 2, signal, () =>
      world.statusWhere(one =>
        one.nodes.every(({ ref, state }) => deadNodes.includes(ref.nodeId) || !state.startsWith("Error")),
      ),
    );
    return await world.readText(owner, ["heat-3"], ["Energy"], signal);
  });
}
