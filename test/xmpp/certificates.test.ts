// Certificates that are not right, each on a real TLS server: what the technician reads is one sentence that names the place and
// the remedy, and nothing was said to who could not prove himself (ACC-TLS-01).

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { connectClient } from "#cli/connect.ts";
import { type Authority, type Certificate, createAuthority } from "#lab/certificates.ts";
import { forever, type PeerOptions, startPeer, until } from "../support/xmpp-peer.ts";

const domain = "isthmus.localhost";
let home: string;
let ours: Authority;
let theirs: Authority;
let good: Certificate;
/** Made with OpenSSL alone: signs itself. */
let alone: Certificate;
const servers: Server[] = [];

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "isthmus-certificates-"));
  ours = await createAuthority(`${home}/ours`, clock, forever);
  theirs = await createAuthority(`${home}/theirs`, clock, forever);
  good = await ours.issue({ hosts: [domain] });
  alone = { certificatePath: `${home}/alone.pem`, keyPath: `${home}/alone.key` };
  const subject = ["-subj", `/CN=${domain}`, "-addext", `subjectAltName=DNS:${domain}`, "-days", "30"];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", alone.keyPath];
  await promisify(execFile)("openssl", ["req", "-x509", ...key, "-out", alone.certificatePath, ...subject]);
});
afterEach(async () => {
  for (const one of servers.splice(0)) await new Promise(resolve => one.close(resolve));
});
afterAll(() => rm(home, { recursive: true }));

interface Heard {
  port: number;
  /** What was said inside the TLS. */
  text: string;
}

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function tlsServer(certificate: Certificate, more: TlsOptions = {}): Promise<Heard> {
  const heard: Heard = { port: 0, text: "" };
  const [cert, key] = await Promise.all([certificate.certificatePath, certificate.keyPath].map(one => readFile(one)));
  const server = createTlsServer({ cert, key, ALPNProtocols: ["xmpp-client"], ...more }, socket => {
    socket
      .on("error", () => {})
      .on("data", chunk => {
        heard.text += chunk;
      });
  });
  server.on("tlsClientError", () => {});
  heard.port = await listen(server);
  return heard;
}

const at = (port: number, more: Partial<PeerOptions> = {}): PeerOptions => ({
  domain,
  ca: [ours.ca],
  host: "127.0.0.1",
  port,
  tls: "direct",
  register: { prefix: "edge", invite: { domain, token: "secret-token" } },
  ...more,
});
async function reasonOf(options: PeerOptions): Promise<string> {
  await using edge = startPeer(options);
  await until("an attempt failed", () => edge.logged.some(one => one.event === "xmpp-offline"));
  // What is not expected would be logged as a failure of ours, with its stack.
  expect(edge.logged.map(({ event }) => event)).not.toContain("xmpp-failed");
  expect(edge.credentials.saved).toEqual([]);
  return edge.session.state().reason;
}

describe("ACC-TLS-01, ACC-THR-03: a broker that cannot prove itself is told nothing, and the technician is told what is wrong", () => {
  it.for<[string, () => Promise<Certificate>, RegExp, readonly string[] | undefined]>([
    [
      "expired",
      () => ours.issue({ hosts: [domain], expired: true }),
      /expired 20\d\d-.*; this machine's clock says 20/,
      undefined,
    ],
    [
      "not valid yet, as for a clock that is behind (ACC-THR-06)",
      () => ours.issue({ hosts: [domain], early: true }),
      /valid only from 20\d\d-.*; this machine's clock says 20/,
      undefined,
    ],
    [
      "for another name",
      () => ours.issue({ hosts: ["mail.example", "www.example"] }),
      /is not for isthmus\.localhost but for DNS:mail\.example, DNS:www\.example/,
      undefined,
    ],
    [
      "for the address, not the domain",
      () => ours.issue({ hosts: ["127.0.0.1"] }),
      /is not for isthmus\.localhost but for IP Address:127\.0\.0\.1/,
      undefined,
    ],
    [
      "of an authority that is not the pinned one",
      () => theirs.issue({ hosts: [domain] }),
      /issued by an authority this machine does not trust \(Isthmus laboratory\); a private authority must be configured/,
      undefined,
    ],
    ["that signs itself", async () => alone, /an authority this machine does not trust/, undefined],
  ])("%s", async ([, make, sentence]) => {
    const server = await tlsServer(await make());
    const reason = await reasonOf(at(server.port));
    expect(reason).toMatch(sentence);
    expect(reason).toContain(`127.0.0.1:${server.port}`);
    expect(reason).not.toMatch(/\n|^\s*at /m);
    expect(server.text).toBe("");
  });

  it("of a private authority, where none is configured; pinned, the public ones are worth nothing", async () => {
    const server = await tlsServer(good);
    const { ca: _, ...withoutPin } = at(server.port);
    expect(await reasonOf(withoutPin)).toMatch(
      /does not trust \(Isthmus laboratory\); a private authority must be configured/,
    );
    expect(server.text).toBe("");
  });

  it("the same for a person at the command line", async () => {
    const server = await tlsServer(await ours.issue({ hosts: [domain], expired: true }));
    const identity = { jid: `ana@${domain}`, password: "her-password", host: "127.0.0.1", caFile: ours.caPath };
    const failing = connectClient({ ...identity, port: server.port }, forever);
    await expect(failing).rejects.toThrow(/^ana@isthmus\.localhost is not logged in: .*expired 20\d\d-/);
    await expect(failing).rejects.toMatchObject({ name: "CommandError" });
    expect(server.text).toBe("");
  });
});

describe("ACC-THR-04: neither TLS nor its version can be talked down", () => {
  it("old TLS only", async () => {
    const server = await tlsServer(good, { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" });
    expect(await reasonOf(at(server.port))).toMatch(/offers no TLS of version 1\.2 or later/);
    expect(server.text).toBe("");
  });

  it("no TLS at all, and one that hangs up", async () => {
    const heard: string[] = [];
    const plain = await listen(
      createServer((socket: Socket) => {
        socket.on("error", () => {}).on("data", chunk => void heard.push(chunk.toString("latin1")));
        socket.write("<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams'>");
      }),
    );
    expect(await reasonOf(at(plain))).toMatch(/does not speak TLS from the first byte/);
    const rude = await listen(createServer((socket: Socket) => void socket.on("error", () => {}).destroy()));
    expect(await reasonOf(at(rude))).toMatch(/broke the connection off|closed during the TLS handshake/);
    expect(heard.join("")).not.toMatch(/edge-|secret-token|<iq/);
  });

  it("STARTTLS taken out of the offer: no account is asked for, and the token is not told", async () => {
    const heard: string[] = [];
    const features = "<stream:features><register xmlns='http://jabber.org/features/iq-register'/></stream:features>";
    const port = await listen(
      createServer((socket: Socket) => {
        socket.on("error", () => {}).on("data", chunk => void heard.push(chunk.toString("latin1")));
        socket.write(
          `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='1'>${features}`,
        );
      }),
    );
    expect(await reasonOf(at(port, { tls: "starttls" }))).toMatch(
      /offers no encryption \(STARTTLS\).*Nothing was sent/,
    );
    expect(heard.join("")).toMatch(/stream:stream/);
    expect(heard.join("")).not.toMatch(/secret-token|<iq|<auth/);
  });
});
