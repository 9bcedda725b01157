// The story of the demonstration once more, with a broker that we did not choose: ejabberd in the place of Prosody. Everything
// else is as it was: registry, appliance, devices, people and checks.

import { afterAll, beforeAll, expect, it } from "vitest";
import { describe as textOf } from "#base/log.ts";
import type { Checks } from "#cli/demo/checks.ts";
import { claimSteps } from "#cli/demo/story-claim.ts";
import { decisionSteps } from "#cli/demo/story-decision.ts";
import { faultSteps } from "#cli/demo/story-faults.ts";
import { startWorld, type World } from "#cli/demo/world.ts";
import { startEjabberd } from "#lab/ejabberd.ts";
import { forever, temporaryFolder } from "../lab/scene.ts";

const outcomes: { step: string; what: string; fault: string }[] = [];
const home = await temporaryFolder();
const temporary = process.env.TMPDIR;
let world: World | undefined;
let title = "";

const checks: Checks = {
  step: text => {
    title = text;
  },
  async check(what, work) {
    let fault = "";
    try {
      await work();
    } catch (error) {
      fault = textOf(error) || "failed without a word";
    }
    outcomes.push({ step: title, what, fault });
    return fault === "";
  },
  passed: 0,
  failed: 0,
};

beforeAll(async () => {
  // Where a demonstration tells others of itself: this one keeps it to itself.
  process.env.TMPDIR = home.path;
  world = await startWorld(() => {}, forever, { startBroker: startEjabberd });
  await claimSteps(world, checks, forever);
  await decisionSteps(world, checks, forever);
  await faultSteps(world, checks, forever);
}, 300_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  if (temporary === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = temporary;
  await home[Symbol.asyncDispose]();
});

it.for([1, 2, 3, 4, 5, 6])("step %i plays with ejabberd as it does with Prosody", number => {
  const step = outcomes.filter(one => one.step.startsWith(`Step ${number}`));
  for (const { what, fault } of step) expect.soft(fault, what).toBe("");
  expect(step.length).toBeGreaterThanOrEqual(3);
});
