// The languages the appliance speaks beside English. A translator edits the .json files here: English text to translation,
// `{names}` kept as they are. test/languages lists what is missing.

import { type Catalogue, createLanguages, type Languages } from "#contract/language.ts";
import de from "./de.json" with { type: "json" };
import es from "./es.json" with { type: "json" };
import sv from "./sv.json" with { type: "json" };

export const catalogues: Readonly<Record<string, Catalogue>> = { sv, de, es };

/** `standard`: what is spoken to who asks for none of these. */
export const createAllLanguages = (standard: string): Languages => createLanguages(catalogues, standard);
