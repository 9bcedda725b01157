// Which tokens somebody showed with his last request that had some, for whoever explains what he may: kept in memory for as long as a proof
// counts, and never given out whole.

import type { Clock } from "#base/clock.ts";
import type { ShownToken, TokenDropped, TokenEvidence } from "#concentrator/basis.ts";
import type { Tokens } from "#contract/caller.ts";
import { tokenProofMs, tokenShowersMax } from "#limits.ts";
import { tokensDigest } from "./decision-rule.ts";
import { isToken } from "./provisioning-device.wire.ts";
import { issuerOf, tokenKinds, withoutIssuer } from "./provisioning-tokens.wire.ts";

export interface TokenEvidences {
  /** A request came with these. */
  showed(bareJid: string, tokens: Tokens): void;
  /** Undefined when he showed none within a day. `fateOf`: what has become of one that is well formed. */
  of(bareJid: string, fateOf: (token: string) => Fate): TokenEvidence | undefined;
}

export interface Fate {
  readonly provenAt: number | undefined;
  /** Undefined: it counts. */
  readonly dropped: TokenDropped | undefined;
}

export function createTokenEvidences(clock: Clock): TokenEvidences {
  /** By caller, the latest last. */
  const last = new Map<string, { readonly at: number; readonly since: number; readonly tokens: Tokens }>();
  return {
    showed(bareJid, tokens) {
      last.delete(bareJid);
      last.set(bareJid, { at: clock.now(), since: clock.monotonic(), tokens });
      const [oldest] = last.keys();
      if (last.size > tokenShowersMax && oldest !== undefined) last.delete(oldest);
    },
    of(bareJid, fateOf) {
      const one = last.get(bareJid);
      if (one === undefined || clock.monotonic() - one.since >= tokenProofMs) return undefined;
      const shown = tokenKinds.flatMap(kind =>
        one.tokens[kind].map(token => ({ token, ...toldOf(token, kind, fateOf) })),
      );
      const counting = (kind: keyof Tokens) =>
        shown.filter(token => token.kind === kind && token.counts).map(({ token }) => token);
      return {
        at: one.at,
        tokens: one.tokens,
        digest: tokensDigest({ service: counting("service"), device: counting("device"), user: counting("user") }),
        shown: shown.map(({ token: _, ...told }) => told),
      };
    },
  };
}

function toldOf(token: string, kind: keyof Tokens, fateOf: (token: string) => Fate): ShownToken {
  if (!isToken(token))
    return { kind, issuer: "", short: "", counts: false, provenAt: undefined, dropped: { why: "malformed" } };
  const { provenAt, dropped } = fateOf(token);
  return { kind, issuer: issuerOf(token), short: shortOf(token), counts: dropped === undefined, provenAt, dropped };
}

/** The first characters of what is random in it, and never more than a quarter of that. */
function shortOf(token: string): string {
  const random = withoutIssuer(token);
  return `${random.slice(0, Math.min(6, Math.floor(random.length / 4)))}…`;
}
