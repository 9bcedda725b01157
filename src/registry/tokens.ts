// The issuing side of tokens: a certificate whose key was proven becomes a token, the same one each time; what has expired,
// or was taken back, is told to every device with a rule on it (TOK-GET, TOK-CERT).

import { randomBytes, randomInt } from "node:crypto";
import { type Challenge, isAnswered, makeChallenge, readCertificate, validityOf } from "#base/certificates.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { Refusal } from "#contract/faults.ts";
import { issuerOf, withoutIssuer } from "#iot/provisioning-tokens.wire.ts";
import {
  pushesAtOnceMax,
  tokenRequestMs,
  tokenRequestsMax,
  tokenRequestsPerJidMax,
  tokenRoundMs,
  tokensPerAccountMax,
} from "#limits.ts";
import { bareJid } from "#xmpp/jid.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import type { RegistryStore } from "./store.ts";
import { pendingClear } from "./things.ts";
import type { TokenRecord } from "./token-records.ts";
import { createTokenTrust, digestOf, keyDigest, type TokenOptions, type TokenReader } from "./token-trust.ts";

export interface TokensDeps {
  readonly options: TokenOptions;
  readonly store: RegistryStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the component: the issuer in every token. */
  readonly jid: string;
  readonly isLocal: (domain: string) => boolean;
  /** Something became due. */
  readonly wake: () => void;
}

export interface Tokens {
  /** The challenge that goes out for a certificate (DER). Throws `Refusal`, `StanzaError`. */
  begin(from: string, certificate: Uint8Array): Promise<{ seqnr: number; data: Uint8Array }>;
  /** The token, when `from` is who began and `plain` is right. One try. */
  finish(from: string, seqnr: number, plain: Uint8Array): Promise<string>;
  /** Of a token that holds, with or without its issuer. */
  find(token: string): Promise<TokenRecord | undefined>;
  /** Takes one back. False when there was none. */
  revoke(token: string): Promise<boolean>;
  /** Expiry and what the operator takes back; until aborted. */
  run(signal: AbortSignal): Promise<void>;
}

interface Begun {
  readonly account: string;
  readonly der: Uint8Array;
  readonly challenge: Challenge;
  readonly until: number;
}

export function createTokens(deps: TokensDeps): Tokens {
  const { options, store, clock, log, jid } = deps;
  const trust = createTokenTrust(options, deps.isLocal);
  const begun = new Map<string, Begun>();
  const key = (from: string, seqnr: number) => `${from}\n${seqnr}`;

  const forgetOld = () => {
    for (const [one, { until }] of begun) if (until <= clock.monotonic()) begun.delete(one);
  };
  const admit = async (reads: TokenReader, account: string, der: Uint8Array) => {
    const { certificate, fault } = readCertificate(der);
    if (certificate === undefined) throw new StanzaError("modify", "bad-request", fault);
    const objection = await trust.objection(reads, account, certificate, clock.now());
    if (objection !== undefined) throw new Refusal("not-acceptable", objection);
    return certificate;
  };

  const issue = (account: string, der: Uint8Array): Promise<string> =>
    store.change(async records => {
      const certificate = await admit(records, account, der);
      const digest = digestOf(certificate);
      const known = await records.tokensOf(account);
      const same = known.find(one => Buffer.compare(one.digest, digest) === 0);
      if (same !== undefined) return same.token;
      if (known.length >= tokensPerAccountMax)
        throw new Refusal("busy", `this account has ${tokensPerAccountMax} tokens, which is the limit`);
      const token = `${jid}:${randomBytes(24).toString("base64url")}`;
      await records.insertToken({
        token,
        account,
        certificate: der,
        digest,
        keyDigest: keyDigest(certificate),
        issuedAt: clock.now(),
        expiresAt: validityOf(certificate).to,
      });
      log.notice("TokenIssued", { account, subject: certificate.subject, until: certificate.validTo });
      return token;
    });

  const find = async (text: string): Promise<TokenRecord | undefined> => {
    const issuer = issuerOf(text);
    if (issuer !== "" && issuer !== jid) return undefined;
    const found = await store.token(`${jid}:${withoutIssuer(text)}`);
    return found?.revokedAt === undefined && found !== undefined && found.expiresAt > clock.now() ? found : undefined;
  };

  const revoke = async (token: string, why: string): Promise<boolean> => {
    const revoked = await store.change(async records => {
      const found = await records.token(token);
      if (found === undefined || found.revokedAt !== undefined) return undefined;
      await records.revokeToken(token, clock.now());
      for (const thing of await records.thingsTrusting(token)) await pendingClear(records, thing, clock.now());
      return found;
    });
    if (revoked !== undefined) log.notice("TokenRevoked", { account: revoked.account, why });
    deps.wake();
    return revoked !== undefined;
  };
  const full = (text: string) => `${jid}:${withoutIssuer(text)}`;

  return {
    async begin(from, der) {
      forgetOld();
      const account = bareJid(from) ?? from;
      const certificate = await admit(store, account, der);
      const mine = [...begun.values()].filter(one => one.account === account).length;
      if (mine >= tokenRequestsPerJidMax || begun.size >= tokenRequestsMax)
        throw new StanzaError("wait", "resource-constraint", "too many tokens are being asked for; answer or wait");
      const challenge = makeChallenge(certificate);
      let seqnr = randomInt(1, 2 ** 31);
      while (begun.has(key(from, seqnr))) seqnr = randomInt(1, 2 ** 31);
      begun.set(key(from, seqnr), { account, der, challenge, until: clock.monotonic() + tokenRequestMs });
      return { seqnr, data: challenge.data };
    },
    async finish(from, seqnr, plain) {
      forgetOld();
      const one = begun.get(key(from, seqnr));
      if (one === undefined) throw new StanzaError("cancel", "item-not-found", "no such challenge is open");
      begun.delete(key(from, seqnr));
      if (!isAnswered(one.challenge, plain)) {
        log.warning("TokenRefused", { account: one.account, why: "the challenge was not answered rightly" });
        throw new StanzaError("modify", "bad-request", "this is not what was encrypted");
      }
      return issue(one.account, one.der);
    },
    find,
    revoke: text => revoke(full(text), "taken back"),
    async run(signal) {
      for (const token of options.revoked) await revoke(token, "taken back by the operator");
      await untrusted();
      while (!signal.aborted) {
        const expired = await store.tokensExpired(clock.now(), pushesAtOnceMax);
        for (const { token } of expired) await revoke(token, "the certificate has expired");
        if (expired.length === 0) await clock.sleep(tokenRoundMs, signal).catch(() => {});
      }
    },
  };

  /** The operator may have taken an authority or a pin away since the program ran last. */
  async function untrusted(): Promise<void> {
    for (let kept = 0; ; ) {
      const page = await store.tokensHeld(kept, pushesAtOnceMax);
      for (const { token, account, certificate: der } of page) {
        const { certificate } = readCertificate(der);
        const objection =
          certificate === undefined ? "unreadable" : await trust.objection(store, account, certificate, clock.now());
        if (objection === undefined) kept++;
        else await revoke(token, objection);
      }
      if (page.length < pushesAtOnceMax) return;
    }
  }
}
