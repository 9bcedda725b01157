// What an explanation says of the tokens somebody showed: which one counts and since when that is proven, which was dropped and
// why, and what it would be without them.

import type { ShownToken, TokenDropped } from "./basis.ts";
import type { Answer, Explanation } from "./explaining.ts";
import { type Line, time } from "./why-line.ts";

export function shownTokens({ tokens, remembered }: Explanation): Line[] {
  if (tokens === undefined) {
    const isForTokens = remembered.some(({ decision }) => decision.tokens !== "");
    return isForTokens
      ? [{ text: "Some remembered answers are for tokens, none of which was shown since the last start or for a day." }]
      : [];
  }
  const told = tokens.shown.flatMap(one => [shownToken(one, time(tokens.at)), fateOf(one)]);
  return [...told, ...(tokens.without === undefined ? [] : [withoutThem[tokens.without]])];
}

function shownToken({ kind, issuer, short }: ShownToken, at: string): Line {
  if (short === "") return { text: `With the last request that had tokens, on ${at}, something came that is none.` };
  switch (kind) {
    case "user":
      return { text: `On ${at}, the user token ${short} was shown, issued by ${issuer}.` };
    case "device":
      return { text: `On ${at}, the device token ${short} was shown, issued by ${issuer}.` };
    case "service":
      return { text: `On ${at}, the service token ${short} was shown, issued by ${issuer}.` };
  }
}

function fateOf({ dropped, provenAt }: ShownToken): Line {
  if (dropped !== undefined) return droppedBecause(dropped, provenAt);
  return { text: `It counts: who showed it proved on ${time(provenAt ?? 0)} to have its key.` };
}

function droppedBecause(dropped: TokenDropped, provenAt: number | undefined): Line {
  switch (dropped.why) {
    case "off":
      return { text: "It was dropped: tokens are switched off at this appliance." };
    case "foreign":
      return { text: "It was dropped: only tokens of the appliance's own service count." };
    case "malformed":
      return { text: "It was dropped." };
    case "open":
      return provenAt === undefined
        ? { text: "It does not count now: its key has not been asked for yet." }
        : {
            text: `It does not count now: the proof of ${time(provenAt)} is too old. It is asked for when it is shown.`,
          };
    case "unknown":
      return { text: `It was dropped: on ${time(dropped.at)}, its issuer knew no such token.` };
    case "away":
      return { text: `It was dropped: on ${time(dropped.at)}, its issuer gave no certificate for it.` };
    case "certificate":
      return { text: `It was dropped: on ${time(dropped.at)}, the certificate behind it was not valid, or too weak.` };
    case "unanswered":
      return { text: `It was dropped: asked on ${time(dropped.at)} to prove its key, who showed it did not answer.` };
    case "refused":
      return { text: `It was dropped: asked on ${time(dropped.at)} to prove its key, who showed it refused.` };
    case "wrong":
      return { text: `It was dropped: asked on ${time(dropped.at)} to prove its key, who showed it did not have it.` };
  }
}

const withoutThem: Readonly<Record<Answer, Line>> = {
  yes: { text: "Without tokens it would be allowed as well." },
  part: { text: "Without tokens a part of it would be allowed." },
  no: { text: "Without tokens it would be refused." },
  asked: { text: "Without tokens the owner's service would be asked." },
};
