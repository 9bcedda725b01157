// Telling the time to whoever may ask anything at all (clock synchronisation, CLK-RESP, CLK-SRC): without rights, tokens or
// language, and taken as late as can be before it leaves.

import type { Clock } from "#base/clock.ts";
import { Refusal } from "#contract/faults.ts";
import { clockRequestsPerSecondMax } from "#limits.ts";
import { type Route, route } from "../router.ts";
import * as wire from "./clock.wire.ts";
import { inEveryGeneration } from "./generations.ts";
import { createRequestRate } from "./request-rate.ts";

export interface ClockFaceDeps {
  readonly clock: Clock;
  /** Bare JID of the clock we follow over XMPP; undefined when we follow none, or one of another kind (CLK-SRC-02). */
  readonly source?: () => string | undefined;
}

export function createClockFace({ clock, source }: ClockFaceDeps): { readonly routes: readonly Route[] } {
  const rate = createRequestRate(clockRequestsPerSecondMax, clock);
  const counted = (from: string) => {
    if (!rate.take(from)) throw new Refusal("busy", "The time is told a few times a second to each.");
  };
  return {
    routes: inEveryGeneration("synchronization", ns => [
      route(["get"], ns, wire.clockRequest, async (_, { fromBare }) => {
        counted(fromBare);
        return wire.clockResponse.encode(timeNow(clock), ns);
      }),
      route(["get"], ns, wire.sourceRequest, async (_, { fromBare }) => {
        counted(fromBare);
        const followed = source?.();
        if (followed === undefined) throw new Refusal("not-found", "This appliance follows no clock over XMPP.");
        return wire.sourceResponse.encode(followed, ns);
      }),
    ]),
  };
}

/** Both read together; the counter never goes back while the program lives (CLK-RESP-04). */
const timeNow = (clock: Clock): wire.ClockResponse => ({
  counter: { ticks: BigInt(Math.round(clock.monotonic() * 1e6)), frequency: 1_000_000_000n },
  at: wire.ticksOfMs(clock.now()),
});
