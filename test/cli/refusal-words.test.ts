import { describe, expect, it } from "vitest";
import { refusalWords } from "../../src/cli/refusal-words.ts";
import { StanzaError } from "../../src/xmpp/stanza.ts";

describe("what another program refused", () => {
  it("is said in its own words, as a sentence", () => {
    const words = (text: string) => refusalWords(new StanzaError("cancel", "item-not-found", text));
    expect(words("There is no such node.")).toBe("There is no such node.");
    expect(words("nothing that can be claimed has this code")).toBe("Nothing that can be claimed has this code.");
    expect(words("warum nicht?")).toBe("Warum nicht?");
    expect(words("things.example is no registry")).toBe("things.example is no registry.");
    expect(words("heat-3 is busy")).toBe("heat-3 is busy.");
  });

  it("without words: what the condition means, in ours", () => {
    expect(refusalWords(new StanzaError("auth", "forbidden"))).toBe("You may not do this.");
    expect(refusalWords(new StanzaError("cancel", "redirect"))).toBe("It refused: redirect.");
  });

  it("of what is away: what to do, and then what its server said", () => {
    expect(refusalWords(new StanzaError("wait", "remote-server-timeout", "Component unavailable"))).toBe(
      "It does not answer now: it is away, or the way to it is cut. Try again later. (Component unavailable)",
    );
  });
});
