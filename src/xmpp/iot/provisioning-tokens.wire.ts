// Identity tokens: how one is had for a certificate, and how whoever shows one is challenged. Provisioning, tokens
// (urn:*:iot:prov:t:1.0), ProvisioningTokens.xsd; `hops` is ours, for challenges that are passed on.

import { attr, attrOr, body, content, element, type Part, type Value, WireError } from "#xml/codec.ts";
import { elements, textOf } from "#xml/element.ts";
import { base64, int32, type Scalar, ScalarError, unsigned } from "#xml/scalars.ts";
import { isToken } from "./provisioning-device.wire.ts";

/** Address of the issuer, a colon, random characters; nothing that could end an attribute or begin an element (TOK-FMT-01). */
const token: Scalar<string> = {
  parse: value => {
    if (!isToken(value)) throw new ScalarError("not a token");
    return value;
  },
  format: value => value,
};

/** Text before the first colon; "" where there is none. */
export const issuerOf = (text: string): string => text.slice(0, Math.max(0, text.indexOf(":")));
/** Text after the first colon, or all of it. */
export const withoutIssuer = (text: string): string => text.slice(text.indexOf(":") + 1);

/** Octets as the element's text; there must be some, and nothing else. */
const octets: Part<Uint8Array> = {
  read(node, path) {
    if (elements(node).length > 0) throw new WireError(path, "elements where octets are expected");
    const value = body(base64).read(node, path);
    if (value.length === 0) throw new WireError(path, "empty");
    return value;
  },
  write: body(base64).write,
};

// A certificate to a token.
export const getToken = content("getToken", octets);
export const getTokenChallenge = element("getTokenChallenge", { seqnr: attr("seqnr", int32), data: octets });
export const getTokenChallengeResponse = element("getTokenChallengeResponse", {
  seqnr: attr("seqnr", int32),
  data: octets,
});
export const getTokenResponse = element("getTokenResponse", { token: attr("token", token) });

/**
 * As an attribute (schema), or as the element's text without the issuer (deployed software); both are written, and either is
 * read (TOK-CERT-01).
 */
const askedToken: Part<string> = {
  read(node, path) {
    const asked = node.attrs.token || textOf(node).trim();
    if (!isToken(asked)) throw new WireError(`${path}@token`, asked === "" ? "missing" : "not a token");
    return asked;
  },
  write(value, into) {
    into.attrs.token = value;
    into.children.push(withoutIssuer(value));
  },
};
export const getCertificate = element("getCertificate", { token: askedToken });
export const certificate = content("certificate", octets);

// Who shows a token to whoever sent it.
/** `hops`: how often it was passed on; others leave it out. */
export const tokenChallenge = element("tokenChallenge", {
  token: attr("token", token),
  hops: attrOr("hops", unsigned, 0),
  data: octets,
});
export const tokenChallengeResponse = content("tokenChallengeResponse", octets);

export type TokenChallenge = Value<typeof tokenChallenge>;

/** Attributes that carry tokens in requests, by kind. */
export const tokenAttributes = { service: "st", device: "dt", user: "ut" } as const;
export type TokenKind = keyof typeof tokenAttributes;
export const tokenKinds = Object.keys(tokenAttributes) as readonly TokenKind[];
