// HI: harmonised interfaces: what a node can do, in names that other vendors' programs know.

import type { Family } from "./family.ts";

export const hi: Family = {
  name: "HI",
  title: "Harmonised interfaces",
  requirements: {
    "HI-GET-01 S": "A node's interfaces come sorted and once each; none is an empty list; the namespace is announced.",
    "HI-GET-02 S": "The older request of the same purpose is answered in its own words.",
    "HI-GET-03 M": "With an id it is that node, unknown or invisible is not found; without one it is the appliance.",
    "HI-GET-04 M": "Seeing the node is enough, tokens change nothing, and a set is not implemented.",
    "HI-GET-05 M": "An interface is named only if everything it demands is delivered in name, kind and category.",
    "HI-GET-06 M": "The list follows the node's configuration, and a change of it is announced.",
    "HI-AGG-01 M": "Statistics are named after their base, which is named too.",
    "HI-AGG-02 M": "Names in statistics are made of the base field's name, in plurals with running numbers.",
    "HI-ENUM-01 S": "A harmonised enumeration is named by its URN.",
    "HI-TYPE-01 M": "Kinds, ranges and options are judged as the interface declares them.",
    "HI-PUB-01 Y": "Interfaces of our own have names of our own.",
  },
  exempt: {
    "HI-ENUM-01":
      "No interface of our table demands an enumeration: there is no field or parameter whose type could be such a URN. Enumerations of profiles go by the name of their field.",
    "HI-PUB-01":
      "We publish none: what fits no harmonised interface is still read, controlled and described field by field.",
  },
};
