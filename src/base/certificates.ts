// What a token stands for: an X.509 certificate with an RSA key. Whoever has the private key can read what is encrypted for
// it (RSA-OAEP, RFC 8017 section 7.1), and nobody else: that is the whole proof. One place for those who ask for one.

import { constants, publicEncrypt, randomBytes, timingSafeEqual, X509Certificate } from "node:crypto";
import { certificateBytesMax, rsaBitsMin, tokenPlainBytes } from "#limits.ts";

/** `fault`: why it cannot stand behind a token, in words for a person. */
export type CertificateRead =
  | { readonly certificate: X509Certificate; readonly fault?: undefined }
  /** It is no certificate at all. */
  | { readonly certificate?: undefined; readonly fault: string };

/** From DER. Never throws. */
export function readCertificate(der: Uint8Array): CertificateRead {
  if (der.length > certificateBytesMax) return { fault: `a certificate of more than ${certificateBytesMax} bytes` };
  try {
    const certificate = new X509Certificate(der);
    // The parser takes text as well, and what follows the certificate; only the octets themselves are the certificate.
    return Buffer.compare(certificate.raw, der) === 0 ? { certificate } : { fault: "not a certificate in DER alone" };
  } catch {
    return { fault: "not a certificate" };
  }
}

/** Why this certificate may not stand behind a token now; undefined when it may. `at`: milliseconds since 1970 UTC. */
export function weaknessOf(certificate: X509Certificate, at: number): string | undefined {
  const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey;
  if (asymmetricKeyType !== "rsa") return "the key of the certificate is not an RSA key";
  if ((asymmetricKeyDetails?.modulusLength ?? 0) < rsaBitsMin)
    return `the RSA key of the certificate has less than ${rsaBitsMin} bits`;
  const { from, to } = validityOf(certificate);
  if (!(at >= from)) return "the certificate is not valid yet";
  if (!(at < to)) return "the certificate has expired";
  return undefined;
}

/** Milliseconds since 1970 UTC. */
export const validityOf = ({ validFrom, validTo }: X509Certificate): { from: number; to: number } => ({
  from: Date.parse(validFrom),
  to: Date.parse(validTo),
});

/** A certificate signed by its own key, in its own name; whether that key may sign others does not matter. */
export const isSelfSigned = (certificate: X509Certificate): boolean =>
  certificate.subject === certificate.issuer && certificate.verify(certificate.publicKey);

/** Signed by that authority, which is one, and is valid itself. */
export const isIssuedBy = (certificate: X509Certificate, authority: X509Certificate, at: number): boolean => {
  const { from, to } = validityOf(authority);
  return (
    authority.ca &&
    at >= from &&
    at < to &&
    certificate.checkIssued(authority) &&
    certificate.verify(authority.publicKey)
  );
};

export interface Challenge {
  /** What has to come back. */
  readonly plain: Uint8Array;
  /** What is sent: only the owner of the key can read it. */
  readonly data: Uint8Array;
}

/** Random octets, encrypted with OAEP, SHA-1 and MGF1 with SHA-1, which is what deployed software reads. */
export function makeChallenge({ publicKey }: X509Certificate): Challenge {
  const plain = randomBytes(tokenPlainBytes);
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  return { plain, data: publicEncrypt({ key: publicKey, padding, oaepHash: "sha1" }, plain) };
}

/** In a time that says nothing about where they differ. */
export const isAnswered = ({ plain }: Challenge, answer: Uint8Array): boolean =>
  answer.length === plain.length && timingSafeEqual(answer, plain);
