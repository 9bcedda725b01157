// Steps 3 and 4 of the story: a stranger asks, the owner decides, and what was decided holds while the service is away.

import type { OwnerQuestion } from "#client/questions.ts";
import type { Reading } from "#contract/field.ts";
import { describeNode, parseNode } from "#contract/node.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { describeQuestion } from "../commands/owner.ts";
import type { Client } from "../connect.ts";
import type { Status } from "../status-text.ts";
import { type Checks, demand, until } from "./checks.ts";
import type { World } from "./world.ts";

const answerMs = 20_000;

export async function decisionSteps(world: World, checks: Checks, signal: AbortSignal): Promise<void> {
  const { step, check } = checks;
  step("Step 3: a stranger asks, the owner decides");
  const owner = await world.client("owner");
  const stranger = await world.client("stranger");
  const inbox = collect(owner);
  await check("the stranger asks for presence and is not let in unasked", async () => {
    const answer = await stranger.askPresence(world.applianceJid(), signal);
    demand(answer.state === "declined", answer.state);
    return "declined";
  });
  await check("the owner is asked whether to let him in, and says yes", async () => {
    const question = await inbox.next("isFriend", stranger, signal);
    await owner.owner.answer(question, { allow: true, range: "caller", names: [] }, signal);
    return describeQuestion(question);
  });
  await check(
    "asked again, he is let in",
    async () =>
      await until("let in", answerMs, signal, async () => {
        const answer = await stranger.askPresence(world.applianceJid(), signal);
        return answer.state === "online" ? answer.fullJid : undefined;
      }),
  );
  await check("his readout of energy and flow is forbidden, and the meter is not touched", async () => {
    const before = world.telegramsOf("heat-3");
    const said = await refusalOf(readings(world, stranger, ["Energy", "Flow"], signal));
    const after = world.telegramsOf("heat-3");
    demand(said === "forbidden" && before === after, `${said}, ${after - before} telegrams`);
    return `${said}, ${after - before} telegrams`;
  });
  await check("the owner is asked, and answers: energy only, this caller", async () => {
    const question = await inbox.next("canRead", stranger, signal);
    await owner.owner.answer(question, { allow: true, range: "caller", names: ["Energy"] }, signal);
    return describeQuestion(question);
  });
  await check(
    "asked again he gets energy, and only energy, with unit, time, category and quality",
    async () =>
      await until("permitted", answerMs, signal, async () =>
        onlyEnergy(await readings(world, stranger, ["Energy", "Flow"], signal)),
      ),
  );

  step("Step 4: the registry service is stopped");
  await check("the permitted readout still works from what was learned", async () => {
    await world.registry.stop();
    return onlyEnergy(await readings(world, stranger, ["Energy", "Flow"], signal));
  });
  await check("a new stranger is refused", async () => await newStranger(world, signal));
  await check("killed (-9) and started again without the service: owner, rules and nodes are as before", async () => {
    const before = await world.status();
    await world.edge.kill();
    await world.edge.start();
    const after = await until("online again", answerMs, signal, () =>
      world.statusWhere(one => one.connection.phase === "online"),
    );
    const lines = ({ nodes }: Status) => nodes.map(({ ref, thing }) => `${describeNode(ref)} ${thing?.owner ?? ""}`);
    const lost = lines(before).filter(line => !lines(after).includes(line));
    demand(lost.length === 0 && before.nodes.length === after.nodes.length, `not as before: ${lost.join("; ")}`);
    const text = await until("permitted", answerMs, signal, async () =>
      onlyEnergy(await readings(world, stranger, ["Energy", "Flow"], signal)),
    );
    return `${after.nodes.length} nodes, ${after.nodes.filter(({ thing }) => thing?.owner).length} owned; ${text}`;
  });
  await check("the new stranger is still refused", async () => await newStranger(world, signal));
  await check("the service returns: all is well without a hand", async () => {
    await world.registry.start();
    const newcomer = await world.client("newcomer");
    await until("asked again", answerMs * 2, signal, async () => {
      await newcomer.askPresence(world.applianceJid(), signal);
      return inbox.take("isFriend", newcomer);
    });
    return `the owner is asked about ${newcomer.bareJid}`;
  });
}

async function newStranger(world: World, signal: AbortSignal): Promise<string> {
  const newcomer = await world.client("newcomer");
  const answer = await newcomer.askPresence(world.applianceJid(), signal);
  demand(answer.state !== "online" && answer.state !== "accepted", answer.state);
  return answer.state === "declined" ? "declined" : "no answer";
}

/** What the owner was asked, in order; each question is taken once. */
export interface QuestionInbox {
  take(kind: OwnerQuestion["kind"], from: Client): OwnerQuestion | undefined;
  next(kind: OwnerQuestion["kind"], from: Client, signal: AbortSignal): Promise<OwnerQuestion>;
}

export function collect(owner: Client): QuestionInbox {
  const open: OwnerQuestion[] = [];
  owner.owner.onQuestion(question => open.push(question));
  const take = (kind: OwnerQuestion["kind"], from: Client) => {
    const at = open.findIndex(one => one.kind === kind && one.remote === from.bareJid);
    return at < 0 ? undefined : open.splice(at, 1)[0];
  };
  return {
    take,
    next: (kind, from, signal) =>
      until(`question ${kind} about ${from.bareJid}`, answerMs, signal, async () => take(kind, from)),
  };
}

export async function readings(
  world: World,
  who: Client,
  names: readonly string[],
  signal: AbortSignal,
  nodes = ["heat-3"],
): Promise<Reading[]> {
  const found: Reading[] = [];
  for await (const one of who.things.read(
    await who.appliance(signal, world.applianceJid()),
    nodes.map(parseNode),
    { names },
    signal,
  ))
    found.push(one);
  return found;
}

export async function refusalOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "nothing refused";
  } catch (error) {
    if (error instanceof StanzaError) return error.condition;
    throw error;
  }
}

function onlyEnergy(found: readonly Reading[]): string {
  const faults = found.flatMap(one => (one.kind === "fault" ? [one.message] : []));
  const fields = found.flatMap(one => (one.kind === "reading" ? one.fields.map(field => ({ at: one.at, field })) : []));
  const names = [...new Set(fields.map(({ field }) => field.name))];
  demand(
    faults.length === 0 && names.length === 1 && names[0] === "Energy",
    `fields ${names.join(", ")}; faults ${faults.join(", ")}`,
  );
  const [first] = fields;
  const value = first?.field.value;
  demand(
    value?.kind === "quantity" && value.unit !== "" && first?.field.categories.momentary === true,
    JSON.stringify(first),
  );
  if (value?.kind !== "quantity" || first === undefined) return "";
  return `Energy ${value.value.toFixed(value.decimals)} ${value.unit} at ${new Date(first.at).toISOString()}, momentary, ${Object.keys(first.field.quality).join(" ")}`;
}
