// An address as a person is shown it. A name that borrows letters of another alphabet to look like somebody else's is the main trap
// of consent (PRES-THR-02): the borrowed ones are written out. Compared is never what is shown, but what the broker stamped.

/** Small letters of Cyrillic, Greek and Armenian that are taken for Latin ones. */
const likeLatin = new Set("аеорсухіїјѕһԁԛԝӏѵүԍορνυικχαօոսցհզք");
const foreign =
  /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}\p{Script=Coptic}\p{Script=Lisu}]/u;
const latin = /\p{Script=Latin}/u;

/** The text with each letter written out that pretends to be another: `\u{43e}wner@hub.example`. */
export const shownJid = (text: string): string =>
  text
    .split(/([@./])/)
    .map(shownPart)
    .join("");

function shownPart(part: string): string {
  if (/^[\x20-\x7e]*$/.test(part)) return part;
  const letters = [...part].filter(one => foreign.test(one));
  if (letters.length === 0) return part;
  // One alphabet alone is a name like any other, unless all of it can be read as Latin.
  const isWhole = !latin.test(part) && letters.some(one => !likeLatin.has(one.toLowerCase()));
  return isWhole
    ? part
    : part.replace(new RegExp(foreign.source, "gu"), one => `\\u{${one.codePointAt(0)?.toString(16)}}`);
}
