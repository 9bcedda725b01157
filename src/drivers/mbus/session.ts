// A conversation with one meter (EN 13757-2, 5.5 to 5.7): the link is reset, the frame count bit begins at 1 and turns after each
// good exchange, and what failed is asked again, octet for octet, at most twice.

import { DeviceFault } from "#contract/faults.ts";
import { mbusRetriesMax } from "#limits.ts";
import { type Address, broadcastAddress, everyAddress, formatAddress, isSelected, selectedAddress } from "./address.ts";
import { faultWords } from "./fault-words.ts";
import { control, directionOf, encodeReqUd2, encodeSndNke, encodeSndUd, type LongFrame } from "./frame.ts";
import { decodeLongHeader } from "./header.ts";
import type { Bus, Outcome, Wanted } from "./line.ts";
import { deselect, select } from "./selection.ts";

export interface Contact {
  readonly address: Address;
  /** One try only: a meter that rests is asked cheaply. */
  readonly probing: boolean;
  /** Told of each repeated request. */
  readonly retried: () => void;
}

/** Throws `DeviceFault`: timeout, garbled, unreachable (the line is lost). */
export interface Session {
  /** The next telegram: the one after the last good one. */
  ask(signal: AbortSignal): Promise<LongFrame>;
  /** SND_UD, acknowledged. */
  tell(ci: number, data: Uint8Array, signal: AbortSignal): Promise<void>;
  /** SND_UD, and what became of it, when silence may be all right. */
  attempt(ci: number, data: Uint8Array, signal: AbortSignal): Promise<Outcome>;
}

/**
 * Resets the link, selects where the meter is addressed by its face, and lets go of it at the end. The frame count bit lives as
 * long as this: each conversation begins it anew, since another master may have been here in between.
 */
export async function converse<T>(
  bus: Bus,
  contact: Contact,
  signal: AbortSignal,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const { address } = contact;
  if (address.kind === "primary") {
    await acknowledged(bus, encodeSndNke(address.address), contact, signal);
    return work(sessionOf(bus, contact, address.address));
  }
  const outcome = await select(bus, address, signal, request => persist(bus, request, "ack", contact, signal));
  if (outcome.kind !== "ack") throw faultOf(outcome, address);
  try {
    return await work(sessionOf(bus, contact, selectedAddress));
  } finally {
    if (!signal.aborted) await deselect(bus, signal);
  }
}

function sessionOf(bus: Bus, contact: Contact, at: number): Session {
  let fcb = true;
  const attempt: Session["attempt"] = async (ci, data, signal) => {
    const outcome = await persist(bus, encodeSndUd(at, fcb, ci, data), "ack", contact, signal);
    if (outcome.kind === "ack") fcb = !fcb;
    return outcome;
  };
  return {
    async ask(signal) {
      const wanted = (frame: LongFrame) => isAnswer(frame, contact.address);
      const outcome = await persist(bus, encodeReqUd2(at, fcb), wanted, contact, signal);
      if (outcome.kind !== "answer") throw faultOf(outcome, contact.address);
      fcb = !fcb;
      return outcome.frame;
    },
    attempt,
    async tell(ci, data, signal) {
      const outcome = await attempt(ci, data, signal);
      if (outcome.kind !== "ack") throw faultOf(outcome, contact.address);
    },
  };
}

async function acknowledged(bus: Bus, request: Uint8Array, contact: Contact, signal: AbortSignal): Promise<void> {
  const outcome = await persist(bus, request, "ack", contact, signal);
  if (outcome.kind !== "ack") throw faultOf(outcome, contact.address);
}

/** RSP_UD of the meter that was asked, by its address or, when selected, by the identity in its header. */
export function isAnswer(frame: LongFrame, address: Address): boolean {
  if (directionOf(frame.c) !== "slave" || (frame.c & 0x0f) !== control.rspUd) return false;
  if (address.kind === "primary") return address.address === everyAddress || frame.a === address.address;
  if (frame.ci !== 0x72 && frame.ci !== 0x76) return true;
  const header = decodeLongHeader(frame.data, frame.ci === 0x76);
  return header === undefined || isSelected(address.digits, header);
}

/** At most two repetitions, octet for octet the same request and so with the same frame count bit. */
async function persist(
  bus: Bus,
  request: Uint8Array,
  wanted: Wanted,
  contact: Contact,
  signal: AbortSignal,
): Promise<Outcome> {
  const triesMax = contact.probing ? 1 : 1 + mbusRetriesMax;
  for (let tries = 1; ; tries++) {
    const outcome = await bus.exchange(request, wanted, signal);
    if (outcome.kind === "ack" || outcome.kind === "answer" || tries === triesMax) return outcome;
    contact.retried();
  }
}

export function faultOf(outcome: Outcome, address: Address): DeviceFault {
  const who = formatAddress(address);
  if (outcome.kind === "garbled") {
    return new DeviceFault(
      "garbled",
      `${who}: the answer is garbled (${faultWords(outcome.reason)}): noise, or two meters with one address`,
    );
  }
  // A line that gave back all it was sent, and now not even that.
  if (outcome.kind === "silence" && outcome.mute)
    return new DeviceFault("timeout", `${who}: the level converter is silent: check its power and its cable`);
  return new DeviceFault("timeout", `${who}: no answer: check the address, the wiring and the meter`);
}

/** Everybody obeys and nobody answers: what became of it is not known. */
export async function tellAll(bus: Bus, ci: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
  await bus.exchange(encodeSndUd(broadcastAddress, true, ci, data), "ack", signal);
}
