// CTR: control: setting parameters one by one and by form.

import type { Family } from "./family.ts";

export const ctr: Family = {
  name: "CTR",
  title: "Control",
  requirements: {
    "CTR-AUTH-01 M":
      "Seeing, then controlling, is decided with the names of nodes and parameters; what was narrowed away is left out.",
    "CTR-AUTH-02 M":
      "It is decided before a device is touched, within a bound of time, and what was set leaves a line.",
    "CTR-AUTH-03 M": "The form shows what the caller may control; nothing left is forbidden.",
    "CTR-AUTH-04 M": "A message does not control.",

    "CTR-SET-01 M": "Each parameter goes to each node, nodes and parameters in their order, groups together.",
    "CTR-SET-02 M": "One unknown node refuses the whole; a node without such control has no such parameter.",
    "CTR-SET-03 M": "No node means the appliance's own parameters, if any; no parameter and no form is refused.",
    "CTR-SET-04 M": "An unknown child, a second form, or a parameter given twice is refused.",
    "CTR-SET-05 M": "All is checked before anything is written.",
    "CTR-SET-06 M": "A parameter missing on one node is not found, by name.",
    "CTR-SET-07 M": "A value fits its parameter's kind or widens to it without loss.",
    "CTR-SET-08 M": "An enumerated value must be one of the options; the name of its type is not judged.",
    "CTR-SET-09 M": "What is out of range is refused, never pressed into it.",
    "CTR-SET-10 M": "Success lists the nodes and parameters that were set.",
    "CTR-SET-11 M": "What was narrowed away is missing from that list.",
    "CTR-SET-12 M": "A failing device is an error that names each parameter that failed and what was done before.",
    "CTR-SET-13 M": "There is one reply, also when a form's write fails.",
    "CTR-SET-14 S": "The answer waits for the device, for a bounded time; writers of one device take turns.",
    "CTR-SET-15 S": "What was confirmed is told as a new momentary value.",

    "CTR-FORM-01 M": "The control form is bare, its fields are the parameters, each marked as uncertain.",
    "CTR-FORM-02 M": "It says that it is a form, with types, options and colours as all forms have them.",
    "CTR-FORM-03 M": "Several nodes share a form of what they have in common; nothing in common is not found.",
    "CTR-FORM-04 M": "A submission may be partial, and is read by the parameters' kinds.",
    "CTR-FORM-05 M": "Session, form type and fixed fields are passed over.",
    "CTR-FORM-06 M": "A value that is not known is empty and uncertain; slow devices are not waited for.",
    "CTR-FORM-07 M": "Tokens given when the form was opened need not be given again.",

    "CTR-ERR-01 M": "An error has its condition, words, and the parameters at fault, in the asker's generation.",
    "CTR-ERR-02 M": "The parameter at fault is named by both attributes in use.",
    "CTR-ERR-03 M": "All faults are named at once, and escaped.",
    "CTR-ERR-04 M": "Errors have the type that goes with their condition.",

    "CTR-DIS-01 D": "Any number of children in a set: CTR-SET-01.",
    "CTR-DIS-02 D": "A group is named by both attributes: DF-PG-01.",
    "CTR-DIS-03 D": "A fault is named by both attributes: CTR-ERR-02.",
    "CTR-DIS-04 D": "Success lists everything: CTR-SET-10.",
    "CTR-DIS-05 D": "A node needs an id: COM-LEX-08.",
    "CTR-DIS-06 D": "Colours have 6 or 8 digits: COM-LEX-06.",
    "CTR-DIS-07 D": "The session of a form is passed over: CTR-FORM-05.",
    "CTR-DIS-08 D": "Nodes of all sources are found: CTR-SET-02.",
  },
};
