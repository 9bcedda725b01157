// LOG: event logging over XMPP.

import type { Family } from "./family.ts";

export const log: Family = {
  name: "LOG",
  title: "Event logging",
  requirements: {
    "LOG-SND-01 M": "Nothing is sent unless told where to.",
    "LOG-SND-02 M": "Events have exact times, stable names and who did what where.",
    "LOG-SND-03 M": "They say their language, have no body and are not stored.",
    "LOG-SND-04 M": "No secret is ever in an event.",
    "LOG-SND-05 M": "They wait bounded, at a bounded rate, alike ones as one; a failing sink makes no events.",
    "LOG-SND-06 M": "Texts are bounded and valid.",
    "LOG-SND-07 M": "A destination that bounces rests, and there is no other.",
    "LOG-RCV-01 Y": "A receiver takes events of those on its list.",
    "LOG-RCV-02 Y": "It treats their texts as hostile.",
    "LOG-RCV-03 Y": "It takes a stack trace in either form.",
    "LOG-AUD-01 M": "What concerns security is always told.",
  },
};
