// The owner's own profiles at start: what is wrong with one stands in the log, file, line and column, and on the appliance's node.

import { join } from "node:path";
import type { Log } from "#base/log.ts";
import type { Tree } from "#concentrator/tree.ts";
import type { BootSettings } from "#config.ts";
import { applianceSource } from "#contract/node.ts";
import { type OwnProfiles, readOwnProfiles } from "#drivers/own-profiles.ts";
import { profileKinds } from "#drivers/profile-kinds.ts";

const eventId = "profiles";

export function readProfiles({ dataFolder, profilesFolder }: BootSettings, log: Log): OwnProfiles {
  const own = readOwnProfiles(profilesFolder ?? join(dataFolder, "profiles"), profileKinds);
  for (const { file, line, column, place, what, advice } of own.faults) {
    log.warning("profile-wrong", { file, line, column, place, what, ...(advice !== undefined && { advice }) });
  }
  if (own.profiles.length > 0) log.notice("profiles", { names: own.profiles.map(({ name }) => name).join(", ") });
  return own;
}

export function showProfileFaults(tree: Tree, { faults }: OwnProfiles): void {
  const board = tree.find({ nodeId: "board", sourceId: applianceSource, partition: "" });
  if (board === undefined) return;
  tree.erase(board, [eventId]);
  const [first] = faults;
  if (first === undefined) return;
  const { file, line, what } = first;
  tree.note(board, "Warning", eventId, `The profile ${file} is wrong in line ${line} and is not used: ${what}`);
}
