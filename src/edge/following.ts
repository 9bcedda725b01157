// The clock the appliance compares its own with, and where a person reads that they differ.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Tree } from "#concentrator/tree.ts";
import type { BootSettings } from "#config.ts";
import { applianceSource } from "#contract/node.ts";
import { type ClockFollowing, createClockFollowing } from "#iot/clock-following.ts";
import type { Connection } from "#xmpp/connection.ts";

export interface FollowingDeps {
  readonly settings: Pick<BootSettings, "clockSource">;
  readonly connection: Pick<Connection, "online" | "request">;
  readonly tree: Pick<Tree, "find" | "warn" | "erase">;
  readonly clock: Clock;
  readonly log: Log;
}

export function followClock({ settings: { clockSource: source }, tree, ...deps }: FollowingDeps): ClockFollowing {
  return createClockFollowing({
    ...deps,
    source,
    judged(isOff, offsetMs) {
      const board = tree.find({ nodeId: "board", sourceId: applianceSource, partition: "" });
      const text = `The clock of the appliance differs by ${(offsetMs / 1000).toFixed(1)} s from ${source}.`;
      if (board && isOff) tree.warn(board, "clock-offset", text);
      else if (board) tree.erase(board, ["clock-offset"]);
    },
  });
}
