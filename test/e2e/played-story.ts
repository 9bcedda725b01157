// The story of the demonstration as a test plays it, with whatever brokers the test names: once for each file, every outcome
// kept, each step asserted by its own name, and nothing left behind.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { describe as textOf } from "#base/log.ts";
import { connectClient } from "#cli/connect.ts";
import type { Checks } from "#cli/demo/checks.ts";
import { claimSteps } from "#cli/demo/story-claim.ts";
import { collect, decisionSteps } from "#cli/demo/story-decision.ts";
import { faultSteps } from "#cli/demo/story-faults.ts";
import { startWorld, type World, type WorldOptions } from "#cli/demo/world.ts";
import { forever, temporaryFolder } from "../lab/scene.ts";
import { type Ended, project, startCommand } from "./command-line.ts";
import { found } from "./house.ts";

/** Number and title of each step, and how many things are checked in it. */
export const storySteps = [
  [1, "a technician starts the appliance", 4],
  [2, "an owner claims the appliance and its heat meter", 7],
  [3, "a stranger asks, the owner decides", 6],
  [4, "the registry service is stopped", 5],
  [5, "the owner sets the thermostat", 4],
  [6, "the meter's line is cut during a readout", 3],
] as const;

export interface PlayedStory {
  /** What the technician saw. */
  readonly printed: string;
  /** The folder for temporary files of this story and of what is started with it as `TMPDIR`. */
  readonly home: string;
  readonly world: World;
  expectStep(step: (typeof storySteps)[number]): void;
  /** Ends it; what is left in `home` then. */
  end(): Promise<string[]>;
}

/** Plays it before the tests of the file; `begun` is called with the world started and no step played. */
export function playStory(options: WorldOptions = {}, begun: (home: string) => void = () => {}): PlayedStory {
  const steps: { title: string; outcomes: { what: string; fault: string }[] }[] = [];
  const printed: string[] = [];
  const temporary = process.env.TMPDIR;
  let home: Awaited<ReturnType<typeof temporaryFolder>>;
  let world: World | undefined;

  /** Like the story's own, but every outcome is kept. */
  const checks: Checks = {
    step: title => void steps.push({ title, outcomes: [] }),
    async check(what, work) {
      let fault = "";
      try {
        await work();
      } catch (error) {
        fault = textOf(error) || "failed without a word";
      }
      steps.at(-1)?.outcomes.push({ what, fault });
      return fault === "";
    },
    passed: 0,
    failed: 0,
  };

  beforeAll(async () => {
    home = await temporaryFolder();
    // Where a demonstration tells others of itself: this one keeps it to itself.
    process.env.TMPDIR = home.path;
    world = await startWorld(line => void printed.push(line), forever, options);
    begun(home.path);
    await claimSteps(world, checks, forever);
    await decisionSteps(world, checks, forever);
    await faultSteps(world, checks, forever);
  }, 300_000);
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    if (temporary === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = temporary;
    await home?.[Symbol.asyncDispose]();
  }, 60_000);

  return {
    get printed() {
      return printed.join("\n");
    },
    get home() {
      return home.path;
    },
    get world() {
      if (world === undefined) throw new Error("the story is not being played");
      return world;
    },
    expectStep([number, title, count]) {
      const step = steps[number - 1];
      expect(step?.title).toContain(`Step ${number}: ${title}`);
      for (const { what, fault } of step?.outcomes ?? []) expect.soft(fault, what).toBe("");
      expect(step?.outcomes.length).toBeGreaterThanOrEqual(count);
    },
    async end() {
      await world?.[Symbol.asyncDispose]();
      world = undefined;
      return readdirSync(home.path).filter(name => name.startsWith("isthmus-demo-"));
    },
  };
}

/** The appliance was killed in step 4: the session that was left behind at the broker is its own, and nobody's alarm. */
export function expectNoAlarm({ edge }: World): void {
  expect(edge.output()).toMatch(/info +xmpp-online/);
  expect(edge.output()).not.toContain("SecondResource");
}

/** On the technician's screen: a table of the nodes, and for each thing that nobody owns a code and a QR code. */
export function expectCodes(text: string): void {
  expect(text.match(/^iotdisco:\S+;KEY=[0-9a-f]{64};R=things\.\S+$/gm)).toHaveLength(5);
  expect(text).toMatch(/^heat-3 \(attic-mbus\) +Heat meter, flat 3 +mbus\.meter +None +registered/m);
  expect(text).toMatch(/[▀▄█]{20}/);
  // What is printed into a file has no colours.
  expect(text).not.toContain("\u001b");
}

/** The people's server goes away and comes back: somebody who asks meanwhile is not let in, and his question is not lost. */
export async function cutTheWay(world: World): Promise<void> {
  const { broker, peoplesBroker, registry } = world;
  const logged = (pattern: RegExp) => found(`${pattern}`, async () => pattern.exec(registry.output())?.[0]);
  const owner = await world.client("owner");
  const inbox = collect(owner);
  await broker.register("resident", "secret");
  const resident = { ...world.identity("owner"), jid: `resident@${broker.domain}`, password: "secret" };
  await using neighbour = await connectClient({ ...resident, port: broker.ports.tls }, forever);
  await peoplesBroker.stop();
  expect((await neighbour.askPresence(world.applianceJid(), forever)).state).toBe("declined");
  await logged(new RegExp(`domain-away domain=${peoplesBroker.domain}`));

  await peoplesBroker.restart();
  // His client comes back by itself. What waits is sent within a minute; at once when he looks at his things.
  const question = await found("the question", async () => {
    await owner.owner.things(forever, world.domain);
    return inbox.take("isFriend", neighbour);
  });
  await logged(new RegExp(`domain-back domain=${peoplesBroker.domain}`));
  await owner.owner.answer(question, { allow: true, range: "caller", names: [] }, forever);
  await found("let in", async () =>
    (await neighbour.askPresence(world.applianceJid(), forever)).state === "online" ? true : undefined,
  );
}

/** `isthmus-registry check`, as an installer types it beside the world's registry. */
export const checkOf = (world: World): Promise<Ended> => {
  const { port = 0, caPath = "" } = world.servers ?? {};
  const words = ["--config", world.registryConfig, "--server", `127.0.0.1:${port}`, "--ca", caPath];
  return startCommand(process.execPath, [join(project, "bin/isthmus-registry.mjs"), "check", ...words]).ended;
};
