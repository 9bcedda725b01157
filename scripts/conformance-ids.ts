// Requirement ids as test names and comments write them: SD-REQ-07, SD-REQ-03..05, CON-EDIT-06/07, SD-REQ-03, -06.

const written = /\b([A-Z][A-Z0-9]*(?:-[A-Z][A-Z0-9]*)?)-(\d\d)(?!\d)((?:(?:\.\.|…|\/|,? (?:and )?-)\d\d(?!\d))*)/g;
const further = /(\.\.|…|\/|-)(\d\d)/g;

/** The ids in a text, in order, ranges spelled out; only those of the families asked for, since "SCRAM-SHA-25" is none. */
export function idsIn(text: string, families: ReadonlySet<string>): string[] {
  const ids: string[] = [];
  for (const [, stem = "", first = "", rest = ""] of text.matchAll(written)) {
    if (!families.has(stem.split("-")[0] ?? "")) continue;
    const name = (number: number) => `${stem}-${String(number).padStart(2, "0")}`;
    let last = Number(first);
    ids.push(name(last));
    for (const [, sign, digits] of rest.matchAll(further)) {
      const next = Number(digits);
      for (let number = sign === ".." || sign === "…" ? last + 1 : next; number <= next; number++)
        ids.push(name(number));
      last = next;
    }
  }
  return ids;
}
