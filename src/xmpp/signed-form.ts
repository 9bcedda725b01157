// Signatures of forms by an API key (XEP-0348, ACC-SIG): HMAC-SHA1 over the fields in order, keyed with the secret of the key
// and that of the broker's token. One file for both sides: the appliance signs with it, the registry verifies with it.

import { createHmac } from "node:crypto";

export const signatureType = "urn:xmpp:xdata:signature:oauth1";
/** The one method that both sides must have; PLAINTEXT would tell the secret, RSA-SHA1 is optional and not offered. */
export const signatureMethod = "HMAC-SHA1";

/** What has to be in a form that is to be signed. */
export const signatureFields = [
  "oauth_version",
  "oauth_signature_method",
  "oauth_token",
  "oauth_token_secret",
  "oauth_nonce",
  "oauth_timestamp",
  "oauth_consumer_key",
  "oauth_signature",
] as const;

export interface ApiKey {
  /** Says which one it is; no secret. */
  readonly id: string;
  readonly secret: string;
}

/** A field as it is submitted; values of one that has several are in the order of the form. */
export interface SignedField {
  readonly name: string;
  readonly values: readonly string[];
}

const unsigned: ReadonlySet<string> = new Set(["oauth_token_secret", "oauth_signature"]);

/** RFC 5849 section 3.6: UTF-8 of the text in NFC, all escaped but letters, digits, - . _ ~, in upper-case hex. */
export const escapeValue = (text: string): string =>
  encodeURIComponent(text.normalize("NFC").toWellFormed()).replace(
    /[!'()*]/g,
    one => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/**
 * Base64, not escaped. `to` is what the signer took for the address of the form; "" where it goes to no one in particular
 * (ACC-SIG-03). Fields that are not signed are left out by themselves.
 */
export function signatureOf(
  fields: readonly SignedField[],
  to: string,
  secrets: { readonly key: string; readonly token: string },
): string {
  // By code, not by the habits of a language (ACC-SIG-05): names outside ASCII are escaped before they are compared.
  const pairs = fields
    .filter(({ name }) => !unsigned.has(name))
    .map(({ name, values }) => `${escapeValue(name)}=${escapeValue(values.join("\n"))}`)
    .sort(byCode);
  const text = `submit&${escapeValue(to)}&${escapeValue(pairs.join("&"))}`;
  return createHmac("sha1", `${escapeValue(secrets.key)}&${escapeValue(secrets.token)}`)
    .update(text)
    .digest("base64");
}

const byCode = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
