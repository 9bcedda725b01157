// CLK: clock synchronisation: telling the time, and knowing how far off it is.

import type { Family } from "./family.ts";

export const clk: Family = {
  name: "CLK",
  title: "Clock synchronisation",
  requirements: {
    "CLK-RESP-01 M": "The time is told at once, taken just before it is written, past every queue.",
    "CLK-RESP-02 M": "It ends in Z and has seven digits after the point.",
    "CLK-RESP-03 S": "A monotonic counter and its frequency come with it, both or neither.",
    "CLK-RESP-04 M": "Time and counter are taken together, and the counter never goes back.",
    "CLK-RESP-05 M": "Everybody who may ask may ask this, ten times a second at most.",
    "CLK-RESP-06 M": "The answer has the namespace of the request, and a set is not implemented.",
    "CLK-SRC-01 M": "The source of our time is told as a bare JID.",
    "CLK-SRC-02 M": "Without a source on XMPP it is not found.",
    "CLK-SRC-03 S": "All generations are announced, with both requests.",
    "CLK-MEAS-01 Y": "Difference and delay to another clock are halves of sums of four times.",
    "CLK-MEAS-02 Y": "Measurements are filtered: late ones and spikes are left out.",
    "CLK-MEAS-03 S": "A large difference marks readings timed by us and warns; the system's clock is never set.",
  },
};
