// What a device is, as its label says: settings that every field device has under the same names, and the registry tags made
// of them, beside what its profile knows. The label wins: it hangs there, the profile was chosen from a list.

import * as z from "zod";
import type { Tag } from "#contract/node.ts";

const label = (title: string, description: string) =>
  z.string().max(64).default("").meta({ title, description, page: "Identity" });

export const identitySettings = {
  class: label("Class", "What it is: HeatMeter, WaterMeter, ElectricityMeter."),
  manufacturer: label("Manufacturer", "As on the device's label."),
  model: label("Model", "As on the device's label."),
  serialNumber: label("Serial number", "As on the device's label."),
};

export type Identity = { readonly [name in keyof typeof identitySettings]: string };

const tagNames = { class: "CLASS", manufacturer: "MAN", model: "MODEL", serialNumber: "SN" } as const;

/** CLASS, MAN, MODEL, SN, each where it is known. */
export const identityTags = (settings: Identity, known: Partial<Identity> = {}): Tag[] =>
  (Object.keys(tagNames) as (keyof Identity)[])
    .map(name => ({ name: tagNames[name], value: settings[name] || known[name] || "" }))
    .filter(({ value }) => value !== "");
