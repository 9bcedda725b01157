// Listening to what is said on a node's line: Concentrator.xsd, registerSniffer, sniffer, unregisterSniffer and the messages
// sniff (section 9 of the concentrator interface).

import { attr, body, element, mixed, optional, type Value } from "#xml/codec.ts";
import { base64, dateTime, identifier, text } from "#xml/scalars.ts";
import { nodeAttributes, tokens } from "./address.wire.ts";

const snifferId = attr("snifferId", identifier);

/** `expires`: milliseconds since 1970 UTC. */
export const registerSniffer = element("registerSniffer", {
  ref: nodeAttributes,
  expires: optional("expires", dateTime),
  tokens,
});
export const sniffer = element("sniffer", { snifferId, expires: attr("expires", dateTime) });
export const unregisterSniffer = element("unregisterSniffer", { ref: nodeAttributes, snifferId, tokens });

/** In the order it was said; all of it within one window of time, whose beginning is `at`. */
export const sniff = element("sniff", {
  snifferId,
  at: attr("timestamp", dateTime),
  items: mixed({
    rxBin: element("rxBin", { bytes: body(base64) }),
    txBin: element("txBin", { bytes: body(base64) }),
    rx: element("rx", { text: body(text) }),
    tx: element("tx", { text: body(text) }),
    info: element("info", { text: body(text) }),
    warning: element("warning", { text: body(text) }),
    error: element("error", { text: body(text) }),
    exception: element("exception", { text: body(text) }),
    expired: element("expired", {}),
  }),
});
export type SniffMessage = Value<typeof sniff>;
