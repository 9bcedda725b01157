// Steps 1 and 2 of the story: the appliance arrives on the network, and an owner claims it and its heat meter.

import type { NodeRef } from "#contract/node.ts";
import { createOutput, screenOf } from "../output.ts";
import { qrCode } from "../qr-code.ts";
import { ownership, printStatus, type Status } from "../status-text.ts";
import { type Checks, demand, until } from "./checks.ts";
import { deadNodes } from "./serial-devices.ts";
import type { World } from "./world.ts";

const bootMs = 30_000;
const claimMs = 15_000;

export async function claimSteps(world: World, { step, check }: Checks, signal: AbortSignal): Promise<void> {
  step("Step 1: a technician starts the appliance");
  await check("it connects over verified TLS and creates its account", async () => {
    const { connection } = await until("online", bootMs, signal, () =>
      world.statusWhere(one => one.connection.phase === "online"),
    );
    demand(
      connection.jid.startsWith(`demo-`) && connection.jid.includes(`@${world.domain}`),
      `account ${connection.jid}`,
    );
    return connection.jid.split("/")[0] ?? "";
  });
  await check("it finds registry and provisioning on its own domain", async () => {
    const { registry, provisioning } = await until("services", bootMs, signal, () =>
      world.statusWhere(one => one.registry !== "" && one.provisioning !== ""),
    );
    demand(
      registry === world.serviceJid && provisioning === world.serviceJid,
      `registry ${registry}, provisioning ${provisioning}`,
    );
    return registry;
  });
  await check("it registers itself and each of its things, each with its own KEY", async () => {
    const status = await until("all registered", bootMs, signal, () => world.statusWhere(allRegistered));
    const keys = status.nodes.flatMap(({ thing }) => /KEY=([^;]+)/.exec(thing?.uri ?? "")?.[1] ?? []);
    demand(
      keys.length === 5 && new Set(keys).size === 5,
      `${keys.length} codes with ${new Set(keys).size} different keys`,
    );
    return `${keys.length} things with ${new Set(keys).size} different keys`;
  });
  await check("every device of the site answers, but those that are dead", async () => {
    const status = await until("all nodes well", bootMs, signal, () =>
      world.statusWhere(one =>
        one.nodes.every(({ ref, state }) => isDead(ref) || state === "None" || state === "Information"),
      ),
    );
    return `${status.nodes.length} nodes`;
  });
  const status = await world.status();
  printStatus(
    status,
    createOutput(false, text => world.print(text.replace(/\n$/, "")), screenOf(process.stdout, process.env)),
    qrCode,
  );

  step("Step 2: an owner claims the appliance and its heat meter with the codes of their labels");
  for (const node of ["", "heat-3"]) {
    await check(`the owner claims ${node === "" ? "the appliance" : node}`, async () => {
      const owner = await world.client("owner");
      const claimed = await owner.owner.claim(uriOf(status, node), true, signal);
      demand(
        claimed.ref.nodeId === node && claimed.jid === world.applianceJid(),
        `claimed ${claimed.ref.nodeId} of ${claimed.jid}`,
      );
      return `${claimed.jid} ${claimed.ref.nodeId}`.trim();
    });
    await check(`the appliance shows who owns ${node === "" ? "it" : node}`, async () => {
      const found = await until("owner shown", claimMs, signal, async () =>
        (await world.status()).nodes.find(one => one.ref.nodeId === node && one.thing?.owner !== undefined),
      );
      const owner = (await world.client("owner")).bareJid;
      demand(found.thing?.owner === owner && found.thing.uri === undefined, ownership(found));
      return ownership(found);
    });
  }
  await check("a used code claims nothing, and says no more than a wrong one", async () => {
    const stranger = await world.client("stranger");
    const said = await Promise.all(
      [uriOf(status, "heat-3"), uriOf(status, "water-7").replace(/KEY=[^;]+/, `KEY=${"0".repeat(64)}`)].map(uri =>
        stranger.owner.claim(uri, true, signal).then(
          () => "claimed",
          error => (error as Error).message,
        ),
      ),
    );
    demand(said[0] === said[1] && said[0]?.startsWith("item-not-found") === true, said.join(" / "));
    return said[0] ?? "";
  });
  await check("the appliance accepts the owner's presence subscription", async () => {
    const owner = await world.client("owner");
    return await owner.appliance(signal);
  });
  await check("the owner's screen shows a value of the heat meter", async () => {
    const owner = await world.client("owner");
    return await world.readText(owner, ["heat-3"], ["Energy"], signal);
  });
}

const isDead = ({ nodeId }: NodeRef): boolean => deadNodes.includes(nodeId);

const allRegistered = (status: Status): boolean =>
  status.nodes.some(({ thing }) => thing !== undefined) &&
  status.nodes.every(({ thing }) => thing === undefined || thing.uri !== undefined);

function uriOf(status: Status, nodeId: string): string {
  const uri = status.nodes.find(one => one.ref.nodeId === nodeId)?.thing?.uri;
  demand(uri !== undefined, `${nodeId || "the appliance"} shows no code`);
  return uri ?? "";
}
