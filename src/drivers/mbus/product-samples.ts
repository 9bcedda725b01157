// A readout of a meter whose product is known, as samples: its records in the words of the profile, and the name of the product.

import { categories, type Field, type Sample } from "#contract/field.ts";
import type { ProfileEntry } from "../profile.ts";
import type { Shelf } from "../profile-shelf.ts";
import { samplesOf, type WasRead } from "./fields.ts";
import { likeness, type Product, type ProductMatch } from "./product.ts";
import { asProfiled } from "./product-records.ts";

export interface ProductEntry extends ProfileEntry {
  readonly match?: ProductMatch | undefined;
}
export type ProductShelf = Shelf<Product, ProductEntry>;

export const automatic = "automatic";

/** The profile that was chosen, or with "automatic" the one that fits the meter's header best. */
export function productOf(shelf: ProductShelf, choice: string, header: WasRead["header"]): Product | undefined {
  if (choice !== automatic) return shelf.find(choice);
  if (header === undefined || !("manufacturer" in header)) return undefined;
  let best: { name: string; fit: number } | undefined;
  for (const { name, match } of shelf.entries) {
    const fit = likeness(match, header);
    if (fit > (best?.fit ?? 0)) best = { name, fit };
  }
  return best === undefined ? undefined : shelf.find(best.name);
}

export function productSamples(readout: WasRead, timeZone: string, product: Product | undefined): Sample[] {
  if (product === undefined) return samplesOf(readout, timeZone);
  const [now, ...past] = samplesOf({ ...readout, items: asProfiled(readout.items, product) }, timeZone);
  return now === undefined ? past : [{ at: now.at, fields: [...now.fields, ...identityOf(product)] }, ...past];
}

const identityOf = ({ manufacturer, model }: Product): Field[] =>
  [
    ["Manufacturer", manufacturer],
    ["Model", model],
  ].map(([name = "", value = ""]) => ({
    name,
    value: { kind: "string", value },
    categories: categories("identity"),
    quality: { automaticReadout: true },
  }));
