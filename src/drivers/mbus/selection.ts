// Selecting a meter by its face (EN 13757-3, 11.3): every meter that fits the mask answers at 253 from then on, every other one
// lets go. A selection begins the frame count anew.

import { type SecondaryAddress, selectedAddress, selectOctets } from "./address.ts";
import { encodeSndNke, encodeSndUd } from "./frame.ts";
import type { Bus, Outcome } from "./line.ts";

const selectCode = 0x52;

export const selectRequest = (mask: Omit<SecondaryAddress, "kind">): Uint8Array =>
  encodeSndUd(selectedAddress, true, selectCode, selectOctets(mask));

/**
 * Lets go of whoever may be selected, so that he forgets his frame count, then selects. Where nobody is selected that is left
 * out: asking nobody costs a whole timeout. `exchange` may repeat.
 */
export async function select(
  bus: Bus,
  mask: SecondaryAddress,
  signal: AbortSignal,
  exchange: (request: Uint8Array) => Promise<Outcome> = request => bus.exchange(request, "ack", signal),
): Promise<Outcome> {
  if (!bus.nobodySelected) await bus.exchange(encodeSndNke(selectedAddress), "ack", signal);
  bus.nobodySelected = false;
  return exchange(selectRequest(mask));
}

/** Failing is harmless: the next selection begins by letting go. */
export async function deselect(bus: Bus, signal: AbortSignal): Promise<void> {
  try {
    const outcome = await bus.exchange(encodeSndNke(selectedAddress), "ack", signal);
    // Several that were selected may answer at once, which is no clean acknowledgement, and have let go all the same.
    bus.nobodySelected = outcome.kind === "ack";
  } catch {
    bus.nobodySelected = false;
  }
}
