// The shape of a list of requirements. The interfaces are published by the Neuro-Foundation; the sentences are ours and
// say in short what this program promises, not what the publisher wrote.

/** M must, S should, Y may; D is a ruling where the sources disagree, carried out by the requirements its sentence names. */
export type Level = "M" | "S" | "Y" | "D";

export interface Family {
  readonly name: string;
  readonly title: string;
  /** "COM-NS-01 M": one sentence. The order is that of the page. */
  readonly requirements: Readonly<Record<string, string>>;
  /** Id to the reason why there is no test: it cannot be proven here, or deliberately is not done. */
  readonly exempt?: Readonly<Record<string, string>>;
}

export interface Requirement {
  readonly id: string;
  readonly level: Level;
  readonly text: string;
  readonly exempt?: string;
}

const key = /^([A-Z][A-Z0-9]*(?:-[A-Z][A-Z0-9]*)?-\d\d) ([MSYD])$/;

/** Throws on a malformed key, an id of another family, and an exemption of nothing: the lists are to be trusted. */
export function requirementsOf(family: Family): Requirement[] {
  const all = Object.entries(family.requirements).map(([text, sentence]) => {
    const [, id, level] = key.exec(text) ?? [];
    if (id === undefined || !id.startsWith(`${family.name}-`)) throw new Error(`${family.name}: "${text}" is no key`);
    const exempt = family.exempt?.[id];
    return { id, level: level as Level, text: sentence, ...(exempt === undefined ? {} : { exempt }) };
  });
  const stray = Object.keys(family.exempt ?? {}).filter(id => !all.some(one => one.id === id));
  if (stray.length > 0) throw new Error(`${family.name}: exempted and not listed: ${stray.join(", ")}`);
  return all;
}
