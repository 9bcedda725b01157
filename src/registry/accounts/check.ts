// Whether a signed registration is allowed (ACC-SRV-03): every check is done every time, and what comes out is yes or no. Why
// not is for the log of the operator, never for who asked.

import { timingSafeEqual } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createRate, type Rate } from "#base/rate.ts";
import { accountNameCharsMax, nonceKeepMs, ratedKeysMax, signatureClocklessMs, signatureTimeMs } from "#limits.ts";
import { type SignedField, signatureMethod, signatureOf, signatureType } from "#xmpp/signed-form.ts";
import { isWithin } from "./keys.ts";
import type { Seal } from "./seal.ts";
import type { AccountStore } from "./store.ts";

/** A form as it was submitted before log-in, and what the broker knows of the stream. */
export interface Submitted {
  readonly fields: readonly SignedField[];
  /** The broker's domain. */
  readonly domain: string;
  /** Address of the stanza; "" when it had none. */
  readonly to: string;
  /** What the broker gave this stream, once. */
  readonly token: string;
  readonly tokenSecret: string;
  /** IP address of the client. */
  readonly from: string;
}

export interface Granted {
  /** Of the reservation: to be confirmed or released. */
  readonly id: number;
  readonly key: string;
  readonly name: string;
}

export interface CheckDeps {
  readonly store: AccountStore;
  /** Read anew until it is there: the command line makes it with the first key. Throws `SealError`. */
  readonly seal: () => Seal;
  readonly clock: Clock;
  readonly log: Log;
}

/** Undefined: refused. */
export function createAccountCheck({ store, seal, clock, log }: CheckDeps): (form: Submitted) => Granted | undefined {
  const rates = new Map<string, Rate>();
  const rateOf = (id: string, perMinute: number, burst: number): Rate => {
    const name = `${id} ${perMinute} ${burst}`;
    const known = rates.get(name) ?? createRate(clock, burst, 60_000 / perMinute, 1);
    rates.delete(name);
    rates.set(name, known);
    if (rates.size > ratedKeysMax) rates.delete(rates.keys().next().value as string);
    return known;
  };

  return form => {
    const said = (name: string) => form.fields.find(one => one.name === name)?.values.join("\n") ?? "";
    const now = clock.now();
    const id = said("oauth_consumer_key");
    const key = store.key(id);
    const secret = key && seal().open(key.id, key.sealed);
    const nonce = said("oauth_nonce");
    const stated = said("oauth_timestamp");
    const offMs = /^\d{1,12}$/.test(stated) ? Math.abs(Number(stated) * 1_000 - now) : Number.POSITIVE_INFINITY;
    const name = said("username");
    const rate = rateOf(key?.id ?? "", key?.perMinute ?? 1, key?.burst ?? 1);
    // Of all that holds the first is told: the signature before what only the holder of the key may know of it.
    const reasons: readonly (readonly [fails: boolean, why: string])[] = [
      [key === undefined, "there is no such key"],
      [
        key !== undefined && secret === undefined,
        "the secret of the key cannot be opened: the seal is not the right one",
      ],
      [isRepeated(form.fields), "a field is there twice"],
      [said("FORM_TYPE") !== signatureType, "it is another form"],
      [said("oauth_version") !== "1.0", "another version of signatures"],
      [said("oauth_signature_method") !== signatureMethod, "another method than HMAC-SHA1"],
      [!isSame(said("oauth_token"), form.token) || form.token === "", "the token is not that of the stream"],
      [!isSame(said("oauth_token_secret"), form.tokenSecret), "the token's secret was changed"],
      [!isSigned(form, secret ?? ""), "the signature is not right: another secret, or a changed form"],
      [!/^[\x21-\x7e]{16,128}$/.test(nonce), "the nonce is too short, or none"],
      [store.isNonceUsed(id, nonce, now), "the form came a second time"],
      [offMs > (key?.clockless ? signatureClocklessMs : signatureTimeMs), "the clock of the sender is off"],
      [key?.state !== "active", `the key is ${key?.state}`],
      [(key?.expiresAt ?? Number.POSITIVE_INFINITY) <= now, "the key has ended"],
      [(key?.used ?? 0) >= (key?.accountsMax ?? 0), "the key is used up"],
      [!isWithin(key?.networks ?? [], form.from), "the key is for other networks"],
      [!isName(name, key?.prefix ?? ""), "the user name has not the prefix of the key"],
      [said("password").length < passwordCharsMin, "the password is too short"],
    ];
    const why = reasons.find(([fails]) => fails)?.[1];
    const refuse = (reason: string) => {
      log.warning("account-refused", { by: id.slice(0, 128), reason, from: form.from, name: name.slice(0, 128) });
      return undefined;
    };
    if (why !== undefined || key === undefined) return refuse(why ?? "there is no such key");
    // Counted here and not before: who has not the secret must not use up the rate of who has.
    if (!rate.take("")) return refuse("too many accounts in a short time");
    const one = { key: key.id, domain: form.domain, name, at: now, from: form.from };
    const reserved = store.reserve(one, nonce, now + nonceKeepMs(key.clockless));
    if (reserved === undefined) return refuse("the key was used up, or the form came a second time, just now");
    return { id: reserved, key: key.id, name };
  };
}

const passwordCharsMin = 16;

const isRepeated = (fields: readonly SignedField[]): boolean =>
  new Set(fields.map(one => one.name)).size < fields.length;

const isName = (name: string, prefix: string): boolean =>
  prefix !== "" && /^[a-z0-9._-]+$/.test(name) && name.length <= accountNameCharsMax && name.startsWith(prefix);

/** All three addresses a signer may have taken are tried, and none sooner left than another (ACC-SIG-03). */
function isSigned(form: Submitted, secret: string): boolean {
  const given = form.fields.find(one => one.name === "oauth_signature")?.values.join("") ?? "";
  const secrets = { key: secret, token: form.tokenSecret };
  const same = ["", form.to, form.domain].map(to => isSame(decoded(given), signatureOf(form.fields, to, secrets)));
  return same.includes(true) && secret !== "";
}

/** Signers escape the signature inside its field, as they should, or do not (ACC-SIG-04). */
function decoded(text: string): string {
  try {
    return text.includes("%") ? decodeURIComponent(text) : text;
  } catch {
    return "";
  }
}

/** In a time that depends on the length alone. */
function isSame(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)];
  return timingSafeEqual(a.length === b.length ? a : b, b) && a.length === b.length;
}
