// What the appliance says of itself as a thing: before it is claimed, to the letter what its label says.

import { version } from "#base/version.ts";
import type { BootSettings } from "#config.ts";
import type { Tag } from "#contract/node.ts";

export const applianceTags = ({ name, room }: BootSettings): Tag[] => [
  { name: "CLASS", value: "Concentrator" },
  { name: "MAN", value: "isthmus.example" },
  { name: "MODEL", value: "Isthmus" },
  { name: "NAME", value: name },
  ...(room === "" ? [] : [{ name: "ROOM", value: room }]),
  { name: "V", value: Number(version.split(".").slice(0, 2).join(".")) },
];
