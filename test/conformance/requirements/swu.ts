// SWU: software updates: the appliance as a client of the broker's component.

import type { Family } from "./family.ts";

export const swu: Family = {
  name: "SWU",
  title: "Software updates",
  requirements: {
    "SWU-CLI-01 M": "The component is found by disco and spoken to in a generation it offers.",
    "SWU-CLI-02 M": "Only the component's own JID is listened to.",
    "SWU-CLI-03 M": "A file name is one plain segment; anything that could lead elsewhere is refused.",
    "SWU-CLI-04 M":
      "The signature is checked with a pinned key before anything touches the bytes; a bad one deletes them.",
    "SWU-CLI-05 M": "Size, room on the disk and a later date are checked; there is no way back to an older package.",
    "SWU-CLI-06 M": "Only secured addresses are loaded from, and redirects lead nowhere else.",
    "SWU-CLI-07 M": "Failures of the server are tried again ever more slowly; refusals are not.",
    "SWU-CLI-08 M": "Nothing is installed by itself: the owner is told, and a backup comes first.",
    "SWU-CLI-09 S": "After each connection it subscribes and catches up; late notices are ordered by date.",
    "SWU-CLI-10 M": "A deleted package is removed if not installed, and nothing is uninstalled.",
    "SWU-CLI-11 M": "A notice seen before is passed over, and loading waits a random while.",
    "SWU-SRV-01 Y": "The service used in tests answers in the generation of request or subscription.",
    "SWU-SRV-02 Y": "It keeps subscriptions by bare JID, and a star takes all of them away.",
    "SWU-SRV-03 Y": "It notifies the bare JID, so that a broker can keep the notice.",
    "SWU-SRV-04 Y": "It does not find an unknown file.",
    "SWU-SRV-05 Y": "Sending packages to it is outside of this interface.",
  },
  exempt: {
    "SWU-SRV-05": "There is nothing to do: uploading is no part of the interface.",
  },
};
