// Certificates made here, read by OpenSSL: as a library through Node, and as the program people check them with.

import { execFileSync } from "node:child_process";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isSelfSigned, readCertificate, weaknessOf } from "#base/certificates.ts";
import * as der from "#base/der.ts";
import { makeSelfSigned, pem, selfSign } from "#base/self-signed.ts";

const from = Date.UTC(2026, 10, 20, 12);
const to = Date.UTC(2036, 10, 20, 12);
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

describe("DER", () => {
  it("writes numbers, names and times as X.690 has them", () => {
    expect(hex(der.integer(Uint8Array.of(0)))).toBe("020100");
    expect(hex(der.integer(Uint8Array.of(0x80)))).toBe("02020080");
    expect(hex(der.integer(Uint8Array.of(0, 0, 0x7f)))).toBe("02017f");
    expect(hex(der.integer(new Uint8Array()))).toBe("020100");
    expect(hex(der.objectIdentifier("1.2.840.113549.1.1.11"))).toBe("06092a864886f70d01010b");
    expect(hex(der.sequence(der.nothing(), der.boolean(true)))).toBe("300505000101ff");
    expect(Buffer.from(der.time(from)).toString("latin1")).toBe("\x17\x0d261120120000Z");
    expect(Buffer.from(der.time(Date.UTC(2050, 0, 1))).toString("latin1")).toBe("\x18\x0f20500101000000Z");
  });

  it("writes any length in as few octets as it takes", () => {
    expect(hex(der.octetString(new Uint8Array(127)).subarray(0, 2))).toBe("047f");
    expect(hex(der.octetString(new Uint8Array(128)).subarray(0, 3))).toBe("048180");
    expect(hex(der.octetString(new Uint8Array(256)).subarray(0, 4))).toBe("04820100");
  });
});

describe("a certificate that vouches for itself", () => {
  it("is read as what was written, and is what a token may rest on", async () => {
    const made = await makeSelfSigned({ name: "Ana Lindström", from, to });
    const { certificate } = readCertificate(made.certificate);
    if (certificate === undefined) throw new Error("no certificate");
    expect(certificate.subject).toBe("CN=Ana Lindström");
    expect(certificate.ca).toBe(false);
    expect(Date.parse(certificate.validFrom)).toBe(from);
    expect(Date.parse(certificate.validTo)).toBe(to);
    expect(isSelfSigned(certificate)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(made.key))).toBe(true);
    expect(weaknessOf(certificate, from + 1)).toBeUndefined();
    expect(weaknessOf(certificate, from - 1)).toBe("the certificate is not valid yet");
    expect(weaknessOf(certificate, to)).toBe("the certificate has expired");
  });

  it("is accepted by the openssl program, which says the same of it", () => {
    const folder = mkdtempSync(join(tmpdir(), "certificate-"));
    try {
      const file = join(folder, "one.pem");
      writeFileSync(file, pem("CERTIFICATE", selfSign(privateKey, { name: "meter 12", from, to })));
      const openssl = (...args: string[]) => execFileSync("openssl", args, { encoding: "utf8" });
      const text = openssl("x509", "-in", file, "-noout", "-text");
      for (const said of ["Version: 3", "CN = meter 12", "CA:FALSE", "Key Encipherment", "2048 bit"])
        expect(text.replace("CN=meter", "CN = meter")).toContain(said);
      expect(openssl("verify", "-CAfile", file, "-partial_chain", "-check_ss_sig", file)).toContain("OK");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("keeps any name and any time", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", minLength: 1, maxLength: 90 }).filter(name => /^[\p{L}\p{N} ]+$/u.test(name)),
        fc.integer({ min: Date.UTC(1990, 0, 1) / 1000, max: Date.UTC(2100, 0, 1) / 1000 }),
        (name, second) => {
          const octets = selfSign(privateKey, { name, from: second * 1000, to: second * 1000 + 1000 });
          const certificate = new X509Certificate(octets);
          expect(certificate.toLegacyObject().subject.CN).toBe([...name].slice(0, 64).join(""));
          expect(Date.parse(certificate.validFrom)).toBe(second * 1000);
          expect(isSelfSigned(certificate)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("what is no certificate for a token", () => {
  it("TOK-GET-01: octets that are not one, more than one, or one and something else", () => {
    const good = selfSign(privateKey, { name: "x", from, to });
    expect(readCertificate(Uint8Array.of(1, 2, 3)).fault).toBe("not a certificate");
    expect(readCertificate(new Uint8Array()).fault).toBe("not a certificate");
    expect(readCertificate(Buffer.from(pem("CERTIFICATE", good))).fault).toBe("not a certificate in DER alone");
    expect(readCertificate(Buffer.concat([good, good])).fault).toBeDefined();
    expect(readCertificate(new Uint8Array(9_000)).fault).toContain("8192 bytes");
  });

  it("TOK-GET-01: a key that is too short", () => {
    const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;
    const { certificate } = readCertificate(selfSign(weak, { name: "x", from, to }));
    expect(certificate && weaknessOf(certificate, from)).toContain("less than 2048 bits");
  });

  it("any damage of one octet is noticed, or harmless", () => {
    const good = selfSign(privateKey, { name: "x", from, to });
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Uint8Array.from(good);
        damaged[at] = (damaged[at] ?? 0) ^ change;
        const { certificate } = readCertificate(damaged);
        let vouched = false;
        try {
          vouched = certificate !== undefined && isSelfSigned(certificate);
        } catch {
          vouched = false;
        }
        expect(vouched).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});
