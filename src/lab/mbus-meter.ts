// Simulated M-Bus slaves, written from the slave's side of EN 13757-2 and -3 with their own reading of the octets: a partner
// to test the driver against must not share its mistakes.

import type { Clock } from "#base/clock.ts";

/** Says what a meter does with the next requests. "garbled" spoils one octet of each answer. */
export type Behaviour = "normal" | "silent" | "garbled";

export interface MbusMeter {
  /** One request frame, whoever it is for; undefined when this meter keeps silent. */
  answer(request: Uint8Array): Uint8Array | undefined;
  behaviour: Behaviour;
  /** Added to the meter's own reaction time. */
  slowMs: number;
  primary: number;
  /** Requests for readings it answered or would have answered. */
  readonly readouts: number;
  readonly identity: MeterIdentity;
}

export interface MeterIdentity {
  /** Eight digits. */
  readonly id: string;
  /** Three letters. */
  readonly manufacturer: string;
  readonly version: number;
  readonly medium: number;
}

export interface MeterPlan {
  readonly identity: MeterIdentity;
  readonly primary: number;
  readonly status?: number;
  /** Record octets of each telegram of a readout; all but the last end with DIF 1F. Asked anew for each readout. */
  readonly telegrams: () => readonly Uint8Array[];
  /** Serves this frame as it stands instead of telegrams: a recorded one. */
  readonly raw?: Uint8Array;
}

const ack = Uint8Array.of(0xe5);

export function createMbusMeter(plan: MeterPlan): MbusMeter {
  let selected = false;
  let accessNumber = 0;
  let readouts = 0;
  /** Frame count bit of the last answered request, undefined after a reset. */
  let lastFcb: boolean | undefined;
  let part = 0;
  let parts: readonly Uint8Array[] = [];
  let sent: Uint8Array | undefined;

  const restart = () => {
    lastFcb = undefined;
    part = 0;
    sent = undefined;
  };

  const readings = (fcb: boolean): Uint8Array => {
    readouts++;
    // A repeated bit asks for the same telegram again; a toggled one for the next.
    if (lastFcb === fcb && sent !== undefined) return sent;
    lastFcb = fcb;
    if (part >= parts.length) part = 0;
    if (part === 0) parts = plan.telegrams();
    const data = parts[part++] ?? new Uint8Array();
    sent = plan.raw ?? respond(meter.primary, plan, accessNumber++ & 0xff, data);
    return sent;
  };

  const obey = (request: Request): Uint8Array | undefined => {
    const { c, address, ci, data } = request;
    if (ci === 0x52 && address === 253) {
      selected = isMeant(plan.identity, data);
      if (selected) restart();
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
    if ((c & 0x5f) === 0x53) return command(ci, data);
    return undefined;
  };

  const command = (ci: number | undefined, data: Uint8Array): Uint8Array | undefined => {
    if (ci === 0x50) restart();
    else if (ci === 0x51 && data.length === 3 && data[0] === 0x01 && data[1] === 0x7a) meter.primary = data[2] ?? 0;
    else if (ci !== 0x51) return undefined;
    return ack;
  };

  const meter: MbusMeter = {
    behaviour: "normal",
    slowMs: 0,
    primary: plan.primary,
    identity: plan.identity,
    get readouts() {
      return readouts;
    },
    answer(octets) {
      const request = readRequest(octets);
      if (request === undefined) return undefined;
      const answer = obey(request);
      if (answer === undefined || request.address === 255 || meter.behaviour === "silent") return undefined;
      if (meter.behaviour === "normal") return answer;
      const spoilt = answer.slice();
      spoilt[spoilt.length >> 1] = (spoilt[spoilt.length >> 1] ?? 0) ^ 0x24;
      return spoilt;
    },
  };
  return meter;
}

interface Request {
  readonly c: number;
  readonly address: number;
  readonly ci?: number;
  readonly data: Uint8Array;
}

/** A request with a sound checksum, or nothing: a slave does not answer what it cannot read. */
function readRequest(octets: Uint8Array): Request | undefined {
  const [start, c = 0, address = 0] = octets;
  if (start === 0x10 && octets.length === 5) {
    return octets[3] === ((c + address) & 0xff) && octets[4] === 0x16
      ? { c, address, data: new Uint8Array() }
      : undefined;
  }
  if (start !== 0x68 || octets[1] !== octets[2] || octets.length !== (octets[1] ?? 0) + 6) return undefined;
  const body = octets.subarray(4, -2);
  const sum = body.reduce((total, octet) => (total + octet) & 0xff, 0);
  if (octets.at(-2) !== sum || octets.at(-1) !== 0x16) return undefined;
  return { c: body[0] ?? 0, address: body[1] ?? 0, ci: body[2] ?? 0, data: body.subarray(3) };
}

function isMeant(identity: MeterIdentity, select: Uint8Array): boolean {
  const own = identityOctets(identity);
  if (select.length < 8) return false;
  for (let at = 0; at < 4; at++) {
    const [wanted, have] = [select[at] ?? 0, own[at] ?? 0];
    if (wanted >> 4 !== 15 && wanted >> 4 !== have >> 4) return false;
    if ((wanted & 15) !== 15 && (wanted & 15) !== (have & 15)) return false;
  }
  const anyMaker = select[4] === 255 && select[5] === 255;
  const maker = anyMaker || (select[4] === own[4] && select[5] === own[5]);
  return maker && [6, 7].every(at => select[at] === 255 || select[at] === own[at]);
}

function identityOctets({ id, manufacturer, version, medium }: MeterIdentity): Uint8Array {
  const maker = [...manufacturer].reduce((code, letter) => code * 32 + letter.charCodeAt(0) - 64, 0);
  return Uint8Array.of(...bcd(Number(id), 4), maker & 0xff, maker >> 8, version, medium);
}

/** RSP_UD with a long header (CI 72). */
function respond(address: number, plan: MeterPlan, accessNumber: number, data: Uint8Array): Uint8Array {
  const body = [0x08, address, 0x72, ...identityOctets(plan.identity), accessNumber, plan.status ?? 0, 0, 0, ...data];
  const sum = body.reduce((total, octet) => (total + octet) & 0xff, 0);
  return Uint8Array.of(0x68, body.length, body.length, 0x68, ...body, sum, 0x16);
}

/** Least significant octet first. */
export function bcd(value: number, octets: number): number[] {
  const digits = String(Math.trunc(value))
    .padStart(2 * octets, "0")
    .slice(-2 * octets);
  return (digits.match(/../g) ?? []).map(pair => Number.parseInt(pair, 16)).reverse();
}

export const int = (value: number, octets: number): number[] =>
  Array.from({ length: octets }, (_, at) => Math.floor(value / 256 ** at) & 0xff);

export interface SimulatedMeter {
  readonly id: string;
  readonly primary: number;
  readonly clock: Clock;
  /** Reading at the moment the simulation begins, in the meter's unit (kWh, m3). */
  readonly start?: number;
  /** Splits the readout into this many telegrams, 1 or 2. */
  readonly telegrams?: 1 | 2;
}

/** Heat: energy in kWh, volume, flow, power, both temperatures, operating time, and the values of the last set day. */
export function heatMeter({ id, primary, clock, start = 18_437, telegrams = 1 }: SimulatedMeter): MbusMeter {
  const began = clock.now();
  const powerKw = 12.4;
  const flowM3h = 0.532;
  const hours = () => (clock.now() - began) / 3_600_000;
  const momentary = () => [
    ...[0x04, 0x06, ...int(start + powerKw * hours(), 4)],
    ...[0x04, 0x13, ...int((start / 25 + flowM3h * hours()) * 1000, 4)],
    ...[0x04, 0x3b, ...int(flowM3h * 1000, 4)],
    ...[0x04, 0x2b, ...int(powerKw * 1000, 4)],
    ...[0x0a, 0x5a, ...bcd(712, 2)],
    ...[0x0a, 0x5e, ...bcd(418, 2)],
    ...[0x0b, 0x61, ...bcd(2940, 3)],
    ...[0x04, 0x26, ...int(21_900 + hours(), 4)],
  ];
  const setDay = [
    0x44,
    0x06,
    ...int(start - 4200, 4),
    0x44,
    0x13,
    ...int((start / 25 - 168) * 1000, 4),
    0x42,
    0x6c,
    ...lastSetDay(began),
  ];
  return createMbusMeter({
    identity: { id, manufacturer: "KAM", version: 8, medium: 4 },
    primary,
    telegrams: () =>
      telegrams === 1
        ? [Uint8Array.from([...momentary(), ...setDay])]
        : [Uint8Array.from([...momentary(), 0x1f]), Uint8Array.from(setDay)],
  });
}

/** Cold water: volume and flow, and the volume of the last set day. */
export function waterMeter({ id, primary, clock, start = 731.226 }: SimulatedMeter): MbusMeter {
  const began = clock.now();
  const flowM3h = 0.084;
  const volume = () => start + (flowM3h * (clock.now() - began)) / 3_600_000;
  return createMbusMeter({
    identity: { id, manufacturer: "ELS", version: 22, medium: 7 },
    primary,
    telegrams: () => [
      Uint8Array.from([
        ...[0x0c, 0x13, ...bcd(volume() * 1000, 4)],
        ...[0x0b, 0x3b, ...bcd(flowM3h * 1000, 3)],
        ...[0x4c, 0x13, ...bcd((start - 96.5) * 1000, 4)],
        ...[0x42, 0x6c, ...lastSetDay(began)],
      ]),
    ],
  });
}

/** Type G: the last 31 December before the simulation began. */
function lastSetDay(at: number): number[] {
  const year = new Date(at).getUTCFullYear() - 1 - 2000;
  return [31 | ((year & 7) << 5), 12 | ((year & 0x78) << 1)];
}
