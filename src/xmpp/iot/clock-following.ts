// Judging our own time by a clock that answers over XMPP (CLK-MEAS): the offset is measured, filtered and told; the clock of
// the machine is never touched, since that belongs to its time service.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Task } from "#base/supervise.ts";
import { clockMeasureMs, clockMeasurementsMax, clockOffsetMsMax, clockReplyMsMax } from "#limits.ts";
import type { Connection } from "../connection.ts";
import { askService } from "../disco.ts";
import { bareJid } from "../jid.ts";
import * as wire from "./clock.wire.ts";
import { namespace, preferred } from "./generations.ts";

export interface ClockFollowingDeps {
  readonly connection: Pick<Connection, "online" | "request">;
  /** Whom we follow. A resource, where there is one, is asked and not told. */
  readonly source: string | undefined;
  /** The offset has passed the limit, or come back within it; in whole milliseconds, positive when we are behind. */
  readonly judged: (isOff: boolean, offsetMs: number) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ClockFollowing {
  /** Works until aborted; at once when there is nobody to follow. */
  readonly run: Task;
  /** Bare, as it is told to who asks (CLK-SRC-01). */
  readonly source: string | undefined;
  /** False until somebody has told that we are wrong: our samples are marked then (CLK-MEAS-03). */
  readonly isOff: boolean;
}

interface Measured {
  readonly offsetMs: number;
  readonly latencyMs: number;
}

export function createClockFollowing({ connection, clock, log, ...deps }: ClockFollowingDeps): ClockFollowing {
  const source = bareJid(deps.source);
  const measured: Measured[] = [];
  let ns: string | undefined;
  let isOff = false;

  const namespaceOf = async (jid: string, signal: AbortSignal): Promise<string> => {
    const generation = preferred("synchronization", (await askService(connection, jid, signal)).features);
    if (generation === undefined) throw new Error(`${jid} does not tell the time`);
    return namespace("synchronization", generation);
  };

  const measure = async (jid: string, signal: AbortSignal): Promise<Measured | undefined> => {
    ns ??= await namespaceOf(jid, signal);
    const startedAt = clock.monotonic();
    const sent = clock.now();
    const answer = await connection.request("get", jid, wire.clockRequest.encode({}, ns), { signal });
    const tookMs = clock.monotonic() - startedAt;
    if (answer === undefined || tookMs > clockReplyMsMax) return undefined;
    const there = wire.msOfTicks(wire.clockResponse.decode(answer).at);
    // Our own wall clock may have been set meanwhile: the time of reception is counted from that of sending.
    return { offsetMs: there - sent - tookMs / 2, latencyMs: tookMs / 2 };
  };

  const judge = (one: Measured) => {
    measured.push(one);
    if (measured.length > clockMeasurementsMax) measured.shift();
    const offsetMs = Math.round(settled(measured));
    const off = Math.abs(offsetMs) > clockOffsetMsMax;
    if (off !== isOff) log.warning("clock-judged", { source, offsetMs, off });
    isOff = off;
    deps.judged(off, offsetMs);
  };

  return {
    source,
    get isOff() {
      return isOff;
    },
    async run(signal) {
      const jid = deps.source;
      if (jid === undefined) return;
      while (!signal.aborted) {
        try {
          const one = connection.online ? await measure(jid, signal) : undefined;
          if (one !== undefined) judge(one);
        } catch (error) {
          if (signal.aborted) return;
          // It may have been replaced by one of another generation.
          ns = undefined;
          log.info("clock-silent", { source, error });
        }
        await clock.sleep(clockMeasureMs, signal).catch(() => {});
      }
    },
  };
}

/** The mean without spikes: a reply that was held up is further from the middle than the others are (CLK-MEAS-02). */
function settled(all: readonly Measured[]): number {
  const offsets = all.map(one => one.offsetMs).sort((a, b) => a - b);
  const middle = offsets[offsets.length >> 1] as number;
  const distances = offsets.map(one => Math.abs(one - middle)).sort((a, b) => a - b);
  const usual = Math.max(distances[distances.length >> 1] as number, 1);
  const kept = offsets.filter(one => Math.abs(one - middle) <= 3 * usual);
  return kept.reduce((sum, one) => sum + one, 0) / kept.length;
}
