// SCRAM by the RFCs' own examples, the choice of mechanism, and whole log-ins against a server that plays false.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { type Authority, type Certificate, createAuthority } from "#lab/certificates.ts";
import { type Binding, choose, LoginError } from "#xmpp/sasl.ts";
import { createScram, prepare } from "#xmpp/scram.ts";
import {
  mechanismsOf,
  playBind,
  playScram,
  type ScramHeard,
  type ScramScript,
  sessionFeatures,
  startScriptedServer,
} from "../support/scripted-server.ts";
import { forever, memoryCredentials, type Peer, startPeer, until } from "../support/xmpp-peer.ts";

describe("SCRAM", () => {
  it("ACC-SASL-02: the example of RFC 5802 section 5", async () => {
    const scram = createScram({
      hash: "sha1",
      username: "user",
      password: "pencil",
      gs2: "n,,",
      nonce: "fyko+d2lbbFgONRv9qkxdawL",
    });
    expect(scram.first).toBe("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
    const final = await scram.answer("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096");
    expect(final).toBe("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
    scram.verify("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");
    expect(() => scram.verify("v=rmF9pqV8S7suAoZWjb4dJRkFsKQ=")).toThrow(/could not prove/);
  });

  it("ACC-SASL-02: the example of RFC 7677 section 3, and again from kept keys", async () => {
    const options = {
      hash: "sha256",
      username: "user",
      password: "pencil",
      gs2: "n,,",
      nonce: "rOprNGfwEbeRWgbNEkqO",
    } as const;
    const challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const first = createScram(options);
    expect(await first.answer(challenge)).toMatch(/,p=dHzbZapWIk4jUhN\+Ute9ytag9zjfMHgsqmmiz7AndVQ=$/);
    first.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    const second = createScram({ ...options, password: "not needed", known: first.keys() });
    expect(await second.answer(challenge)).toMatch(/,p=dHzbZapWIk4jUhN\+Ute9ytag9zjfMHgsqmmiz7AndVQ=$/);
    const other = createScram({ ...options, password: "another", known: first.keys() });
    expect(await other.answer(challenge.replace("W22Z", "W22A"))).not.toMatch(/p=dHzbZapWIk4j/);
  });

  it("ACC-SASL-02: a broken nonce, too few or too many iterations, a bad salt, an unknown extension are refused", async () => {
    const answer = (text: string) =>
      createScram({ hash: "sha256", username: "u", password: "p", gs2: "n,,", nonce: "abc" }).answer(text);
    await expect(answer("r=abd123,s=QSXCR+Q6sek8bf92,i=4096")).rejects.toThrow(/nonce/);
    await expect(answer("r=abc,s=QSXCR+Q6sek8bf92,i=4096")).rejects.toThrow(/nonce/);
    await expect(answer("r=abc1,s=QSXCR+Q6sek8bf92,i=4095")).rejects.toThrow(/4095 SCRAM iterations/);
    await expect(answer("r=abc1,s=QSXCR+Q6sek8bf92,i=1000001")).rejects.toThrow(/iterations/);
    await expect(answer("r=abc1,s=QSXCR+Q6sek8bf92,i=1e4")).rejects.toThrow(/iterations/);
    await expect(answer("r=abc1,s=,i=4096")).rejects.toThrow(/salt/);
    await expect(answer("m=x,r=abc1,s=QSXCR+Q6sek8bf92,i=4096")).rejects.toThrow(/extension/);
    await expect(answer("nonsense")).rejects.toThrow(/malformed/);
  });

  it("user names and passwords are prepared as SASLprep has it", () => {
    expect(createScram({ hash: "sha1", username: "a,b=c", password: "", gs2: "n,,", nonce: "n" }).first).toBe(
      "n,,n=a=2Cb=3Dc,r=n",
    );
    // RFC 4013 section 3.
    expect(prepare("I\u00ADX")).toBe("IX");
    expect(prepare("\u00AA")).toBe("a");
    expect(prepare("\u2168")).toBe("IX");
    expect(prepare("a\u00A0b")).toBe("a b");
  });
});

describe("the choice of mechanism", () => {
  const exporter: Binding = { type: "tls-exporter", data: Buffer.from("e") };
  const endPoint: Binding = { type: "tls-server-end-point", data: Buffer.from("p") };
  const both = [exporter, endPoint];
  const all = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "DIGEST-MD5"];
  const options = { plain: false, credentials: { username: "u", password: "p" } };

  it("ACC-SASL-01: the strongest, bound when the broker says to what", () => {
    expect(choose(all, ["tls-server-end-point", "tls-exporter"], both, options)).toMatchObject({
      mechanism: "SCRAM-SHA-256-PLUS",
      gs2: "p=tls-exporter,,",
    });
    expect(choose(all, ["tls-server-end-point"], both, options).gs2).toBe("p=tls-server-end-point,,");
  });

  it("ACC-SASL-01: bound is offered but to nothing we have: unbound and not claimed to be removed", () => {
    expect(choose(all, undefined, both, options)).toEqual({ mechanism: "SCRAM-SHA-256", gs2: "n,," });
    expect(choose(all, ["tls-unique"], both, options)).toEqual({ mechanism: "SCRAM-SHA-256", gs2: "n,," });
  });

  it("ACC-SASL-01: no bound mechanism offered: y tells a broker that does offer them", () => {
    expect(choose(["SCRAM-SHA-1"], undefined, both, options)).toEqual({ mechanism: "SCRAM-SHA-1", gs2: "y,," });
    expect(choose(["SCRAM-SHA-1"], undefined, [], options).gs2).toBe("n,,");
  });

  it("ACC-SASL-01: PLAIN only when configured, nothing weaker than before", () => {
    expect(() => choose(["PLAIN"], undefined, both, options)).toThrow(/not allowed here/);
    expect(choose(["PLAIN"], undefined, both, { ...options, plain: true }).mechanism).toBe("PLAIN");
    expect(() => choose(["X-OAUTH2"], undefined, both, options)).toThrow(LoginError);
    expect(() => choose([], undefined, both, options)).toThrow(/none at all/);
    const before = { ...options, credentials: { ...options.credentials, mechanism: "SCRAM-SHA-256-PLUS" } as const };
    expect(() => choose(["SCRAM-SHA-256"], undefined, both, before)).toThrow(/somebody may be in between/);
  });
});

describe("whole log-ins", () => {
  let home: string;
  let authority: Authority;
  let certificate: Certificate;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "isthmus-sasl-"));
    authority = await createAuthority(home, clock, forever);
    certificate = await authority.issue({ hosts: ["isthmus.localhost"] });
  });
  afterAll(() => rm(home, { recursive: true }));

  const play = async (
    features: string,
    how: Partial<ScramScript>,
    then: (peer: Peer, heard: ScramHeard[]) => Promise<void>,
  ) => {
    const heard: ScramHeard[] = [];
    await using server = await startScriptedServer(certificate, async line => {
      await line.header(features);
      heard.push(await playScram(line, { password: "secret", ...how }));
      await line.header(sessionFeatures);
      await playBind(line);
    });
    await using peer = startPeer({
      domain: "isthmus.localhost",
      ca: [authority.ca],
      host: "127.0.0.1",
      port: server.port,
      tls: "direct",
      user: "edge",
    });
    await then(peer, heard);
    expect(server.errors).toEqual([]);
  };
  const online = async (peer: Peer) => {
    await until("online", () => peer.session.online || peer.logged.some(one => one.event === "xmpp-offline"));
    expect(peer.session.state()).toMatchObject({ phase: "online" });
  };
  const refused = async (peer: Peer): Promise<string> => {
    await until("refused", () => peer.logged.some(one => one.event === "xmpp-offline"));
    return peer.session.state().reason;
  };

  it("ACC-SASL-01: bound to the TLS session by tls-exporter", () =>
    play(mechanismsOf(["SCRAM-SHA-1", "SCRAM-SHA-256-PLUS"], ["tls-exporter"]), {}, async (peer, heard) => {
      await online(peer);
      expect(heard).toEqual([{ mechanism: "SCRAM-SHA-256-PLUS", gs2: "p=tls-exporter,,", right: true }]);
    }));

  it("ACC-SASL-01: bound to the certificate by tls-server-end-point", () =>
    play(mechanismsOf(["SCRAM-SHA-1-PLUS"], ["tls-server-end-point"]), {}, async (peer, heard) => {
      await online(peer);
      expect(heard).toEqual([{ mechanism: "SCRAM-SHA-1-PLUS", gs2: "p=tls-server-end-point,,", right: true }]);
    }));

  it("the signature in a challenge of its own", () =>
    play(mechanismsOf(["SCRAM-SHA-256"]), { signatureInChallenge: true }, online));

  it("ACC-SASL-02: a broker that does not know the password is not believed", () =>
    play(mechanismsOf(["SCRAM-SHA-256"]), { signature: one => one.replace(/.{4}=$/, "AAA=") }, async peer => {
      expect(await refused(peer)).toMatch(/could not prove that it knows the password/);
      expect(peer.onlines).toEqual([]);
    }));

  it("ACC-SASL-02: success without any signature is none", () =>
    play(mechanismsOf(["SCRAM-SHA-256"]), { signature: () => "x=" }, async peer => {
      expect(await refused(peer)).toMatch(/could not prove/);
    }));

  it("PLAIN is not even tried unless configured", async () => {
    const lines: string[] = [];
    await using server = await startScriptedServer(certificate, async line => {
      await line.header(mechanismsOf(["PLAIN"]));
      line.socket.on("close", () => lines.push(line.heard));
    });
    await using peer = startPeer({
      domain: "isthmus.localhost",
      ca: [authority.ca],
      host: "127.0.0.1",
      port: server.port,
      credentials: memoryCredentials({ username: "edge", password: "secret" }),
    });
    expect(await refused(peer)).toMatch(/PLAIN/);
    await until("closed", () => lines.length > 0);
    expect(lines.join("")).not.toContain("<auth");
  });
});
