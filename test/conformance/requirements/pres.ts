// PRES: identities and consent by presence, at the appliance and at the component.

import type { Family } from "./family.ts";

export const pres: Family = {
  name: "PRES",
  title: "Identity and consent",
  requirements: {
    "PRES-ID-01 M": "Decisions are about the sender the broker stamped, in its one spelling.",
    "PRES-ID-02 M": "The resource is the broker's choice, new each session, and told nobody else.",
    "PRES-ID-03 M": "An account is used by one program; a second one is an alarm.",
    "PRES-SUB-01 M": "Who asks to see us is decided in a fixed order.",
    "PRES-SUB-02 M": "Accepting asks back only whom we need to see.",
    "PRES-SUB-03 M": "Consent withdrawn ends at once what was running.",
    "PRES-SUB-04 M": "Consent is taken back with the roster, and a new resource where it matters.",
    "PRES-SUB-05 M": "A pairing token lets in once.",
    "PRES-SUB-06 M": "Requests are bounded and answered alike within the hour.",
    "PRES-IQ-01 M": "Strangers are refused unread.",
    "PRES-IQ-02 M": "A service is one that is on the list, not one that looks like it.",
    "PRES-IQ-03 M": "Messages of strangers are dropped, and services' words taken from services.",
    "PRES-IQ-04 M": "The roster is changed by the own server only.",
    "PRES-IQ-05 M": "Being let in permits nothing else.",
    "PRES-REP-01 M": "Answers need the right id and sender; a request repeated is answered, not done again.",
    "PRES-OUT-01 M": "Presence comes last, with what we can do and nothing of where we are.",
    "PRES-DISCO-01 M": "What we offer is told in all generations, and not to strangers.",
    "PRES-BLK-01 M": "Blocking is used where the server offers it.",
    "PRES-CMP-01 M": "The component joins by its secret, comes back patiently, and is alone.",
    "PRES-CMP-02 M": "It keeps a roster of its own.",
    "PRES-CMP-03 M": "It speaks from its bare address, and its other addresses are nobody.",
    "PRES-CMP-04 M": "It trusts senders because only its broker reaches it.",
    "PRES-CMP-05 M": "It checks that it can be found, and warns.",
    "PRES-THR-01 M": "Floods of requests do not reach the owner.",
    "PRES-THR-02 M": "Addresses that look alike are told apart.",
    "PRES-THR-03 M": "A broker that lies about senders is outside of this.",
    "PRES-THR-04 M": "Presence gives away as little as it can.",
  },
  exempt: { "PRES-THR-03": "Plain stanzas rest on the broker; end-to-end signatures are another part." },
};
