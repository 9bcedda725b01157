// Whether somebody has the key behind a token: asked by a challenge that only the key can read, remembered for a day, and
// asked once however many wait for it (TOK-CHAL-01). What cannot be proven in time counts as not proven.

import { isAnswered, makeChallenge, readCertificate, weaknessOf } from "#base/certificates.ts";
import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import type { Log } from "#base/log.ts";
import { createRate } from "#base/rate.ts";
import type { TokenFailure } from "#concentrator/basis.ts";
import {
  countedSendersMax,
  tokenChallengeMs,
  tokenChallengesPerMinute,
  tokenFailedMs,
  tokenProofFreshMs,
  tokenProofMs,
  tokenProofsMax,
} from "#limits.ts";
import type { Connection } from "../connection.ts";
import { StanzaError } from "../stanza.ts";
import { type Generation, namespace } from "./generations.ts";
import * as wire from "./provisioning-tokens.wire.ts";

/** Who showed which token. */
export interface Shown {
  /** What the proof is remembered for: proofs of one subject count for no other. */
  readonly subject: string;
  readonly token: string;
  /** Full JID that is challenged. */
  readonly to: string;
}

/** open: not asked yet, or too long ago · failed: a moment ago · stale: proven, but the proof should be renewed. */
export type Proof = "proven" | "stale" | "failed" | "open";

export interface TokenProofs {
  look(shown: Shown): Proof;
  /** Resolves when it is settled, within `tokenChallengeMs`; never rejects. Not abortable: others may wait for it. */
  prove(shown: Shown): Promise<boolean>;
  /** What came of asking last, however long ago; milliseconds since 1970 UTC. */
  story(shown: Pick<Shown, "subject" | "token">): ProofStory | undefined;
  readonly size: number;
}

export type ProofStory = { readonly at: number } & (
  | { readonly failed?: undefined }
  | { readonly failed: TokenFailure }
);

export interface TokenProofsDeps {
  readonly connection: Pick<Connection, "request">;
  /** The certificate (DER) its issuer knows; rejects when there is none. */
  readonly certificateOf: (token: string, signal: AbortSignal) => Promise<Uint8Array>;
  /** How that JID is spoken to. */
  readonly generation: (to: string) => Generation | Promise<Generation>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

interface Entry {
  readonly at: number;
  readonly isProven: boolean;
  readonly failed?: TokenFailure;
}

/** Why somebody is not believed, for whoever is to be told. */
class Unproven extends Error {
  override name = "Unproven";
  readonly failed: TokenFailure;
  constructor(failed: TokenFailure, message: string) {
    super(message);
    this.failed = failed;
  }
}

export function createTokenProofs(deps: TokenProofsDeps): TokenProofs {
  const { connection, clock, log } = deps;
  const entries = new Map<string, Entry>();
  const asking = new Map<string, Promise<boolean>>();
  const rate = createRate(clock, tokenChallengesPerMinute, 60_000 / tokenChallengesPerMinute, countedSendersMax);
  const keyOf = ({ subject, token }: Pick<Shown, "subject" | "token">) => `${subject}\n${token}`;

  const challenge = async ({ token, to }: Shown, signal: AbortSignal): Promise<void> => {
    const { certificate, fault } = readCertificate(await deps.certificateOf(token, signal).catch(notVouchedFor));
    if (certificate === undefined) throw new Unproven("certificate", fault);
    const weakness = weaknessOf(certificate, clock.now());
    if (weakness !== undefined) throw new Unproven("certificate", weakness);
    const asked = makeChallenge(certificate);
    const ns = namespace("provisioningTokens", await deps.generation(to));
    const payload = wire.tokenChallenge.encode({ token, hops: 0, data: asked.data }, ns);
    const reply = await connection.request("get", to, payload, { timeoutMs: tokenChallengeMs, signal }).catch(notTold);
    if (reply?.name !== wire.tokenChallengeResponse.name) throw new Unproven("wrong", "no answer to the challenge");
    if (!isAnswered(asked, wire.tokenChallengeResponse.decode(reply))) throw new Unproven("wrong", "a wrong answer");
  };

  const settle = async (shown: Shown): Promise<boolean> => {
    let failed: TokenFailure | undefined;
    try {
      await within(clock, tokenChallengeMs, "the proof of a token", deps.signal, inner => challenge(shown, inner));
    } catch (error) {
      if (!deps.signal.aborted)
        log.warning("TokenUnproven", { subject: shown.subject, issuer: wire.issuerOf(shown.token), error });
      failed = error instanceof Unproven ? error.failed : "unanswered";
    }
    const isProven = failed === undefined;
    const key = keyOf(shown);
    // A proof that still counts is not lost because a renewal came to nothing.
    if (!isProven && look(shown) === "stale") return true;
    entries.delete(key);
    entries.set(key, { at: clock.monotonic(), isProven, ...(failed && { failed }) });
    const [oldest] = entries.keys();
    if (entries.size > tokenProofsMax && oldest !== undefined) entries.delete(oldest);
    return isProven;
  };

  const look = (shown: Shown): Proof => {
    const entry = entries.get(keyOf(shown));
    if (entry === undefined) return "open";
    const age = clock.monotonic() - entry.at;
    if (!entry.isProven) return age < tokenFailedMs ? "failed" : "open";
    return age < tokenProofFreshMs ? "proven" : age < tokenProofMs ? "stale" : "open";
  };

  return {
    look,
    story(shown) {
      const entry = entries.get(keyOf(shown));
      if (entry === undefined) return undefined;
      const at = clock.now() - (clock.monotonic() - entry.at);
      return entry.failed === undefined ? { at } : { at, failed: entry.failed };
    },
    prove(shown) {
      const key = keyOf(shown);
      const running = asking.get(key);
      if (running !== undefined) return running;
      if (!rate.take(shown.subject)) return Promise.resolve(false);
      const one = settle(shown).finally(() => asking.delete(key));
      asking.set(key, one);
      return one;
    },
    get size() {
      return entries.size;
    },
  };
}

function notVouchedFor(error: unknown): never {
  const isKnown = !(error instanceof StanzaError && error.condition === "item-not-found");
  throw new Unproven(isKnown ? "away" : "unknown", (error as Error).message);
}

/** Whose server says that nobody is there has not refused. */
function notTold(error: unknown): never {
  const { message } = error as Error;
  if (!(error instanceof StanzaError)) throw new Unproven("unanswered", message);
  const isAway = /^(service-unavailable|recipient-unavailable|remote-server-.*)$/.test(error.condition);
  throw new Unproven(isAway ? "unanswered" : "refused", message);
}
