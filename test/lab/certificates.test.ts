// The lab's certificates against Node's own TLS: what must be trusted is, and what must be refused is, for its reason.

import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { expect, test } from "vitest";
import { systemClock } from "#base/clock.ts";
import { type Certificate, createAuthority } from "#lab/certificates.ts";
import { forever, handshake, temporaryFolder } from "./scene.ts";

async function serve(certificate: Certificate): Promise<AsyncDisposable & { port: number }> {
  const cert = await readFile(certificate.certificatePath);
  const server = createServer({ cert, key: await readFile(certificate.keyPath) });
  server.on("tlsClientError", () => {});
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: () => new Promise(resolve => server.close(() => resolve())) };
}

test("a certificate is trusted for its hosts, for a month, by its own authority alone", async () => {
  await using folder = await temporaryFolder();
  const authority = await createAuthority(`${folder.path}/one`, systemClock, forever);
  const stranger = await createAuthority(`${folder.path}/two`, systemClock, forever);
  await using server = await serve(await authority.issue({ hosts: ["isthmus.localhost", "localhost", "127.0.0.1"] }));
  const seen = await handshake(server.port, authority.ca, "isthmus.localhost");
  expect(seen.subjectaltname).toBe("DNS:isthmus.localhost, DNS:localhost, IP Address:127.0.0.1");
  expect(seen.nistCurve).toBe("P-256");
  const days = (Date.parse(seen.valid_to) - systemClock.now()) / 86_400_000;
  expect(days).toBeGreaterThan(29.9);
  expect(days).toBeLessThan(30.1);
  await handshake(server.port, authority.ca, "localhost");
  await expect(handshake(server.port, stranger.ca, "localhost")).rejects.toThrow(
    /unable to (verify|get)|signature failure/,
  );
  await expect(handshake(server.port, authority.ca, "elsewhere.example")).rejects.toMatchObject({
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
  });
});

test("an expired certificate is refused as expired", async () => {
  await using folder = await temporaryFolder();
  const authority = await createAuthority(folder.path, systemClock, forever);
  await using server = await serve(await authority.issue({ hosts: ["localhost"], expired: true }));
  await expect(handshake(server.port, authority.ca, "localhost")).rejects.toMatchObject({ code: "CERT_HAS_EXPIRED" });
});
