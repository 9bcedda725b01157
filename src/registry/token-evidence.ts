// Which of the tokens in a device's question count: those issued here to that very caller, and those whose key answered a
// challenge, which goes back by the way the token came (TOK-FWD-02). All others are as if they had not been shown.

import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import type { Log } from "#base/log.ts";
import { type TokenKind, tokenKinds } from "#iot/provisioning-tokens.wire.ts";
import { createTokenProofs, type Shown } from "#iot/token-proofs.ts";
import { tokenServiceWaitMs } from "#limits.ts";
import type { Connection } from "#xmpp/connection.ts";
import { bareJid } from "#xmpp/jid.ts";
import type { Peers } from "./peers.ts";
import type { QuestionTokens } from "./store.ts";
import type { Tokens } from "./tokens.ts";

export interface Evidence {
  /**
   * Those that count, in their order. `device`: full JID that asks · `caller`: bare JID it asks about · `late`: called when
   * one was proven only after this had resolved without it.
   */
  proven(device: string, caller: string, tokens: QuestionTokens, late: () => void): Promise<QuestionTokens>;
}

export interface EvidenceDeps {
  readonly tokens: Tokens;
  readonly connection: Connection;
  readonly peers: Pick<Peers, "generation">;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export function createEvidence({ tokens, connection, peers, clock, log, signal }: EvidenceDeps): Evidence {
  const proofs = createTokenProofs({
    connection,
    certificateOf: async token => {
      const found = await tokens.find(token);
      if (found === undefined) throw new Error("the token is not known here");
      return found.certificate;
    },
    generation: to => peers.generation(bareJid(to) ?? to),
    clock,
    log,
    signal,
  });

  const counts = async (device: string, caller: string, token: string, late: () => void): Promise<boolean> => {
    // Looked up each time: taken back is taken back, whatever was proven before.
    const found = await tokens.find(token);
    if (found === undefined) return false;
    if (found.account === caller) return true;
    const shown: Shown = { subject: `${bareJid(device)} for ${caller}`, token: found.token, to: device };
    const known = proofs.look(shown);
    if (known === "failed") return false;
    if (known === "proven") return true;
    const proving = proofs.prove(shown);
    if (known === "stale") return true;
    const inTime = within(clock, tokenServiceWaitMs, "the proof of a token", signal, () => proving);
    return inTime.catch(() => {
      void proving.then(isProven => {
        if (isProven) late();
      });
      return false;
    });
  };

  return {
    async proven(device, caller, shown, late) {
      const ofKind = async (kind: TokenKind) => {
        const distinct = [...new Set(shown[kind])];
        const counting = await Promise.all(distinct.map(token => counts(device, caller, token, late)));
        return [kind, distinct.filter((_, at) => counting[at])] as const;
      };
      return Object.fromEntries(await Promise.all(tokenKinds.map(ofKind))) as unknown as QuestionTokens;
    },
  };
}
