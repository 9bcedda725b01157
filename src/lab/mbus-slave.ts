// A simulated M-Bus slave, written from the slave's side of EN 13757-2 and -3 with its own reading of the octets: a partner to test
// the driver against must not share its mistakes.

import type { Clock } from "#base/clock.ts";
import { frameOf, identityOctets, isMeant, type MeterIdentity, type Request, readRequest } from "./mbus-octets.ts";

/** What a meter does with the next requests. "garbled" spoils one octet of each answer, "noisy" of every third. */
export type Behaviour = "normal" | "silent" | "garbled" | "noisy";

export interface MbusMeter {
  /** One request frame, whoever it is for, at the rate of the line; undefined when this meter keeps silent. */
  answer(request: Uint8Array, baudRate?: number): Uint8Array | undefined;
  behaviour: Behaviour;
  /** Added to the meter's own reaction time. */
  slowMs: number;
  primary: number;
  /** At which it listens and talks, from the end of an answer on. */
  readonly baudRate?: number;
  /** Requests for readings it answered or would have answered. */
  readonly readouts: number;
  readonly identity: MeterIdentity;
  /** What it was told and obeyed, oldest first: "clock 04 6D …", "freeze", "application 50". */
  readonly told?: readonly string[];
}

export interface MeterPlan {
  readonly identity: MeterIdentity;
  readonly primary: number;
  readonly status?: number;
  /**
   * Record octets of each telegram of a readout; all but the last end with DIF 1F. Asked anew for each readout, with the sub-code
   * of the application that was selected.
   */
  readonly telegrams: (application: number) => readonly Uint8Array[];
  /** Serves this frame as it stands instead of telegrams: a recorded one. */
  readonly raw?: Uint8Array;
  /** Takes the frame count bit at its word: any request with the bit of the last one is that one again, and is not obeyed. */
  readonly strictFcb?: boolean;
  /** How many questions for readings are answered with "busy" (CI 70, code 8) first. */
  readonly busyTimes?: number;
  /** A battery meter: after a readout it is silent to further ones for so long. Needs `clock`. */
  readonly rationMs?: number;
  /** Acknowledges what it is told to become, and stays as it is. */
  readonly stubborn?: boolean;
  /** Does not know the command to change its baud rate back when it hears nothing at the new one: stays there. */
  readonly staysLost?: boolean;
  readonly baudRate?: number;
  readonly clock?: Clock;
}

const ack = Uint8Array.of(0xe5);
const rates = [300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400];
/** A slave that was told a rate and hears nothing at it goes back. */
const fallbackMs = 10_000;

export function createMbusMeter(plan: MeterPlan): MbusMeter {
  let identity = plan.identity;
  let selected = false;
  let accessNumber = 0;
  let readouts = 0;
  let answers = 0;
  let busyLeft = plan.busyTimes ?? 0;
  let application = 0;
  let silentUntil = 0;
  let rate = plan.baudRate ?? 2400;
  let trial: { before: number; until: number } | undefined;
  /** Frame count bit of the last answered request, undefined after a reset. */
  let lastFcb: boolean | undefined;
  let part = 0;
  let parts: readonly Uint8Array[] = [];
  let sent: Uint8Array | undefined;
  const told: string[] = [];

  const now = () => plan.clock?.monotonic() ?? 0;
  const restart = () => {
    lastFcb = undefined;
    part = 0;
    sent = undefined;
  };

  const readings = (fcb: boolean): Uint8Array | undefined => {
    // A repeated bit asks for the same telegram again; a toggled one for the next.
    const isAgain = lastFcb === fcb && sent !== undefined;
    if (!isAgain && part === 0 && plan.rationMs !== undefined && now() < silentUntil) return undefined;
    readouts++;
    if (isAgain) return sent;
    lastFcb = fcb;
    if (busyLeft > 0) {
      busyLeft--;
      sent = frameOf(0x08, meter.primary, 0x70, [8]);
      return sent;
    }
    if (part >= parts.length) part = 0;
    if (part === 0) parts = plan.telegrams(application);
    const data = parts[part++] ?? new Uint8Array();
    silentUntil = now() + (plan.rationMs ?? 0);
    sent =
      plan.raw ??
      frameOf(0x08, meter.primary, 0x72, [
        ...identityOctets(identity),
        accessNumber++ & 0xff,
        plan.status ?? 0,
        0,
        0,
        ...data,
      ]);
    return sent;
  };

  const obey = (request: Request): Uint8Array | undefined => {
    const { c, address, ci, data } = request;
    if (ci === 0x52 && address === 253) {
      selected = isMeant(identity, data);
      if (selected) restart();
      // Selecting counts as the first frame of the conversation's other direction, and not as one of this.
      return selected ? ack : undefined;
    }
    const mine = address === meter.primary || address >= 254 || (address === 253 && selected);
    if (!mine) return undefined;
    if (c === 0x40) {
      if (address === 253) selected = false;
      restart();
      return ack;
    }
    if ((c & 0x5f) === 0x5b) return readings((c & 0x20) !== 0);
    if ((c & 0x5f) === 0x53) return command(c, ci, data);
    return undefined;
  };

  const command = (c: number, ci: number | undefined, data: Uint8Array): Uint8Array | undefined => {
    const fcb = (c & 0x20) !== 0;
    if (plan.strictFcb && lastFcb === fcb && sent !== undefined) return sent;
    const result = doAs(ci ?? 0, data);
    if (plan.strictFcb) {
      lastFcb = fcb;
      sent = result;
    }
    return result;
  };

  const doAs = (ci: number, data: Uint8Array): Uint8Array | undefined => {
    if (ci === 0x50) {
      restart();
      application = data[0] ?? 0;
      told.push(`application ${hex(data)}`);
      return ack;
    }
    if (ci === 0x54) {
      told.push("freeze");
      return ack;
    }
    if (ci >= 0xb8 && ci <= 0xbf) {
      const next = rates[ci - 0xb8] ?? rate;
      if (!plan.stubborn && next !== rate) trial = { before: rate, until: now() + fallbackMs };
      if (!plan.stubborn) rate = next;
      told.push(`rate ${next}`);
      return ack;
    }
    if (ci !== 0x51) return undefined;
    if (!plan.stubborn) become(data);
    told.push(`record ${hex(data)}`);
    return ack;
  };

  const become = (data: Uint8Array) => {
    const [dif, vif] = data;
    if (data.length === 3 && dif === 0x01 && vif === 0x7a) meter.primary = data[2] ?? 0;
    if (data.length === 6 && (dif === 0x0c || dif === 0x07) && vif === 0x79) {
      const digits = [...data.subarray(2)].reverse().map(octet => octet.toString(16).padStart(2, "0"));
      identity = { ...identity, id: digits.join("") };
    }
  };

  const listens = (atRate: number | undefined): boolean => {
    if (trial !== undefined && now() >= trial.until && !plan.staysLost) {
      rate = trial.before;
      trial = undefined;
    }
    return atRate === undefined || atRate === rate;
  };

  const meter: MbusMeter = {
    behaviour: "normal",
    slowMs: 0,
    primary: plan.primary,
    told,
    get identity() {
      return identity;
    },
    get baudRate() {
      return rate;
    },
    get readouts() {
      return readouts;
    },
    answer(octets, atRate) {
      if (!listens(atRate)) return undefined;
      const request = readRequest(octets);
      if (request === undefined) return undefined;
      // Heard at the new rate: it stays.
      if (atRate !== undefined) trial = undefined;
      const answer = obey(request);
      if (answer === undefined || request.address === 255 || meter.behaviour === "silent") return undefined;
      answers++;
      if (meter.behaviour === "normal" || (meter.behaviour === "noisy" && answers % 3 !== 0)) return answer;
      const spoilt = answer.slice();
      spoilt[spoilt.length >> 1] = (spoilt[spoilt.length >> 1] ?? 0) ^ 0x24;
      return spoilt;
    },
  };
  return meter;
}

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex").toUpperCase();
