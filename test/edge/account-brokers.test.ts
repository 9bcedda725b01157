// An account's life at both brokers we did not write: made in band, its password changed in use, given back, and gone.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { bootSettings } from "#config.ts";
import { createAccount } from "#edge/account.ts";
import { createAccountFile } from "#edge/account-file.ts";
import type { StartBroker } from "#lab/broker.ts";
import { type Authority, createAuthority } from "#lab/certificates.ts";
import { startEjabberd } from "#lab/ejabberd.ts";
import { startProsody } from "#lab/prosody.ts";
import { forever, startPeer, until } from "../support/xmpp-peer.ts";

const domain = "isthmus.localhost";
let home: string;
let authority: Authority;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "isthmus-account-brokers-"));
  authority = await createAuthority(`${home}/ca`, clock, forever);
});
afterAll(() => rm(home, { recursive: true }));

it.for<[string, StartBroker]>([
  ["Prosody", startProsody],
  ["ejabberd", startEjabberd],
])(
  "ACC-IBR-07: with %s, a new password at once, and in the end no account",
  { timeout: 90_000 },
  async ([name, start]) => {
    const certificate = await authority.issue({ hosts: [domain] });
    const folder = join(home, name);
    await using broker = await start({ folder, domain, certificate, clock, signal: forever, registration: true });
    const dataFolder = await mkdtemp(join(home, "data-"));
    const settings = bootSettings.parse({ domain, dataFolder });
    const credentials = createAccountFile(settings);
    const common = { domain, host: "127.0.0.1", port: broker.ports.tls, tls: "direct" as const, ca: [authority.ca] };
    const store = { ...credentials, saved: [] };
    await using edge = startPeer({ ...common, register: { prefix: "edge" }, credentials: store });
    await edge.session.whenOnline(forever);
    const first = credentials.load();
    let restarts = 0;
    const account = createAccount({
      settings,
      stores: { credentials, ownership: { all: () => [] } },
      session: edge.session,
      discovery: () => ({ service: undefined, list: () => [], removed() {}, thingsChanged() {} }),
      forgetPeople: async () => {},
      restart: () => restarts++,
      clock,
      log: silentLog,
    });
    const stop = new AbortController();
    const running = account.run(stop.signal);
    await account.changePassword(forever);
    const second = credentials.load();
    expect(second?.username).toBe(first?.username);
    expect(second?.password).not.toBe(first?.password);

    const letsIn = async (password = "") => {
      await using peer = startPeer({ ...common, user: first?.username ?? "", password });
      await until("an end", () => peer.session.online || peer.logged.some(one => one.event === "xmpp-offline"));
      return peer.session.online;
    };
    expect([await letsIn(first?.password), await letsIn(second?.password)]).toEqual([false, true]);

    await account.takeOutOfService(async () => {}, forever);
    await until("given back", () => restarts === 1, 60_000);
    expect(JSON.parse(await readFile(join(dataFolder, "account.json"), "utf8"))).toEqual({ retired: "" });
    expect(await letsIn(second?.password)).toBe(false);
    // Left to itself it stays out: no account is made behind anybody's back, and the broker has its peace.
    const waitMs = () => Number(edge.logged.filter(one => one.event === "xmpp-offline").at(-1)?.facts.nextMs ?? 0);
    await until("stays out", () => waitMs() >= 300_000, 60_000);
    expect(edge.logged.filter(one => one.event === "account-registered")).toHaveLength(1);
    stop.abort();
    await running;
  },
);
