// SD: sensor data: how a readout is asked for, answered and cancelled.

import type { Family } from "./family.ts";

export const sd: Family = {
  name: "SD",
  title: "Sensor data",
  requirements: {
    "SD-REQ-01 M": "A readout has an id, bounded in length, that belongs to the full JID of the asker.",
    "SD-REQ-02 M": "An id that is still active for this asker is a conflict.",
    "SD-REQ-03 M": "No category asks for nothing; all overrides the letters.",
    "SD-REQ-04 M": "Field names select exactly; names that do not exist are passed over.",
    "SD-REQ-05 M": "The bounds of time are inclusive and hold for every field; malformed ones are refused.",
    "SD-REQ-06 M": "No node means none, answered at once and empty.",
    "SD-REQ-07 M": "One node that is unknown or invisible refuses the whole; a node named twice is read once.",
    "SD-REQ-08 M": "A node that cannot be read now is an error under its name, and the others are read.",
    "SD-REQ-09 M": "Seeing, then reading, is decided before anything is said; a narrowed answer is applied in silence.",
    "SD-REQ-10 M": "Owners of the node and of the appliance need no question.",
    "SD-REQ-11 M":
      "A readout for later is accepted as queued and begins at its time; the past is now, too far is refused.",
    "SD-REQ-12 M": "The right is looked at again when a queued readout begins; lost, it ends with one error.",
    "SD-REQ-13 M": "Active readouts of a bare JID are bounded.",
    "SD-REQ-14 S": "Who asks the same device at once shares one reading of it, each with his own selection.",

    "SD-RESP-01 M": "What is there at once is the answer of the iq; otherwise it says started, and messages follow.",
    "SD-RESP-02 M": "Every part but the last says that there is more.",
    "SD-RESP-03 M": "There is one end, also after a timeout, and nothing after it.",
    "SD-RESP-04 M": "Every part carries the id of the request.",
    "SD-RESP-05 M": "Data stands under its node with the node's own address; errors of no node stand by themselves.",
    "SD-RESP-06 M": "Fields of a node and time stand together, oldest first; each part can be understood alone.",
    "SD-RESP-07 M": "A field lists its categories and never says all.",
    "SD-RESP-08 M": "A field is sent if one of its categories was asked for, and names only those asked for.",
    "SD-RESP-09 M": "Numbers are plain decimals with the zeros that belong to them.",
    "SD-RESP-10 M": "What has no value is left out or said as an error, never as a number.",
    "SD-RESP-11 M": "The time is that of measurement; automatic readings, a doubtful clock and node faults are marked.",
    "SD-RESP-12 S": "Of the fields with a parameter's name the momentary one is marked as settable.",
    "SD-RESP-13 S": "Field names are readable, stable English, after the harmonised ones where they fit.",
    "SD-RESP-14 M": "A unit is left out where there is none; an enumeration names its type.",
    "SD-RESP-15 M": "A node may have several errors, in words for people and without internals.",
    "SD-RESP-16 M": "Long histories come in parts, not faster than they can be taken.",
    "SD-RESP-17 M": "When the asker goes, or a message bounces, his readout is dropped.",

    "SD-CAN-01 M": "Cancelling always succeeds, and nothing is said afterwards.",
    "SD-CAN-02 S": "Cancelling also stops what is running, and only the same full JID can.",
    "SD-CAN-03 M": "No cancelled element of the old dialect is sent.",

    "SD-DIS-01 D": "Requests are taken as get and set: COM-STZ-03.",
    "SD-DIS-02 D": "The answer has the request's generation: COM-NS-02.",
    "SD-DIS-03 D": "Nodes or bare times are written, a mixture is read: SD-RESP-05.",
    "SD-DIS-04 D": "A request without nodes gets an empty answer: SD-REQ-06.",
    "SD-DIS-05 D": "One category in common is enough: SD-RESP-08.",
    "SD-DIS-06 D": "An error is no end by itself: SD-RESP-03.",
    "SD-DIS-07 D": "Malformed tokens are malformed XML, refused by the parser: COM-LEX-07.",
    "SD-DIS-08 D": "Localisation steps are read leniently and written strictly: SD-RESP-13.",
  },
};
