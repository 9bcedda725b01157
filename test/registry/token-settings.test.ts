// Whose certificates get tokens, as the operator lays it out in a folder; authorities and chains are made by OpenSSL.

import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { pem, selfSign } from "#base/self-signed.ts";
import { SettingsError } from "../../src/registry/config.ts";
import { tokenOptionsOf } from "../../src/registry/token-settings.ts";
import { createTokenTrust } from "../../src/registry/token-trust.ts";

let folder: string;
const file = (name: string) => join(folder, name);
const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
const day = 86_400_000;
const now = Date.now();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "token-settings-"));
  const request = ["-newkey", "rsa:2048", "-nodes", "-days", "30"];
  for (const ca of ["ours", "others"])
    openssl("req", "-x509", ...request, "-keyout", `${ca}.key`, "-out", `${ca}.crt`, "-subj", `/CN=${ca}`);
  openssl("req", ...request.slice(0, 3), "-keyout", "meter.key", "-out", "meter.csr", "-subj", "/CN=meter");
  for (const ca of ["ours", "others"])
    openssl(
      ...["x509", "-req", "-in", "meter.csr", "-CA", `${ca}.crt`, "-CAkey", `${ca}.key`],
      ...["-CAcreateserial", "-days", "20", "-out", `by-${ca}.crt`],
    );
  writeFileSync(file("ours.pem"), readFileSync(file("ours.crt")));
  const key = createPrivateKey(readFileSync(file("meter.key")));
  const own = selfSign(key, { name: "Ana", from: now - day, to: now + day });
  writeFileSync(file("ana@hub.example.pem"), pem("CERTIFICATE", own));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

const options = (more = {}) =>
  tokenOptionsOf({ tokenCertificates: folder, tokenPinFirst: false, revokedTokens: [], ...more });
const reads = { token: async () => undefined, tokensOf: async () => [] };

it("TOK-GET-01: a chain to a configured authority counts, one to another does not, nor one whose time is over", async () => {
  const said = options();
  expect(said?.authorities).toHaveLength(1);
  if (said === undefined) throw new Error("no tokens");
  const trust = createTokenTrust(said, () => true);
  const by = (ca: string) => new X509Certificate(readFileSync(file(`by-${ca}.crt`)));
  const objection = (ca: string, at: number) => trust.objection(reads, "gw9@hub.example", by(ca), at);
  expect(await objection("ours", now + day)).toBeUndefined();
  expect(await objection("others", now + day)).toBe("the certificate was issued by nobody who is trusted here");
  expect(await objection("ours", now + 25 * day)).toBe("the certificate has expired");
});

it("a file named after an account pins its certificate for it", async () => {
  const said = options();
  expect([...(said?.pinned.keys() ?? [])]).toEqual(["ana@hub.example"]);
});

it("without folder and without pinning of the first there are no tokens", () => {
  expect(options({ tokenCertificates: undefined })).toBeUndefined();
  expect(options({ tokenCertificates: undefined, tokenPinFirst: true })?.authorities).toEqual([]);
});

it("says which file is wrong", () => {
  const complaint = (name: string, content: string | Buffer) => {
    writeFileSync(file(name), content);
    try {
      options();
      return "";
    } catch (error) {
      expect(error).toBeInstanceOf(SettingsError);
      return (error as Error).message;
    } finally {
      rmSync(file(name));
    }
  };
  expect(complaint("x.pem", "hello")).toBe(`tokenCertificates: ${file("x.pem")} holds no certificate in PEM`);
  expect(complaint("x.pem", pem("CERTIFICATE", Uint8Array.of(1, 2)))).toContain("cannot be read as certificates");
  expect(complaint("x.pem", readFileSync(file("by-ours.crt")))).toContain("is not the certificate of an authority");
  expect(complaint("x.pem", readFileSync(file("ana@hub.example.pem")))).toContain("to pin it for an account");
  expect(complaint("@.pem", readFileSync(file("ana@hub.example.pem")))).toContain("is not named after an account");
  expect(() => options({ tokenCertificates: file("nowhere") })).toThrow(/nowhere cannot be read \(ENOENT\)/);
});
