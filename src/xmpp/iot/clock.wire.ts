// Asking for the time: Synchronization.xsd. Requests and answers in pairs, as both sides use them.

import { body, type Codec, content, element, group, mapped, optional, type Value } from "#xml/codec.ts";
import { int64, type Scalar, ScalarError, text } from "#xml/scalars.ts";

export const clockRequest = element("req", {});
export const sourceRequest = element("sourceReq", {});

const ticksPerMs = 10_000n;
const timeText = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?$/;

/**
 * Ticks of 100 ns since 1970 UTC. Out: exactly seven digits and Z, the only form every client reads (CLK-RESP-02). In: any
 * fraction and zone; what has none is UTC, as everywhere in this interface.
 */
const ticks: Scalar<bigint> = {
  parse(raw) {
    const [, whole, fraction = "", zone = "Z"] = timeText.exec(raw.trim()) ?? [];
    const at = Date.parse(`${whole}${zone}`);
    if (whole === undefined || !Number.isFinite(at))
      throw new ScalarError(`"${raw.slice(0, 40)}" is not a date and time`);
    return BigInt(at) * ticksPerMs + BigInt(fraction.slice(0, 7).padEnd(7, "0"));
  },
  format(value) {
    const ms = value / ticksPerMs;
    const rest = (value % ticksPerMs).toString().padStart(4, "0");
    return new Date(Number(ms)).toISOString().replace("Z", `${rest}Z`);
  },
};

export interface Counter {
  readonly ticks: bigint;
  /** Ticks a second. */
  readonly frequency: bigint;
}

/** Only together: one without the other says nothing (CLK-RESP-03). */
const counter = mapped(
  group({ ticks: optional("hf", int64), frequency: optional("freq", int64) }),
  ({ ticks, frequency }): Counter | undefined =>
    ticks === undefined || frequency === undefined ? undefined : { ticks, frequency },
  value => ({ ticks: value?.ticks, frequency: value?.frequency }),
);

export const clockResponse = element("resp", { at: body(ticks), counter });
export type ClockResponse = Value<typeof clockResponse>;

/** The JID of the clock followed. */
export const sourceResponse: Codec<string> = content("sourceResp", body(text));

export const ticksOfMs = (ms: number): bigint => BigInt(Math.trunc(ms)) * ticksPerMs;
/** Fractions of a millisecond included, as far as a double has them. */
export const msOfTicks = (value: bigint): number => Number(value / ticksPerMs) + Number(value % ticksPerMs) / 10_000;
