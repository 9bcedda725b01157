// What people read, in their language: texts are written in English where they arise and said in the asker's language where
// they leave (COM-LANG-01, -02). A catalogue is a list of English text → translation; `{names}` in it stand for what differs
// from case to case, so that a composed sentence is translated without having been taken apart.

import { translatedCharsMax } from "#limits.ts";

/** English text, perhaps with `{placeholders}`, to its translation with the same placeholders. */
export type Catalogue = Readonly<Record<string, string>>;

export interface Said {
  readonly text: string;
  /** The language it is really in: "en" where the catalogue has no such text. */
  readonly language: string;
}

export interface Languages {
  /** All that can be spoken, "en" first. */
  readonly tags: readonly string[];
  /** What is spoken to who asks for this language: exactly it, its primary subtag, else the configured one (COM-LANG-01). */
  effective(asked: string): string;
  /** `text` as it is where there is no translation: never an empty or a half sentence. Ids and values must not be given here. */
  localize(language: string, text: string): string;
  /** The same, saying what language came out: for `xml:lang` of an error (COM-LANG-04). */
  say(language: string, text: string): Said;
}

export const sourceLanguage = "en";

/** `standard` is spoken to who asks for none, or for one there is no catalogue of. */
export function createLanguages(catalogues: Readonly<Record<string, Catalogue>>, standard = sourceLanguage): Languages {
  const books = new Map(Object.entries(catalogues).map(([tag, catalogue]) => [tag.toLowerCase(), bookOf(catalogue)]));
  const spoken = new Map([sourceLanguage, ...Object.keys(catalogues)].map(tag => [tag.toLowerCase(), tag]));
  const match = (asked: string): string | undefined => {
    const tag = asked.trim().toLowerCase();
    return spoken.get(tag) ?? spoken.get(tag.split("-", 1)[0] as string);
  };
  const fallback = match(standard) ?? sourceLanguage;
  const effective = (asked: string) => (asked === "" ? fallback : (match(asked) ?? fallback));
  const say = (asked: string, text: string): Said => {
    const language = effective(asked);
    const found = books.get(language.toLowerCase())?.(text);
    return found === undefined ? { text, language: sourceLanguage } : { text: found, language };
  };
  return {
    tags: [...new Set(spoken.values())],
    effective,
    localize: (asked, text) => say(asked, text).text,
    say,
  };
}

/** English alone: for whoever is given no catalogues. */
export const english: Languages = createLanguages({});

interface Template {
  /** What stands around the placeholders: always one more than there are of them. */
  readonly pieces: readonly string[];
  readonly names: readonly string[];
  readonly translation: string;
}

/** A reason that was put into a sentence is translated too; a name that happens to be a word is not. */
const isClause = / .* /;

const placeholder = /\{(\w+)\}/g;
export const placeholdersOf = (text: string): string[] =>
  Array.from(text.matchAll(placeholder), ([, name]) => name ?? "");

function bookOf(catalogue: Catalogue): (text: string) => string | undefined {
  const exact = new Map<string, string>();
  /** By first character, "" for those that begin with a placeholder: most texts meet few of them. */
  const templates = new Map<string, Template[]>();
  for (const [key, translation] of Object.entries(catalogue)) {
    const names = placeholdersOf(key);
    if (names.length === 0) exact.set(key, translation);
    else {
      const pieces = key.split(/\{\w+\}/);
      const first = pieces[0]?.[0] ?? "";
      const list = templates.get(first) ?? [];
      templates.set(first, list);
      list.push({ pieces, names, translation });
    }
  }
  // The one that says most in its own words is meant.
  const own = ({ pieces }: Template) => pieces.join("").length;
  for (const list of templates.values()) list.sort((a, b) => own(b) - own(a));

  return text => {
    const whole = exact.get(text);
    if (whole !== undefined || text.length > translatedCharsMax) return whole;
    for (const first of [text[0] ?? "", ""]) {
      for (const template of templates.get(first) ?? []) {
        const values = valuesIn(text, template.pieces);
        if (values === undefined) continue;
        const said = values.map(value => (isClause.test(value) ? (exact.get(value) ?? value) : value));
        const byName = new Map(template.names.map((name, at) => [name, said[at] as string]));
        return template.translation.replace(placeholder, (all, name: string) => byName.get(name) ?? all);
      }
    }
    return undefined;
  };
}

/** What stands between the pieces, in one pass without going back: texts may come from devices and peers. */
function valuesIn(text: string, pieces: readonly string[]): string[] | undefined {
  const [first = ""] = pieces;
  const last = pieces.at(-1) as string;
  if (!text.startsWith(first) || !text.endsWith(last)) return undefined;
  const end = text.length - last.length;
  const values: string[] = [];
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const next = text.indexOf(piece, at);
    if (next < 0 || next + piece.length > end) return undefined;
    values.push(text.slice(at, next));
    at = next + piece.length;
  }
  if (at > end) return undefined;
  values.push(text.slice(at, end));
  return values;
}
