// The story that must work, as `npm run demo -- --once` plays it: real Prosody, mosquitto, registry, appliance and devices that
// speak bytes. Each check is asserted by its own name.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import { demoPointer } from "#cli/identity.ts";
import { expectCodes, expectNoAlarm, playStory, storySteps } from "./played-story.ts";

let another = "";
const story = playStory({}, home => {
  // A second demonstration of the same user, begun while this one plays: neither may get in the other's way.
  another = JSON.stringify({ identities: join(home, "another"), dataFolder: home });
  mkdirSync(join(home, "another"));
  writeFileSync(demoPointer(), another, { mode: 0o600 });
});

it.for(storySteps)("step %i: %s", step => story.expectStep(step));

it("step 1: the technician sees a table of nodes, and a code and a QR code for each thing that nobody owns", () => {
  expectCodes(story.printed);
});

it("PRES-ID-03: after a power cut Prosody still shows the session before it, which is not taken for a thief's", () => {
  expectNoAlarm(story.world);
});

it("a demonstration that ends leaves the pointer to another one alone, and nothing of its own", async () => {
  expect(await story.end()).toEqual([basename(demoPointer())]);
  expect(readFileSync(demoPointer(), "utf8")).toBe(another);
});
