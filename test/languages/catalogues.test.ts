import { describe, expect, it } from "vitest";
import { createLanguages, placeholdersOf } from "#contract/language.ts";
import { catalogues, createAllLanguages } from "#languages/all.ts";
import { textsForPeople } from "./texts.ts";

const texts = textsForPeople();

for (const [tag, catalogue] of Object.entries(catalogues)) {
  const spoken = createLanguages({ [tag]: catalogue });

  describe(`the catalogue ${tag}`, () => {
    it("COM-LANG-02: has all that a technician or owner reads", () => {
      const missing = [...texts].filter(([text]) => spoken.say(tag, text).language !== tag);
      expect(missing.map(([text, files]) => `${text}   (${files[0]})`)).toEqual([]);
    });

    it("COM-LANG-02: keeps what is put into each sentence, and says something", () => {
      const faults = Object.entries(catalogue).filter(
        ([key, translation]) =>
          translation.trim() === "" || placeholdersOf(key).sort().join() !== placeholdersOf(translation).sort().join(),
      );
      expect(faults).toEqual([]);
    });

    it("has the same texts as the others, in order", () => {
      expect(Object.keys(catalogue)).toEqual(Object.keys(catalogues.sv ?? {}));
      expect(Object.keys(catalogue)).toEqual(Object.keys(catalogue).sort());
    });
  });
}

it("COM-LANG-02: a reason inside a sentence is said in the language of the sentence", () => {
  const { localize } = createAllLanguages("en");
  expect(localize("de", "Meter 3: the telegram cannot be read: its checksum is wrong")).toBe(
    "Meter 3: das Telegramm kann nicht gelesen werden: ihre Prüfsumme ist falsch",
  );
  expect(localize("sv", "There is no node Line.")).toBe("Det finns ingen nod Line.");
});
