// The story of the demonstration across two servers: the appliance and the registry on one, owner and strangers on the other,
// and between them a stream whose certificates both verify. Everything else is as it was.

import { expect, it } from "vitest";
import { startProsody } from "#lab/prosody.ts";
import { isthmus } from "./command-line.ts";
import { playStory, storySteps } from "./played-story.ts";

const story = playStory({ peopleAt: { domain: "city.localhost", startBroker: startProsody } });

it.for(storySteps)("FED-03: step %i plays with people on another server as it does with neighbours: %s", step =>
  story.expectStep(step),
);

it("FED-03: on the command line an owner sees what he owns on another server, and says where when he has to", async () => {
  const run = (words: string) => isthmus(words.split(" "), { env: { TMPDIR: story.home } }).ended;
  const [owned, rules, nowhere, wrong] = await Promise.all(
    ["owner things", "owner rules", "owner things --at city.localhost", "owner things --at owner@city.localhost"].map(
      words => run(`${words} --as owner`),
    ),
  );
  expect(owned).toMatchObject({ code: 0, err: "" });
  expect(owned?.out).toMatch(/@isthmus\.localhost +heat-3/);
  expect(rules?.out).toMatch(/heat-3.* (?:canRead|read) +stranger@city\.localhost +yes +Energy/);
  expect(nowhere).toMatchObject({
    code: 1,
    err: expect.stringContaining("city.localhost has no provisioning service"),
  });
  expect(wrong).toMatchObject({
    code: 2,
    err: expect.stringContaining('--at is a domain, such as hub.example, not "owner@'),
  });
}, 60_000);
