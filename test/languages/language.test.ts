import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLanguages, english } from "#contract/language.ts";

const languages = createLanguages(
  {
    sv: {
      "Field devices": "Fältenheter",
      "There is no node type {type}.": "Det finns ingen nodtyp {type}.",
      "{name} must be between {min} and {max}": "{name} måste ligga mellan {min} och {max}",
      "at most {count} nodes in one request": "högst {count} noder i en begäran",
    },
    "pt-BR": { "Field devices": "Dispositivos de campo" },
  },
  "sv",
);

describe("languages", () => {
  it("COM-LANG-01: exactly the language asked for, then its primary subtag, then the configured one", () => {
    expect(languages.effective("sv")).toBe("sv");
    expect(languages.effective("SV-fi")).toBe("sv");
    expect(languages.effective("pt-br")).toBe("pt-BR");
    expect(languages.effective("pt")).toBe("sv");
    expect(languages.effective("en-GB")).toBe("en");
    expect(languages.effective("")).toBe("sv");
    expect(languages.effective("tlh")).toBe("sv");
    expect(languages.tags).toEqual(["en", "sv", "pt-BR"]);
    expect(english.effective("sv")).toBe("en");
  });

  it("COM-LANG-02: a text is translated whole; one without translation stays as it is", () => {
    expect(languages.localize("sv", "Field devices")).toBe("Fältenheter");
    expect(languages.localize("en", "Field devices")).toBe("Field devices");
    expect(languages.localize("sv", "Heat meter, stairwell B")).toBe("Heat meter, stairwell B");
    expect(languages.localize("sv", "")).toBe("");
  });

  it("COM-LANG-02: a composed sentence is translated around what was put into it", () => {
    expect(languages.localize("sv", "There is no node type x.y.")).toBe("Det finns ingen nodtyp x.y.");
    expect(languages.localize("sv", "Set Point must be between 5 and 30")).toBe(
      "Set Point måste ligga mellan 5 och 30",
    );
    expect(languages.localize("sv", "at most 10000 nodes in one request")).toBe("högst 10000 noder i en begäran");
  });

  it("COM-LANG-04: says what language came out", () => {
    expect(languages.say("sv-FI", "Field devices")).toEqual({ text: "Fältenheter", language: "sv" });
    expect(languages.say("sv", "what is this")).toEqual({ text: "what is this", language: "en" });
  });

  it("whatever is put into a sentence comes out of it again, and no text takes long or fails", () => {
    fc.assert(
      fc.property(fc.string(), type => {
        expect(languages.localize("sv", `There is no node type ${type}.`)).toBe(`Det finns ingen nodtyp ${type}.`);
      }),
    );
    fc.assert(
      fc.property(fc.string(), fc.string(), (language, text) => {
        expect(typeof languages.localize(language, text)).toBe("string");
      }),
    );
  });
});
