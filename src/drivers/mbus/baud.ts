// Baud rates (EN 13757-2, 4.3; -3, 11.7): which one a line's meters talk at, and telling one meter another. A meter acknowledges at
// the old rate, must hear from its master soon at the new one, and otherwise falls back or is lost: then it is looked for.

import { DeviceFault } from "#contract/faults.ts";
import { type Address, everyAddress, formatAddress, selectedAddress } from "./address.ts";
import { encodeReqUd2, encodeSndNke } from "./frame.ts";
import type { Bus } from "./line.ts";
import { deselect, selectRequest } from "./selection.ts";
import { type Contact, converse } from "./session.ts";

/** In the order of their codes, B8 to BF. */
export const baudRates = [300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400] as const;
export type BaudRate = (typeof baudRates)[number];
const firstCode = 0xb8;
export const setRateCode = (rate: BaudRate): number => firstCode + baudRates.indexOf(rate);

/** Most meters talk at one of the first three. */
export const likelyRates: readonly BaudRate[] = [2400, 300, 9600, 1200, 600, 4800, 19_200, 38_400];

export interface SwitchResult {
  /** At which the meter was heard in the end; undefined: at none. */
  readonly rate: number | undefined;
  readonly text: string;
}

/** Throws `DeviceFault` when the meter does not acknowledge at the old rate: then nothing was changed. */
export async function switchBaud(
  bus: Bus,
  contact: Contact,
  wanted: BaudRate,
  signal: AbortSignal,
): Promise<SwitchResult> {
  const who = formatAddress(contact.address);
  const { atRate, baudRate: old } = bus;
  if (atRate === undefined) throw new DeviceFault("refused", `${who}: this line cannot change its rate`);
  const code = setRateCode(wanted);
  // A selected meter stays selected through the change; letting go of it is for afterwards.
  await converse(bus, contact, signal, async session => {
    await session.tell(code, new Uint8Array(), signal);
    if (contact.address.kind === "secondary") await atRate(wanted, () => greet(bus, contact.address, signal));
  });
  const tried = [...new Set([wanted, old, 300, 2400])];
  for (const rate of tried) {
    if (!(await atRate(rate, () => isThere(bus, contact.address, signal)))) continue;
    const text =
      rate === wanted
        ? `${who}: the meter talks at ${rate} baud now; set its node to this rate`
        : `${who}: the meter did not stay at ${wanted} baud, it talks at ${rate}`;
    return { rate, text };
  }
  return { rate: undefined, text: `${who}: the meter is not heard at ${tried.join(", ")} baud` };
}

/** SND_NKE at the new rate keeps the meter there. */
const greet = async (bus: Bus, address: Address, signal: AbortSignal): Promise<void> => {
  const at = address.kind === "primary" ? address.address : selectedAddress;
  await bus.exchange(encodeSndNke(at), "ack", signal);
};

async function isThere(bus: Bus, address: Address, signal: AbortSignal): Promise<boolean> {
  const request = address.kind === "primary" ? encodeSndNke(address.address) : selectRequest(address);
  for (let tries = 0; tries < 2; tries++) {
    const { kind } = await bus.exchange(request, "ack", signal);
    if (kind !== "ack") continue;
    if (address.kind === "secondary") await deselect(bus, signal);
    return true;
  }
  return false;
}

export type Heard = "meter" | "several" | "nothing";

/**
 * Is anybody there at the line's present rate? Everybody is called at once (selected by wildcard, and 254 where nobody knows
 * selection): what comes is one meter's sound answer, or the noise of several, or of one at another rate.
 */
export async function whoIsThere(bus: Bus, signal: AbortSignal): Promise<Heard> {
  const selected = await bus.exchange(selectRequest({ digits: "F".repeat(16) }), "ack", signal);
  bus.nobodySelected = false;
  const at = selected.kind === "silence" ? everyAddress : selectedAddress;
  if (selected.kind === "garbled") return "several";
  const answer = await bus.exchange(encodeReqUd2(at, true), () => true, signal);
  if (selected.kind === "ack") await deselect(bus, signal);
  if (answer.kind === "answer") return "meter";
  return answer.kind === "garbled" || selected.kind === "ack" ? "several" : "nothing";
}
