// Domains that are away, by themselves: many at once do not keep each other waiting, and one that never comes back is not asked
// after for years.

import { expect, it } from "vitest";
import { TimeoutError } from "#base/deadline.ts";
import { createLog, type LogEvent } from "#base/log.ts";
import { requestMs } from "#limits.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { createReach } from "../../src/registry/reach.ts";
import { type ManualClock, manualClock } from "../support/manual-clock.ts";

const day = 86_400_000;

/** `answers`: the domains that answer a ping; others are silent for as long as one waits. */
async function scene(
  answers: Set<string>,
  silence: (to: string, clock: ManualClock, signal: AbortSignal) => Promise<never>,
) {
  const clock = manualClock();
  const stop = new AbortController();
  const events: LogEvent[] = [];
  const pings = new Map<string, number>();
  const returned: string[] = [];
  const reach = createReach({
    connection: {
      jid: "reg.hub.example",
      online: true,
      send() {},
      async request(_type, to = "") {
        pings.set(to, (pings.get(to) ?? 0) + 1);
        return answers.has(to) ? undefined : silence(to, clock, stop.signal);
      },
    },
    clock,
    log: createLog(event => events.push(event)),
    isLocal: () => false,
    returned: domain => returned.push(domain),
    signal: stop.signal,
  });
  const running = reach.run(stop.signal);
  return {
    clock,
    reach,
    pings,
    returned,
    events,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}
const silent = async (to: string, clock: ManualClock, signal: AbortSignal): Promise<never> => {
  await clock.sleep(requestMs, signal);
  throw new TimeoutError(to, requestMs);
};
const noWay = async (): Promise<never> => {
  throw new StanzaError("cancel", "remote-server-not-found");
};

it("FED-05: two hundred domains that are silent do not keep the one that is back waiting", async () => {
  await using it = await scene(new Set(["back.example"]), silent);
  const { clock, reach, returned } = it;
  for (let n = 0; n < 200; n++) reach.cameBack(`ana@d${n}.example`, "remote-server-timeout");
  reach.cameBack("ana@back.example", "remote-server-timeout");
  await clock.advance(60_000 + 2 * requestMs);
  expect(returned).toEqual(["back.example"]);
  expect(reach.isAway("ana@back.example")).toBe(false);
  expect(reach.isAway("ana@d7.example")).toBe(true);
});

it("FED-05: one that was not there for a week is forgotten: the next word to it goes out, and it is away again when that comes back", async () => {
  await using it = await scene(new Set(), noWay);
  const { clock, reach, pings, returned, events } = it;
  reach.cameBack("ana@gone.example", "remote-server-not-found");
  await clock.advance(6 * day);
  expect(reach.isAway("ana@gone.example")).toBe(true);
  await clock.advance(2 * day);
  expect(reach.isAway("ana@gone.example")).toBe(false);
  // What waits for it is sent once more, as if it were back; nobody says that it is.
  expect(returned).toEqual(["gone.example"]);
  expect(events.map(({ event }) => event)).toEqual(["domain-away"]);
  const before = pings.get("gone.example");
  await clock.advance(30 * day);
  expect(pings.get("gone.example")).toBe(before);
  reach.cameBack("ana@gone.example", "remote-server-not-found");
  expect(reach.isAway("ana@gone.example")).toBe(true);
});
