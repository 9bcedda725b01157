// What a label says of a device, out of the tags by which the registry knows it.

import type { Tag } from "#contract/node.ts";

export interface LabelFacts {
  /** As on the device; empty where nobody told it, like the others. */
  readonly serial: string;
  readonly model: string;
  readonly room: string;
}

export function labelFacts(tags: readonly Tag[]): LabelFacts {
  const said = (...names: readonly string[]): string[] =>
    names.flatMap(name => {
      const value = tags.find(tag => tag.name.toUpperCase() === name)?.value ?? "";
      return value === "" ? [] : [String(value)];
    });
  const [maker = "", model = ""] = [said("MAN")[0], said("MODEL")[0]];
  return {
    serial: said("SN", "MNR")[0] ?? "",
    // Many models begin with their maker's name.
    model: model.toLowerCase().startsWith(maker.toLowerCase()) ? model : `${maker} ${model}`.trim(),
    room: said("BLD", "APT", "ROOM").join(", "),
  };
}
