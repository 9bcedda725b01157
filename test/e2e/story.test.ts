// The story that must work, as `npm run demo -- --once` plays it: real Prosody, mosquitto, registry, appliance and devices that
// speak bytes. Each check is asserted by its own name.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describe as textOf } from "#base/log.ts";
import type { Checks } from "#cli/demo/checks.ts";
import { claimSteps } from "#cli/demo/story-claim.ts";
import { decisionSteps } from "#cli/demo/story-decision.ts";
import { faultSteps } from "#cli/demo/story-faults.ts";
import { startWorld, type World } from "#cli/demo/world.ts";
import { demoPointer } from "#cli/identity.ts";
import { forever, temporaryFolder } from "../lab/scene.ts";

interface Outcome {
  readonly what: string;
  readonly fault: string;
}

const steps: { title: string; outcomes: Outcome[] }[] = [];
const printed: string[] = [];
const home = await temporaryFolder();
const temporary = process.env.TMPDIR;
const another = JSON.stringify({ identities: join(home.path, "another"), dataFolder: home.path });
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
  process.env.TMPDIR = home.path;
  world = await startWorld(line => void printed.push(line), forever);
  // A second demonstration of the same user, begun while this one plays: neither may get in the other's way.
  mkdirSync(join(home.path, "another"));
  writeFileSync(demoPointer(), another, { mode: 0o600 });
  await claimSteps(world, checks, forever);
  await decisionSteps(world, checks, forever);
  await faultSteps(world, checks, forever);
}, 300_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  process.env.TMPDIR = temporary;
  if (temporary === undefined) delete process.env.TMPDIR;
  await home[Symbol.asyncDispose]();
});

it.for([
  [1, "a technician starts the appliance", 4],
  [2, "an owner claims the appliance and its heat meter", 7],
  [3, "a stranger asks, the owner decides", 6],
  [4, "the registry service is stopped", 5],
  [5, "the owner sets the thermostat", 4],
  [6, "the meter's line is cut during a readout", 3],
] as const)("step %i: %s", ([number, title, checksMin]) => {
  const step = steps[number - 1];
  expect(step?.title).toContain(`Step ${number}: ${title}`);
  for (const { what, fault } of step?.outcomes ?? []) expect.soft(fault, what).toBe("");
  expect(step?.outcomes.length).toBeGreaterThanOrEqual(checksMin);
});

it("step 1: the technician sees a table of nodes, and a code and a QR code for each thing that nobody owns", () => {
  const text = printed.join("\n");
  expect(text.match(/^iotdisco:\S+;KEY=[0-9a-f]{64};R=things\.\S+$/gm)).toHaveLength(5);
  expect(text).toMatch(/^heat-3 \(attic-mbus\) +Heat meter, flat 3 +mbus\.meter +None +registered/m);
  expect(text).toMatch(/[▀▄█]{20}/);
});

it("a demonstration that ends leaves the pointer to another one alone, and nothing of its own", async () => {
  await world?.[Symbol.asyncDispose]();
  world = undefined;
  expect(readFileSync(demoPointer(), "utf8")).toBe(another);
  expect(readdirSync(home.path).filter(name => name.startsWith("isthmus-demo-"))).toEqual([
    demoPointer().split("/").at(-1),
  ]);
});
