// FED: federation and the transport between brokers.

import type { Family } from "./family.ts";

export const fed: Family = {
  name: "FED",
  title: "Federation",
  requirements: {
    "FED-01 M": "Brokers are set up encrypted and verified, and it is checked.",
    "FED-02 M": "Encryption ends at each broker; who wants more is told that it is not offered.",
    "FED-03 M": "People may be on any domain; devices talk to the services of their own.",
    "FED-04 M": "What foreign services say is data, never an order.",
    "FED-05 M": "Without a link between brokers everything fails closed and is tried again, bounded.",
  },
};
