// DF: data forms as the concentrator and control interfaces use them; we are the side that serves them.

import type { Family } from "./family.ts";

export const df: Family = {
  name: "DF",
  title: "Data forms",
  requirements: {
    "DF-FORM-01 M": "A form says that it is one, and every list offers its options with labels.",
    "DF-FORM-02 M": "A form that can be posted back carries a hidden session that cannot be guessed.",
    "DF-FORM-03 M": "Secrets are shown empty; leaving them empty keeps them, and there is a way to clear them.",
    "DF-FORM-04 S": "If there are pages, each visible field stands on exactly one of them.",
    "DF-FORM-05 M": "Labels and other words are translated; names and option values are not.",
    "DF-VAL-01 M": "A field's validation has a data type and at most one method, written in its own namespace.",
    "DF-VAL-02 M": "Validation children are read in whichever namespace they were written.",
    "DF-VAL-03 M": "A pattern must match the whole value, and its length and time are bounded.",
    "DF-VAL-04 M": "A closed list takes only its options, an open one any value.",
    "DF-COLOR-01 M": "Colours are declared by their type and by a pattern; either case of the type is understood.",
    "DF-MEDIA-01 Y": "A field may carry a picture.",
    "DF-CT-01 Y": "The editor syntax of a text field is passed over when read.",

    "DF-DYN-01 M": "A form that is posted back is answered with the new form, and nothing is stored.",
    "DF-DYN-02 M":
      "Sessions belong to a full JID and an operation, end when idle, and are bounded; others are not found.",
    "DF-DYN-03 M": "Cancelling ends the session; an unknown one is not found.",
    "DF-DYN-04 M": "Fields posted back are certain, and their faults come in a result.",
    "DF-DYN-05 Y": "A form that changed may be sent unasked while its session lives.",
    "DF-DYN-06 M": "Post-backs are found by their session, whichever operation they came from.",
    "DF-DYN-07 M": "A field whose value is to be discarded is left out of the new form.",

    "DF-SUB-01 M": "Submitted fields are known by name alone.",
    "DF-SUB-02 M": "What clients leave out, and what they send although unchanged, is both expected.",
    "DF-SUB-03 M": "Absent keeps, empty clears what is optional and is an error where a value is required.",
    "DF-SUB-04 M": "Session, form type and fixed fields are passed over; any other unknown field is an error on it.",
    "DF-SUB-05 M": "A field given twice, or with several values where one belongs, is an error on it.",
    "DF-SUB-06 M": "Everything is checked again here, whatever the client checked.",
    "DF-SUB-07 M": "Booleans are read generously; blanks around a text are part of it.",
    "DF-SUB-08 S": "A form of type cancel changes nothing and succeeds; other types are refused.",
    "DF-ERR-01 M": "A rejection carries the form inside the error, with an error on a field or words for the whole.",
    "DF-ERR-02 M": "The form that comes back is complete, with what was submitted and every fault at once.",

    "DF-PG-01 S": "Fields to be set together say so, in both of the ways in use.",
    "DF-PG-02 M":
      "A group of which only a part was submitted is completed with what is known, or refused on the field.",
    "DF-MERGE-01 M": "Merged forms keep what is alike, the first node's values, and a mark where they differ.",
    "DF-MERGE-02 M": "Secrets in a merged form are always marked as differing.",
  },
  exempt: {
    "DF-MEDIA-01": "No node type and no command asks for anything that a picture would explain; words and options do.",
    "DF-DYN-05":
      "Not sent: what may have changed while a form is open is marked as uncertain, comes back only if it was edited, and is checked anew.",
  },
};
