// The story that must work, played unattended by real clients: one real value crosses from a meter to an owner's screen
// through a decision, and what goes wrong on the way goes wrong in the right way.

import { createChecks } from "./checks.ts";
import { claimSteps } from "./story-claim.ts";
import { decisionSteps } from "./story-decision.ts";
import { faultSteps } from "./story-faults.ts";
import { lineSteps } from "./story-lines.ts";
import type { World } from "./world.ts";

/** Resolves with the exit code. */
export async function playStory(world: World, print: (line: string) => void, signal: AbortSignal): Promise<number> {
  const checks = createChecks(print, signal);
  await claimSteps(world, checks, signal);
  await decisionSteps(world, checks, signal);
  await faultSteps(world, checks, signal);
  await lineSteps(world, checks, signal);
  if (checks.failed > 0) {
    print(`\nLast words of the appliance:\n${world.edge.output()}`);
    print(`\nLast words of the registry:\n${world.registry.output()}`);
  }
  print(`\n${checks.passed} passed, ${checks.failed} failed`);
  return checks.failed === 0 ? 0 : 1;
}
