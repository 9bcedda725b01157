// The story of the demonstration once more, with a broker that we did not choose: ejabberd in the place of Prosody. Everything
// else is as it was: registry, appliance, devices, people and checks.

import { expect, it } from "vitest";
import { startEjabberd } from "#lab/ejabberd.ts";
import { expectCodes, expectNoAlarm, playStory, storySteps } from "./played-story.ts";

const story = playStory({ startBroker: startEjabberd });

it.for(storySteps)("step %i plays with ejabberd as it does with Prosody: %s", step => story.expectStep(step));

it("step 1: with ejabberd too the technician sees the nodes, and the codes of what nobody owns", () => {
  expectCodes(story.printed);
});

it("PRES-ID-03: after a power cut ejabberd still shows the session before it, which is not taken for a thief's", () => {
  expectNoAlarm(story.world);
});

it("a demonstration with ejabberd leaves nothing behind when it ends", async () => {
  expect(await story.end()).toEqual([]);
});
