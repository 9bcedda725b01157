// The story of the demonstration across two servers: the appliance and the registry on one, owner and strangers on the other,
// and between them a stream whose certificates both verify. Everything else is as it was.

import { afterAll, beforeAll, expect, it } from "vitest";
import { describe as textOf } from "#base/log.ts";
import type { Checks } from "#cli/demo/checks.ts";
import { claimSteps } from "#cli/demo/story-claim.ts";
import { decisionSteps } from "#cli/demo/story-decision.ts";
import { faultSteps } from "#cli/demo/story-faults.ts";
import { startWorld, type World } from "#cli/demo/world.ts";
import { startProsody } from "#lab/prosody.ts";
import { forever, temporaryFolder } from "../lab/scene.ts";
import { isthmus } from "./command-line.ts";

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
  process.env.TMPDIR = home.path;
  world = await startWorld(() => {}, forever, {
    peopleAt: { domain: "city.localhost", startBroker: startProsody },
  });
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

it.for([1, 2, 3, 4, 5, 6])("FED-03: step %i plays with people on another server as it does with neighbours", number => {
  const step = outcomes.filter(one => one.step.startsWith(`Step ${number}`));
  for (const { what, fault } of step) expect.soft(fault, what).toBe("");
  expect(step.length).toBeGreaterThanOrEqual(3);
});

it("FED-03: on the command line an owner sees what he owns on another server, and says where when he has to", async () => {
  const run = (words: string) => isthmus(words.split(" "), { env: { TMPDIR: home.path } }).ended;
  const [owned, rules, nowhere, wrong] = await Promise.all(
    ["owner things", "owner rules", "owner things --at city.localhost", "owner things --at owner@city.localhost"].map(
      words => run(`${words} --as owner`),
    ),
  );
  expect(owned).toMatchObject({ code: 0, err: "" });
  expect(owned?.out).toMatch(/@isthmus\.localhost +heat-3/);
  expect(rules?.out).toMatch(/heat-3.* canRead +stranger@city\.localhost +yes +Energy/);
  expect(nowhere).toMatchObject({ code: 1, err: expect.stringContaining("no provisioning service at city.localhost") });
  expect(wrong).toMatchObject({
    code: 2,
    err: expect.stringContaining('--at is a domain, such as hub.example, not "owner@'),
  });
}, 60_000);
