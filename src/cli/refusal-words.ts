// What another program refused, in a sentence for the person who asked. What it said itself is the sentence; where it said nothing,
// or is away, we say what that means and what to do.

import type { Condition, StanzaError } from "#xmpp/stanza.ts";

const away = "It does not answer now: it is away, or the way to it is cut. Try again later.";

/** Of these the broker, not who was asked, has words, and they are for programmers. */
const unreached: Partial<Record<Condition, string>> = {
  "remote-server-timeout": away,
  "remote-server-not-found": "Its server is not found. Check the domain, or try again later.",
  "recipient-unavailable": away,
};

const silent: Partial<Record<Condition, string>> = {
  "bad-request": "It does not understand this.",
  conflict: "That is there already.",
  "feature-not-implemented": "It cannot do this.",
  forbidden: "You may not do this.",
  gone: "That is not there any more.",
  "internal-server-error": "It failed, and does not say why. Who runs it finds more in its log.",
  "item-not-found": "There is no such thing.",
  "jid-malformed": "This is no address.",
  "not-acceptable": "It does not accept this.",
  "not-allowed": "This is not allowed to anybody.",
  "not-authorized": "You may not do this: it does not know you.",
  "policy-violation": "Its rules forbid this.",
  "registration-required": "It wants you to register first.",
  "resource-constraint": "It is too busy now. Try again later.",
  "service-unavailable": "It does not answer such questions, or does not let you in.",
  "subscription-required": "It does not let you in.",
  "unexpected-request": "It did not expect this now.",
};

export function refusalWords({ condition, text }: Pick<StanzaError, "condition" | "text">): string {
  const words = unreached[condition];
  if (words !== undefined) return text === "" ? words : `${words} (${text})`;
  if (text === "") return silent[condition] ?? `It refused: ${condition}.`;
  // An address or a name stays as it is written.
  const sentence = /^\p{Ll}+[ ,:;]/u.test(text) ? text.slice(0, 1).toUpperCase() + text.slice(1) : text;
  return /[.!?…]$/u.test(sentence) ? sentence : `${sentence}.`;
}
