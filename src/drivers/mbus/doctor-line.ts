// What the bus doctor needs to know of an M-Bus line: how a meter is asked without harm, and what another master's request looks
// like (EN 13757-2, 5.4: bit 6 of the control field says that a master speaks).

import type { Clock } from "#base/clock.ts";
import { mbusDoctorAsksMax } from "#limits.ts";
import type { DoctorLine } from "../doctor-query.ts";
import type { Probe } from "../line-health.ts";
import type { RequestAt } from "../overhearing.ts";
import { portErrorsOf } from "../serial-errors.ts";
import { directionOf, frameAt } from "./frame.ts";
import type { Bus, Line } from "./line.ts";

/** `talk`: one conversation, with one try; a battery meter's ends before it says its readings. */
export const probeOf =
  (line: Line, who: string, clock: Clock, talk: (bus: Bus, signal: AbortSignal) => Promise<unknown>): Probe =>
  async (signal, took) => {
    const timed = async (bus: Bus) => {
      const began = clock.monotonic();
      try {
        await talk(bus, signal);
      } finally {
        took(clock.monotonic() - began);
      }
    };
    await line.take("scan", signal, timed, who);
  };

export const requestAt: RequestAt = (octets, at) => {
  const seen = frameAt(octets, at);
  if (!("frame" in seen) || seen.frame.type === "ack" || directionOf(seen.frame.c) === "slave") return 0;
  return seen.octets;
};

/** A port has a path, a converter an address. */
export const doctorOf = (line: Line): DoctorLine => ({
  bus: "mbus",
  way: line.name.startsWith("/") ? "port" : "converter",
  tap: line.tap,
  health: line.health,
  requestAt,
  portErrors: () => portErrorsOf(line.name),
  asksMax: mbusDoctorAsksMax,
});
