// The story across two servers of different make: the appliance and the registry on ejabberd, the people on Prosody. What an
// installer is told of that ejabberd, and what becomes of a question while it has no way to the owner.

import { expect, it } from "vitest";
import { startEjabberd } from "#lab/ejabberd.ts";
import { startProsody } from "#lab/prosody.ts";
import { checkOf, cutTheWay, playStory, storySteps } from "./played-story.ts";

const story = playStory({
  startBroker: startEjabberd,
  peopleAt: { domain: "city.localhost", startBroker: startProsody },
});

it.for(storySteps)("FED-03: step %i plays with the things on ejabberd and the people on Prosody: %s", step =>
  story.expectStep(step),
);

it("FED-01: the check finds nothing to change at the ejabberd that the things are on", async () => {
  const { domain, servers } = story.world;
  expect(await checkOf(story.world)).toEqual({
    code: 0,
    out: [
      `${domain}, by way of 127.0.0.1:${servers?.port}`,
      "  ok     Other servers have to encrypt.",
      `  ok     Its certificate is valid for ${domain} and the registry.`,
      "  ok     Other servers have to show a valid certificate.",
      "",
    ].join("\n"),
    err: "",
  });
});

it(
  "FED-05: what an owner on Prosody is asked while ejabberd has no way to him reaches him when he is back",
  () => cutTheWay(story.world),
  60_000,
);
