// An account made in band: with a real Prosody, and with brokers that want more than a machine can give.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { type Authority, type Certificate, createAuthority } from "#lab/certificates.ts";
import { type Prosody, startProsody } from "#lab/prosody.ts";
import { textOf } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { type Invite, parseInvite } from "#xmpp/invite.ts";
import { fill } from "#xmpp/registration-form.ts";
import type { Credentials } from "#xmpp/sasl.ts";
import { prosodyInvite } from "../support/prosody-invite.ts";
import {
  type Line,
  mechanismsOf,
  playBind,
  playScram,
  sessionFeatures,
  startScriptedServer,
} from "../support/scripted-server.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { forever, memoryCredentials, type PeerOptions, startPeer, until } from "../support/xmpp-peer.ts";

const domain = "isthmus.localhost";
let home: string;
let authority: Authority;
let certificate: Certificate;
let open: Prosody;
let closed: Prosody;
let invited: Prosody;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "isthmus-registration-"));
  authority = await createAuthority(`${home}/ca`, clock, forever);
  certificate = await authority.issue({ hosts: [domain] });
  const common = { domain, certificate, clock, signal: forever };
  open = await startProsody({ ...common, folder: `${home}/open`, registration: true });
  closed = await startProsody({ ...common, folder: `${home}/closed` });
  const hostConfig = 'modules_enabled = { "invites"; "invites_register" }';
  invited = await startProsody({ ...common, folder: `${home}/invited`, hostConfig });
});
afterAll(async () => {
  await open?.stop();
  await closed?.stop();
  await invited?.stop();
  await rm(home, { recursive: true });
});

const at = (port: number, options: Partial<PeerOptions> = {}): PeerOptions => ({
  domain,
  ca: [authority.ca],
  host: "127.0.0.1",
  port,
  tls: "direct",
  register: { prefix: "edge" },
  ...options,
});
const reasonOf = async (options: PeerOptions) => {
  await using edge = startPeer(options);
  await until("an attempt failed", () => edge.logged.some(one => one.event === "xmpp-offline"));
  expect(edge.onlines).toEqual([]);
  const waitMs = edge.logged.find(one => one.event === "xmpp-offline")?.facts.nextMs;
  return { reason: edge.session.state().reason, waitMs, saved: edge.credentials.saved };
};

describe("with Prosody", () => {
  it("ACC-IBR-02, ACC-IBR-04: a random account, stored before it is used, used on the same stream and ever after", async () => {
    await using edge = startPeer(at(open.ports.tls));
    await edge.session.whenOnline(forever);
    const [first, second, third, ...more] = edge.credentials.saved;
    expect(more).toEqual([]);
    expect(first?.username).toMatch(/^edge-[a-z2-7]{10}$/);
    expect(first?.password).toMatch(/^[\w-]{22,}$/);
    expect(first?.unconfirmed).toBe(true);
    expect(second).toEqual({ username: first?.username, password: first?.password });
    expect(third?.mechanism).toMatch(/^SCRAM-SHA-1(-PLUS)?$/);
    expect(edge.session.jid.startsWith(`${first?.username}@${domain}/`)).toBe(true);
    expect(JSON.stringify(edge.logged)).not.toContain(first?.password);
    await edge.stop();

    await using again = startPeer(at(open.ports.tls, { credentials: edge.credentials }));
    await again.session.whenOnline(forever);
    expect(again.session.jid.startsWith(`${first?.username}@`)).toBe(true);
    expect(edge.credentials.saved).toHaveLength(3);
  });

  it("ACC-IBR-01: an account that was stored and is refused is never registered anew", async () => {
    const { reason, saved } = await reasonOf(
      at(open.ports.tls, { credentials: memoryCredentials({ username: "gone", password: "secret" }) }),
    );
    expect(reason).toMatch(/does not accept/);
    expect(saved).toHaveLength(1);
  });

  it("an account chosen but not made before a crash is made under the same name; one made but not confirmed is used", async () => {
    const chosen = { username: "edge-chosen", password: "0123456789012345678901", unconfirmed: true } as const;
    await using edge = startPeer(at(open.ports.tls, { credentials: memoryCredentials(chosen) }));
    await edge.session.whenOnline(forever);
    expect(edge.session.jid).toMatch(/^edge-chosen@/);
    await edge.stop();
    await using again = startPeer(at(open.ports.tls, { credentials: memoryCredentials(chosen) }));
    await again.session.whenOnline(forever);
    await until("confirmed", () => again.credentials.load()?.unconfirmed === undefined);
  });

  it("ACC-IBR-05: without registration the sentence says so, and the machine is patient", async () => {
    const { reason, waitMs } = await reasonOf(at(closed.ports.tls));
    expect(reason).toMatch(/offers no registration/);
    expect(waitMs).toBeGreaterThanOrEqual(900_000);
  });

  it("ACC-IBR-05: a quarter of an hour and more, then twice that, and twice that again", async () => {
    const waits: number[] = [];
    const hasty = {
      ...clock,
      sleep: async (ms: number, signal: AbortSignal) => {
        if (ms < 900_000) return await clock.sleep(ms, signal);
        waits.push(ms);
        if (waits.length > 2) await clock.sleep(ms, signal);
      },
    };
    await using edge = startPeer(at(closed.ports.tls), hasty);
    await until("three refusals", () => waits.length > 2);
    expect(edge.onlines).toEqual([]);
    for (const [index, least] of [900_000, 1_800_000, 3_600_000].entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(least);
      expect(waits[index]).toBeLessThanOrEqual(least * 1.25);
    }
  });

  it("without an account and without the wish to make one", async () => {
    const { register: _, ...unwilling } = at(open.ports.tls);
    expect((await reasonOf(unwilling)).reason).toMatch(/no user name and password are configured/);
  });

  it("not on a clear stream: STARTTLS comes first", async () => {
    const heard: string[] = [];
    await using proxy = await startTcpProxy({
      targetPort: open.ports.c2s,
      fromClient: chunk => void heard.push(chunk.toString("latin1")),
    });
    await using edge = startPeer(at(proxy.port, { tls: "starttls" }));
    await edge.session.whenOnline(forever);
    expect(heard.join("")).not.toMatch(/register|password/);
  });
});

describe("by invitation (XEP-0445), with the modules that come with Prosody", () => {
  const invite = async (address = domain): Promise<Invite> =>
    parseInvite(await prosodyInvite(`${home}/invited`, address));
  const by = (one: Invite, more: Partial<PeerOptions> = {}) =>
    at(invited.ports.tls, { register: { prefix: "edge", invite: one }, ...more });
  const online = async (options: PeerOptions) => {
    await using edge = startPeer(options);
    await edge.session.whenOnline(forever);
    expect(JSON.stringify(edge.logged)).not.toContain(options.register?.invite?.token);
    return edge.credentials.load() as Credentials;
  };

  it("ACC-SRV-02: one invitation, one account; it is not used up by what fails before", async () => {
    const one = await invite();
    expect(one.domain).toBe(domain);
    const full = {
      saved: [],
      load: () => undefined,
      save: () => {
        throw new Error("no space left on device");
      },
    };
    expect((await reasonOf(by(one, { credentials: full }))).reason).toMatch(/no space left/);
    const made = await online(by(one));
    expect(made).toMatchObject({
      username: expect.stringMatching(/^edge-/),
      bundle: expect.stringMatching(/^invite /),
    });
    const second = await reasonOf(by(one));
    expect(second.reason).toMatch(
      /does not know the invite: it was used already, or it has expired\. Have a new one made/,
    );
    expect(second.waitMs).toBeGreaterThanOrEqual(900_000);
    expect(second.saved).toEqual([]);
  });

  it("ACC-SRV-06: without one the door is closed", async () => {
    expect((await reasonOf(at(invited.ports.tls))).reason).toMatch(/through invitation only/);
    const unknown = { domain, token: "made-up" };
    expect((await reasonOf(by(unknown))).reason).toMatch(/does not know the invite/);
  });

  it("ACC-IBR-05: a broker that takes no invitations is not told the token, nor asked for an account without", async () => {
    const secret = { domain, token: "the-token-that-is-secret" };
    const heard: string[] = [];
    await using server = await startScriptedServer(certificate, async line => {
      line.socket.on("close", () => heard.push(line.heard));
      await line.header(`${mechanismsOf(["SCRAM-SHA-256"])}<register xmlns='http://jabber.org/features/iq-register'/>`);
    });
    const options = at(server.port, { register: { prefix: "edge", invite: secret } });
    expect((await reasonOf(options)).reason).toMatch(/takes no invites \(XEP-0445\).*Nothing was sent/);
    await until("closed", () => heard.length > 0);
    expect(heard.join("")).not.toMatch(/the-token|jabber:iq:register/);
  });

  it("ACC-THR-05: an invitation may name the account; a name that is taken stops it, and is nobody else's", async () => {
    const named = await invite(`cellar-1@${domain}`);
    expect((await online(by(named))).username).toBe("cellar-1");
    const again = await reasonOf(by({ ...(await invite()), username: "cellar-1" }));
    expect(again.reason).toMatch(/the account cellar-1 exists at the broker, with a password that is not ours/);
    expect(again.waitMs).toBeGreaterThanOrEqual(900_000);
  });

  it("ACC-IBR-01: an account that was removed there is refused patiently, and made again under its name by a new invitation", async () => {
    const first = await invite();
    const made = await online(by(first));
    await invited.removeUser(made.username);
    // What made it makes it never again: no loop, and no second account.
    const gone = await reasonOf(by(first, { credentials: memoryCredentials(made) }));
    expect(gone.reason).toMatch(/does not accept this user name and password/);
    expect(gone.waitMs).toBeGreaterThanOrEqual(300_000);
    expect(gone.saved).toEqual([made]);
    const anew = await online(by(await invite(), { credentials: memoryCredentials(made) }));
    expect(anew).toMatchObject({ username: made.username, password: made.password });
    expect(anew.bundle).not.toBe(made.bundle);
  });

  it("ACC-IBR-01: an account that is there with another password is never overwritten, and what is stored stays", async () => {
    const made = await online(by(await invite()));
    await invited.register(made.username, "changed by the operator");
    const refused = await reasonOf(by(await invite(), { credentials: memoryCredentials(made) }));
    expect(refused.reason).toMatch(
      /exists at the broker, with a password that is not ours: remove it there, or configure/,
    );
    expect(refused.waitMs).toBeGreaterThanOrEqual(900_000);
    expect(refused.saved).toEqual([made]);
  });
});

describe("a password on its way to another", () => {
  it("ACC-IBR-07: the broker has made the change whose answer was lost: the new one is used, and kept alone", async () => {
    await open.register("rotated", "the new one, long enough");
    const kept = { username: "rotated", password: "the old one", next: "the new one, long enough", since: 1 };
    await using edge = startPeer(at(open.ports.tls, { credentials: memoryCredentials(kept) }));
    await edge.session.whenOnline(forever);
    expect(edge.credentials.load()).toMatchObject({ password: kept.next, since: 1 });
    expect(edge.credentials.load()?.next).toBeUndefined();
  });

  it("ACC-IBR-07: it has not: the old one holds, and the new one is forgotten; neither: no more is tried", async () => {
    await open.register("unrotated", "the old one, long enough");
    const kept = { username: "unrotated", password: "the old one, long enough", next: "the new one" };
    await using edge = startPeer(at(open.ports.tls, { credentials: memoryCredentials(kept) }));
    await edge.session.whenOnline(forever);
    expect(edge.credentials.load()?.next).toBeUndefined();
    expect(edge.credentials.load()?.password).toBe(kept.password);
    const wrong = memoryCredentials({ username: "unrotated", password: "a", next: "b" });
    const { reason, saved } = await reasonOf(at(open.ports.tls, { credentials: wrong }));
    expect(reason).toMatch(/does not accept/);
    expect(saved).toHaveLength(1);
  });
});

describe("with brokers of all kinds", () => {
  const offer = `${mechanismsOf(["SCRAM-SHA-256"])}<register xmlns='http://jabber.org/features/iq-register'/>`;
  const give = async (line: Line, query: string) => {
    const [, id = ""] = await line.expect(/<iq type='get' id='([^']*)'><query xmlns='jabber:iq:register'\/>/);
    line.send(`<iq type='result' id='${id}'><query xmlns='jabber:iq:register'>${query}</query></iq>`);
  };
  const form = (fields: string) => `<x xmlns='jabber:x:data' type='form'>${fields}</x>`;
  const required = (name: string, extra = "") => `<field var='${name}' label='The ${name}'><required/>${extra}</field>`;

  it("ACC-IBR-03: a captcha, an e-mail address or a web page stop it with a sentence", async () => {
    const queries = [
      `<username/><password/>${form(`${required("username")}${required("password")}${required("ocr", "<media xmlns='urn:xmpp:media-element'/>")}`)}`,
      "<username/><password/><email/>",
      "<instructions>Go to https://broker.example/join</instructions><x xmlns='jabber:x:oob'><url>u</url></x>",
      form("<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:xdata:signature:oauth1</value></field>"),
    ];
    const sentences = [/\(The ocr\): create an account/, /\(email\)/, /Go to https:/, /sign with an API key/];
    for (const [index, query] of queries.entries()) {
      await using server = await startScriptedServer(certificate, async line => {
        await line.header(offer);
        await give(line, query);
      });
      const { reason, saved } = await reasonOf(at(server.port));
      expect(reason).toMatch(sentences[index] as RegExp);
      expect(saved).toEqual([]);
    }
  });

  it("ACC-IBR-03: the form is used where there is one, with what it gives filled in already", () => {
    const query = parse(
      `<query xmlns='jabber:iq:register'><username/><password/><email/>${form(
        `<field var='FORM_TYPE' type='hidden'><value>jabber:iq:register</value></field><field type='fixed'><value>Hi</value></field>` +
          `<field var='token' type='hidden'><value>t1</value></field>${required("username")}${required("password")}<field var='nick'/>`,
      )}</query>`,
    );
    const filled = fill(query, { username: "edge-1", password: "pw" });
    const x = filled.children[0];
    if (typeof x === "string" || x === undefined) throw new Error("no form");
    expect(filled.children).toHaveLength(1);
    expect(x.attrs.type).toBe("submit");
    expect(
      x.children.map(field =>
        typeof field === "string" ? field : [field.attrs.var, textOf(field.children[0] as never)],
      ),
    ).toEqual([
      ["FORM_TYPE", "jabber:iq:register"],
      ["token", "t1"],
      ["username", "edge-1"],
      ["password", "pw"],
    ]);
  });

  it("ACC-IBR-05: a name that is taken is replaced, up to three", async () => {
    const names: string[] = [];
    await using server = await startScriptedServer(certificate, async line => {
      await line.header(offer);
      for (;;) {
        await give(line, "<username/><password/>");
        const [, id = "", name = ""] = await line.expect(/<iq type='set' id='([^']*)'>.*?<username>([^<]*)</);
        names.push(name);
        line.send(
          `<iq type='error' id='${id}'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
        );
      }
    });
    const { reason } = await reasonOf(at(server.port));
    expect(reason).toMatch(/3 random user names are all taken/);
    expect(new Set(names).size).toBe(3);
  });

  it("ACC-IBR-04: what cannot be stored is not used", async () => {
    let asked = "";
    await using server = await startScriptedServer(certificate, async line => {
      line.socket.on("close", () => (asked = line.heard));
      await line.header(offer);
      await give(line, "<username/><password/>");
    });
    const full = {
      saved: [],
      load: () => undefined,
      save: () => {
        throw new Error("no space left on device");
      },
    };
    expect((await reasonOf(at(server.port, { credentials: full }))).reason).toMatch(/no space left/);
    await until("closed", () => asked !== "");
    expect(asked).not.toContain("type='set'");
  });

  it("a crash between the broker's yes and our note: the next log-in finds the account", async () => {
    let made: { username: string; password: string } | undefined;
    const credentials = memoryCredentials();
    await using server = await startScriptedServer(certificate, async (line, connection) => {
      await line.header(offer);
      if (connection === 1) {
        await give(line, "<username/><password/>");
        const [, username = "", password = ""] = await line.expect(/<username>([^<]*)<.*?<password>([^<]*)</);
        made = { username, password };
        line.socket.destroy();
      } else {
        expect(made).toBeDefined();
        await playScram(line, { password: made?.password ?? "" });
        await line.header(sessionFeatures);
        await playBind(line);
      }
    });
    await using edge = startPeer(at(server.port, { credentials }));
    await edge.session.whenOnline(forever);
    expect(credentials.load()).toEqual({ ...made, mechanism: "SCRAM-SHA-256" });
    expect(server.errors).toEqual([]);
  });
});
