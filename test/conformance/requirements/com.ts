// COM: what holds for every interface: generations, stanzas, lexical forms, addresses, language, errors and rights.

import type { Family } from "./family.ts";

export const com: Family = {
  name: "COM",
  title: "Rules of every interface",
  requirements: {
    "COM-NS-01 M": "Each interface is served in its three generations (nfi, nf, ieee) by one handler.",
    "COM-NS-02 M": "An answer is written in the namespace of its question.",
    "COM-NS-03 M": "Messages that follow later are written in the generation of the request that caused them.",
    "COM-NS-04 M": "A subscription of one generation of events brings sensor data of the same generation.",
    "COM-NS-05 M": "disco#info names every generation of every interface served, and the caps hash follows it.",
    "COM-NS-06 M": "Where a word differs between generations (the type of a command), the request chooses it.",
    "COM-NS-07 Y": "The old urn:xmpp:iot dialect, if served, is translated apart and never mixed in.",

    "COM-STZ-01 M":
      "An unknown element of a served namespace is feature-not-implemented in an iq and nothing at all in a message.",
    "COM-STZ-02 M": "The wrong iq type is feature-not-implemented.",
    "COM-STZ-03 M": "The few operations that clients in the field send as get and as set are taken both ways.",
    "COM-STZ-04 M": "Every iq gets one reply and no second one.",
    "COM-STZ-05 M": "The payload of a result is its first child element.",
    "COM-STZ-06 M": "Attributes carry no namespace, in and out.",
    "COM-STZ-07 M": "The order of attributes means nothing; the case of names and of enumerated words does.",
    "COM-STZ-08 S": "Children of a sibling generation are understood; what is foreign or unknown is passed over.",
    "COM-STZ-09 M": "What goes out stays below a bound of bytes, long answers are cut into several messages.",
    "COM-STZ-10 S":
      "Messages sent unasked have no type and no body, go to the full JID, and ask not to be stored or copied.",
    "COM-STZ-11 M": "Senders without address or outside the roster are refused unread, their messages dropped.",
    "COM-STZ-12 S":
      "Answers come within 15 s, and an iq that is repeated within a minute is answered but not done again.",

    "COM-LEX-01 M": "Booleans are read as true, false, 1, 0 and the usual words, and written as true or false.",
    "COM-LEX-02 M":
      "Times are written in UTC with milliseconds; read with any fraction and zone, and without one in the configured zone.",
    "COM-LEX-03 M": "Numbers use the point; infinity and not-a-number are never written.",
    "COM-LEX-04 M": "Durations are those of ISO 8601, with sign and fractions.",
    "COM-LEX-05 M": "A time of day is below 24 hours; it is written without a zone, and read with one too.",
    "COM-LEX-06 M": "Colours have 6 or 8 hexadecimal digits: upper case out, either case in.",
    "COM-LEX-07 M": "What cannot be read is an error; it never becomes 0, false or now.",
    "COM-LEX-08 M":
      "A required name that is missing or too long is a bad request; an empty optional attribute is absent.",

    "COM-ID-01 M": "A node is its id, source and partition, compared letter by letter; absent is the empty text.",
    "COM-ID-02 S": "A node without a source is looked for in the default source.",
    "COM-ID-03 M": "The progress of a query names the node as the request did; everything else names it as it is.",
    "COM-ID-04 M": "A readout or subscription that names no node means none.",

    "COM-LANG-01 M":
      "The language is that of the request element, else of the stanza, else of the stream, else the configured one; an exact match goes before the language without its region.",
    "COM-LANG-02 S": "Words for people are translated; ids, field names and enumerated values never are.",
    "COM-LANG-03 S": "Subscriptions and queries keep the language of the request that made or last renewed them.",
    "COM-LANG-04 S": "The text of an error says in which language it is.",

    "COM-ERR-01 M": "Each kind of refusal has its one stanza condition, with words where they help.",
    "COM-ERR-02 M": "What a caller may not see looks to him exactly like what is not there.",
    "COM-ERR-03 M": "Checked in this order: form of the request, visibility, right, quota, content.",
    "COM-ERR-04 S": "While editing, an error of type modify comes with a form or not at all.",

    "COM-AUTH-01 M": "A caller is his bare JID, with his tokens as evidence to be checked.",
    "COM-AUTH-02 M": "Seeing a node comes before every other right on it, reading and controlling included.",
    "COM-AUTH-03 M":
      "The owner of the appliance manages every node; reading and controlling what another owns is for that owner to grant.",
    "COM-AUTH-04 M": "The owner of a node sees, reads, controls and commands it, whatever the case of his JID.",
    "COM-AUTH-05 M":
      "Everybody else is decided on by the provisioning service, as narrowly as it answers; no answer is a refusal.",
    "COM-AUTH-06 M": "Nodes that nobody owns are open to the appliance's owner alone.",
    "COM-AUTH-07 S": "Contacts see nodes and may do nothing else by being contacts.",
    "COM-AUTH-08 M": "The provisioning service may neither read nor control by being it.",
    "COM-AUTH-09 M":
      "Rights are looked at again when something is delivered; a lost right ends delivery without a word.",
    "COM-AUTH-10 M":
      "Whatever changes state leaves a line: who, which node, what, which parameters, and no secret values.",
    "COM-AUTH-11 S": "The two ways in which services write the parameters of a control decision are both handled.",
  },
  exempt: {
    "COM-NS-07":
      "Not served: the dialect is retracted, and no client of it has been met; it would be second wire files.",
  },
};
