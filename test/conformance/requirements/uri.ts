// URI: the codes of things, as text and as a picture.

import type { Family } from "./family.ts";

export const uri: Family = {
  name: "URI",
  title: "Codes of things (iotdisco)",
  requirements: {
    "URI-DEC-01 M": "A code is split by its escapes first and percent-decoded after.",
    "URI-DEC-02 Y": "A claim that fails may be tried once more with the undecoded values.",
    "URI-DEC-03 M": "Empty values are allowed; empty names, terms and ends are not.",
    "URI-DEC-04 M": "A number is marked at its beginning and is one.",
    "URI-DEC-05 M": "An escape behind a sign of comparison is an escape.",
    "URI-DEC-06 M": "Names do not depend on their case, nor on the reader's language.",
    "URI-DEC-07 M": "A name stands twice only as lower and upper bound.",
    "URI-DEC-08 M": "Codes are bounded, and control characters refused.",
    "URI-DEC-09 M": "The old form is read and never written.",
    "URI-ENC-01 M": "Everything outside the plain letters is percent-encoded.",
    "URI-ENC-02 M": "Tags come as registered, then the key, then the registry.",
    "URI-ENC-03 M": "The registry is always named.",
    "URI-ENC-04 M": "The tags are exactly those that were registered.",
    "URI-KIND-01 M": "A code with a key is a claim.",
    "URI-KIND-02 M": "The registry is taken out of the tags before it is used.",
    "URI-KIND-03 M": "A claim is shown while the thing can be claimed, and to who stands before it.",
    "URI-SRCH-01 M": "Two bounds are a range, or outside of one when they cross.",
    "URI-SRCH-02 M": "Texts are ordered by their letters' codes.",
    "URI-SRCH-03 M": "What a code cannot say is refused when written.",
    "URI-SRCH-04 M": "A search has a condition.",
    "URI-SEC-01 M": "A registry in a code is a plain domain that says it is one before it is told a key.",
    "URI-SEC-02 M": "Codes are kept out of logs, and pictures made at home.",
    "URI-SEC-03 M": "Reading a code does nothing; a person confirms.",
    "URI-SEC-04 M": "Pictures are robust and not too dense.",
  },
};
