// The story across two servers of different make: the appliance and the registry on Prosody, the people on ejabberd. And what
// becomes of a question while Prosody has no way to the owner.

import { it } from "vitest";
import { startEjabberd } from "#lab/ejabberd.ts";
import { cutTheWay, playStory, storySteps } from "./played-story.ts";

const story = playStory({ peopleAt: { domain: "city.localhost", startBroker: startEjabberd } });

it.for(storySteps)("FED-03: step %i plays with the things on Prosody and the people on ejabberd: %s", step =>
  story.expectStep(step),
);

it(
  "FED-05: what an owner on ejabberd is asked while Prosody has no way to him reaches him when he is back",
  () => cutTheWay(story.world),
  60_000,
);
