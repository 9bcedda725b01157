// What an owner's client sends when he claims: to whom, what, and how often.

import { expect, it } from "vitest";
import { createInbox } from "#client/inbox.ts";
import { createOwner } from "#client/owner.ts";
import { type Element, elements } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import type { Connection } from "#xmpp/connection.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { forever } from "../lab/scene.ts";

const ns = "urn:nf:iot:disco:1.0";
const registry = { jid: "reg.hub.example", features: new Set([ns]) };

/** A registry that answers so, and what it was asked: the values of the tags. */
function scene(answer: (values: readonly string[]) => string) {
  const asked: string[][] = [];
  const connection = {
    jid: "ana@hub.example/phone",
    async request(_type: string, _to: string, payload: Element) {
      const values = elements(payload).map(({ attrs }) => attrs.value ?? "");
      asked.push(values);
      const said = answer(values);
      if (said !== "claimed") throw new StanzaError("cancel", said as StanzaError["condition"]);
      return parse(`<claimed xmlns='${ns}' jid='gw@hub.example' public='true'/>`);
    },
  } as unknown as Connection;
  const owner = createOwner({
    connection,
    inbox: createInbox(),
    services: async () => ({ registry }),
    registryAt: async () => registry,
  });
  const claim = (uri: string) =>
    owner.claim(uri, true, forever).then(
      ({ jid }) => jid,
      error => (error as StanzaError).condition,
    );
  return { asked, claim };
}

const ambiguous = "iotdisco:NAME=50%25;KEY=k%41;R=reg.hub.example";

it("URI-DEC-02: what is not found with percent signs decoded is asked for once more as it stands", async () => {
  const { asked, claim } = scene(([name]) => (name === "50%25" ? "claimed" : "item-not-found"));
  expect(await claim(ambiguous)).toBe("gw@hub.example");
  expect(asked).toEqual([
    ["50%", "kA"],
    ["50%25", "k%41"],
  ]);
});

it("URI-DEC-02: once, not for another refusal, and not where both readings are the same", async () => {
  const unknown = scene(() => "item-not-found");
  expect(await unknown.claim(ambiguous)).toBe("item-not-found");
  expect(unknown.asked).toHaveLength(2);
  const busy = scene(() => "resource-constraint");
  expect(await busy.claim(ambiguous)).toBe("resource-constraint");
  expect(busy.asked).toHaveLength(1);
  const plain = scene(() => "item-not-found");
  expect(await plain.claim("iotdisco:NAME=50;KEY=kA;R=reg.hub.example")).toBe("item-not-found");
  expect(plain.asked).toHaveLength(1);
});
