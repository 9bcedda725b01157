// The ways tokens take through the appliance: who showed one, and to whom it went on, for as long as a challenge may come
// back that way. Bounded for all and for each sender, so that nobody's tokens push out another's.

import type { Clock } from "#base/clock.ts";
import { tokenSentMs, tokensPerSenderMax, tokensSentMax } from "#limits.ts";

export interface TokenWays {
  /** This full JID showed it just now. */
  came(token: string, from: string, fromBare: string): void;
  /** It leaves for this JID. */
  went(token: string, to: string): void;
  /** Shown by this full JID a moment ago. */
  isFresh(token: string, from: string): boolean;
  /**
   * Full JID that showed last what went to `to` a moment ago; undefined when nothing did. `counts`: it has proven to hold it,
   * or somebody who only knows the text would catch the challenge meant for its holder.
   */
  back(token: string, to: string, counts: (shown: { from: string; fromBare: string }) => boolean): string | undefined;
  /** False when this very challenge is on its way already: it has gone round (TOK-CHAL-03). */
  begin(token: string, data: Uint8Array): boolean;
  end(token: string, data: Uint8Array): void;
}

interface Shown {
  readonly from: string;
  readonly fromBare: string;
  readonly at: number;
}

export function createTokenWays(clock: Clock): TokenWays {
  /** By token and sender, the latest last. */
  const shown = new Map<string, Shown & { readonly token: string }>();
  const sent = new Map<string, number>();
  const running = new Set<string>();
  const key = (token: string, jid: string) => `${token}\n${jid}`;
  const isRecent = (at: number | undefined) => at !== undefined && clock.monotonic() - at < tokenSentMs;
  const challenge = (token: string, data: Uint8Array) => `${token}\n${Buffer.from(data).toString("base64")}`;

  return {
    came(token, from, fromBare) {
      for (const [one, { at }] of shown) {
        if (isRecent(at)) break;
        shown.delete(one);
      }
      const isKnown = shown.delete(key(token, from));
      const mine = isKnown ? 0 : [...shown.values()].filter(one => one.fromBare === fromBare).length;
      if (mine >= tokensPerSenderMax || shown.size >= tokensSentMax) return;
      shown.set(key(token, from), { token, from, fromBare, at: clock.monotonic() });
    },
    went(token, to) {
      sent.delete(key(token, to));
      sent.set(key(token, to), clock.monotonic());
      const [oldest] = sent.keys();
      if (sent.size > tokensSentMax && oldest !== undefined) sent.delete(oldest);
    },
    isFresh: (token, from) => isRecent(shown.get(key(token, from))?.at),
    back(token, to, counts) {
      if (!isRecent(sent.get(key(token, to)))) return undefined;
      const those = [...shown.values()].filter(one => one.token === token && one.from !== to && isRecent(one.at));
      return those.findLast(counts)?.from;
    },
    begin(token, data) {
      const one = challenge(token, data);
      if (running.has(one)) return false;
      running.add(one);
      return true;
    },
    end: (token, data) => void running.delete(challenge(token, data)),
  };
}
