// Reading one meter (EN 13757-2, 5; -3, 11.5): reset the link, select where it is addressed by its face, ask with the frame
// count bit toggling after each good exchange, and follow the telegrams that say more is to come.

import { DeviceFault } from "#contract/faults.ts";
import { mbusRetriesMax, mbusTelegramsMax } from "#limits.ts";
import { type Address, everyAddress, formatAddress, isSelected, selectedAddress, selectOctets } from "./address.ts";
import { faultWords } from "./fault-words.ts";
import { control, directionOf, encodeReqUd2, encodeSndNke, encodeSndUd, type LongFrame, sameData } from "./frame.ts";
import { decodeLongHeader, type FixedStructure, type LongHeader, type ShortHeader } from "./header.ts";
import type { Bus, Outcome, Wanted } from "./line.ts";
import type { Item } from "./record.ts";
import { type Body, decodeBody } from "./telegram.ts";

/** All telegrams of one readout: they share one time and are published as one. */
export interface Readout {
  /** Receipt of the first telegram, milliseconds since 1970. */
  readonly at: number;
  readonly header?: LongHeader | ShortHeader;
  readonly items: readonly Item[];
  readonly fixed?: FixedStructure;
  /** The records are encrypted and cannot be read, and why. */
  readonly withheld?: string;
  readonly telegrams: number;
  /** The meter had more to say than the limit allows. */
  readonly cut: boolean;
}

export interface How {
  readonly address: Address;
  /** 16 octets, where the meter encrypts. */
  readonly key?: Uint8Array;
  /** One try only: a meter that rests is asked cheaply. */
  readonly probing: boolean;
  /** Told of each repeated request. */
  readonly retried: () => void;
}

/** Throws `DeviceFault`: timeout, garbled, refused (the meter says no), unreachable (the line is lost). */
export async function readMeter(bus: Bus, how: How, signal: AbortSignal): Promise<Readout> {
  if (how.address.kind === "primary") {
    const { address } = how.address;
    await acknowledged(bus, encodeSndNke(address), how, signal);
    return readTelegrams(bus, address, how, signal);
  }
  // Whoever is selected lets go, and forgets the frame count. Nobody answers when nobody was.
  await bus.exchange(encodeSndNke(selectedAddress), "ack", signal);
  await acknowledged(bus, encodeSndUd(selectedAddress, true, 0x52, selectOctets(how.address.digits)), how, signal);
  try {
    return await readTelegrams(bus, selectedAddress, how, signal);
  } finally {
    if (!signal.aborted) await bus.exchange(encodeSndNke(selectedAddress), "ack", signal).catch(() => undefined);
  }
}

async function acknowledged(bus: Bus, request: Uint8Array, how: How, signal: AbortSignal): Promise<void> {
  const outcome = await persist(bus, request, "ack", how, signal);
  if (outcome.kind !== "ack") throw faultOf(outcome, how);
}

async function readTelegrams(bus: Bus, address: number, how: How, signal: AbortSignal): Promise<Readout> {
  let fcb = true;
  let readout: Readout | undefined;
  let before: LongFrame | undefined;
  for (let telegrams = 1; ; telegrams++) {
    const frame = await answer(bus, encodeReqUd2(address, fcb), how, signal);
    // The line has waited for another: the meter has come round, or never moves on.
    if (readout !== undefined && before !== undefined && sameData(before, frame)) return readout;
    before = frame;
    fcb = !fcb;
    const body = bodyOf(frame, how);
    const more = body.kind === "variable" && body.moreRecordsFollow;
    const cut = more && telegrams >= mbusTelegramsMax;
    readout = join(readout ?? { at: bus.clock.now(), items: [], telegrams: 0, cut: false }, body, cut);
    if (!more || cut) return readout;
  }
}

/** Later telegrams add records; the header is that of the first. */
function join(readout: Readout, body: Body, cut: boolean): Readout {
  const next = { ...readout, telegrams: readout.telegrams + 1, cut };
  if (body.kind === "fixed") return { ...next, fixed: body.fixed };
  if (body.kind !== "variable") return next;
  const header = readout.header ?? body.header ?? undefined;
  return {
    ...next,
    items: [...readout.items, ...body.items],
    ...(header === undefined ? {} : { header }),
    ...(body.withheld === undefined ? {} : { withheld: body.withheld }),
  };
}

async function answer(bus: Bus, request: Uint8Array, how: How, signal: AbortSignal): Promise<LongFrame> {
  const outcome = await persist(bus, request, frame => isAnswer(frame, how.address), how, signal);
  if (outcome.kind !== "answer") throw faultOf(outcome, how);
  return outcome.frame;
}

/** RSP_UD of the meter that was asked, by its address or, when selected, by the identity in its header. */
function isAnswer(frame: LongFrame, address: Address): boolean {
  if (directionOf(frame.c) !== "slave" || (frame.c & 0x0f) !== control.rspUd) return false;
  if (address.kind === "primary") return address.address === everyAddress || frame.a === address.address;
  if (frame.ci !== 0x72 && frame.ci !== 0x76) return true;
  const header = decodeLongHeader(frame.data, frame.ci === 0x76);
  return header === undefined || isSelected(address.digits, header);
}

/** At most two repetitions, octet for octet the same request and so with the same frame count bit. */
async function persist(bus: Bus, request: Uint8Array, wanted: Wanted, how: How, signal: AbortSignal): Promise<Outcome> {
  const triesMax = how.probing ? 1 : 1 + mbusRetriesMax;
  for (let tries = 1; ; tries++) {
    const outcome = await bus.exchange(request, wanted, signal);
    if (outcome.kind === "ack" || outcome.kind === "answer" || tries === triesMax) return outcome;
    how.retried();
  }
}

function faultOf(outcome: Outcome, { address }: How): DeviceFault {
  const who = formatAddress(address);
  return outcome.kind === "garbled"
    ? new DeviceFault(
        "garbled",
        `${who}: the answer is garbled (${faultWords(outcome.reason)}): noise, or two meters with one address`,
      )
    : new DeviceFault("timeout", `${who}: no answer: check the address, the wiring and the meter`);
}

/** CI 70, EN 13757-3. */
const applicationErrors: Readonly<Record<number, string>> = {
  1: "it does not know what it was told",
  2: "its buffer is too small",
  3: "too many records",
  4: "a record ended too early",
  5: "too many extensions (DIFE)",
  6: "too many extensions (VIFE)",
  8: "it is busy, try again later",
  9: "it was read too often, try again later",
};

function bodyOf(frame: LongFrame, { address, key }: How): Body {
  const who = formatAddress(address);
  const body = decodeBody(frame, key);
  if (body === "decrypt-check") throw new DeviceFault("garbled", `${who}: the decryption key is wrong`);
  if (typeof body === "string")
    throw new DeviceFault("garbled", `${who}: the telegram cannot be read: ${faultWords(body)}`);
  if (body.kind === "application-error") {
    const why = applicationErrors[body.code ?? 0] ?? "no reason given";
    throw new DeviceFault("refused", `${who}: the meter reports an error: ${why}`);
  }
  if (body.kind !== "variable" && body.kind !== "fixed") {
    throw new DeviceFault("garbled", `${who}: the answer holds no readings`);
  }
  return body;
}
