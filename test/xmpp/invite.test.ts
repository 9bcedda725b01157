// Invitations as they come out of a QR code: what is taken, and what is refused without repeating what may hold a token.

import { expect, it } from "vitest";
import { parseInvite } from "#xmpp/invite.ts";

it.for<[string, ReturnType<typeof parseInvite>]>([
  ["xmpp:hub.example?register;preauth=abc-DEF_1", { domain: "hub.example", token: "abc-DEF_1" }],
  ["XMPP:Hub.Example?register;preauth=a", { domain: "hub.example", token: "a" }],
  ["  xmpp:hub.example?register;preauth=a\n", { domain: "hub.example", token: "a" }],
  ["xmpp:edge-1@hub.example?register;preauth=a", { domain: "hub.example", token: "a", username: "edge-1" }],
  ["xmpp:hub.example?register;name=x;preauth=a%2Fb", { domain: "hub.example", token: "a/b" }],
  ["xmpp:sk%C3%A5p.example?register;preauth=a", { domain: "skåp.example", token: "a" }],
])("ACC-FIND-01: %s", ([text, invite]) => {
  expect(parseInvite(text)).toEqual(invite);
});

it.for([
  "",
  "hub.example?register;preauth=tok",
  "https://hub.example/invite?preauth=tok",
  "xmpp:hub.example",
  "xmpp:hub.example?register",
  "xmpp:hub.example?register;preauth=",
  "xmpp:hub.example?register;preauth=tok;preauth=tok2",
  "xmpp:hub.example?message;preauth=tok",
  "xmpp:?register;preauth=tok",
  "xmpp:hub.example/phone?register;preauth=tok",
  "xmpp:a b?register;preauth=tok",
  "xmpp:hub.example?register;preauth=%ff",
  `xmpp:hub.example?register;preauth=${"tok".repeat(2_000)}`,
])("is none: %s", text => {
  expect(() => parseInvite(text)).toThrow("an invite looks like xmpp:example.org?register;preauth=TOKEN");
});

it("an invitation of a person is told apart", () => {
  expect(() => parseInvite("xmpp:ana@hub.example?roster;preauth=tok;ibr=y")).toThrow(/needs an invite to an account/);
});
