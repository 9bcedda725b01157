// The account file and the account's life by the clock: changes of the password that are answered, refused and lost, by the
// owner's word and by the calendar; real files, a broker that answers as told.

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog, type LogEvent } from "#base/log.ts";
import type { ThingRecord } from "#concentrator/ownership.ts";
import { type BootSettings, bootSettings } from "#config.ts";
import { createAccount } from "#edge/account.ts";
import { createAccountFile, registerOptions } from "#edge/account-file.ts";
import { child, type Element, element, firstElement, textOf } from "#xml/element.ts";
import { Disconnected } from "#xmpp/connection.ts";
import { bundleOf } from "#xmpp/registration.ts";
import { registerNs } from "#xmpp/registration-form.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { type ManualClock, manualClock } from "../support/manual-clock.ts";

let folder: string;
let clock: ManualClock;
let logged: LogEvent[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-account-"));
  clock = manualClock();
  logged = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const never = new AbortController().signal;
const settingsWith = (more: Partial<BootSettings> = {}): BootSettings =>
  bootSettings.parse({ domain: "hub.example", dataFolder: folder, ...more });
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

/** How the broker answers a change of the password or the end of the account. */
type Answer = "yes" | StanzaError | Disconnected;

function appliance(more: Partial<BootSettings> = {}) {
  const settings = settingsWith(more);
  const credentials = createAccountFile(settings);
  if (credentials.load() === undefined) credentials.save({ username: "edge", password: "first" });
  const things = new Map<string, ThingRecord>();
  const asked: Element[] = [];
  let restarts = 0;
  let forgotten = 0;
  const broker = { online: true, answer: "yes" as Answer, removes: true };
  const account = createAccount({
    settings,
    stores: { credentials, ownership: { all: () => [...things.values()] } },
    session: {
      get online() {
        return broker.online;
      },
      async request(type, to, payload) {
        expect(to).toBe("hub.example");
        asked.push(payload);
        if (type === "get") return element("query", registerNs, {}, [element("registered", registerNs)]);
        if (broker.answer !== "yes") throw broker.answer;
        return undefined;
      },
    },
    discovery: () => ({
      service: { jid: "things.hub.example", generation: "nf" },
      list: () => [...things.values()].map(({ ref }) => ({ ref })) as never,
      removed: ref => void (broker.removes && things.delete(ref.nodeId)),
      thingsChanged() {},
    }),
    forgetPeople: async () => void forgotten++,
    restart: () => restarts++,
    clock,
    log: createLog(event => logged.push(event)),
  });
  const stop = new AbortController();
  const running = account.run(stop.signal);
  return {
    account,
    broker,
    credentials,
    asked,
    things,
    restarts: () => restarts,
    forgotten: () => forgotten,
    onDisk: () => JSON.parse(readFileSync(join(folder, "account.json"), "utf8")) as Record<string, unknown>,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}
const passwordIn = (query: Element | undefined): string => {
  const password = query && child(query, "password");
  return password === undefined ? "" : textOf(password);
};

describe("another password", () => {
  it("ACC-IBR-07: is asked for by the same query, is random, and is on the disk before the broker is asked", async () => {
    await using it = appliance();
    let atAsking: unknown;
    const asked = it.asked.push.bind(it.asked);
    it.asked.push = (...queries) => {
      atAsking = it.onDisk();
      return asked(...queries);
    };
    await it.account.changePassword(never);
    const password = passwordIn(it.asked[0]);
    expect(password).toMatch(/^[\w-]{32}$/);
    expect(textOf(firstElement(it.asked[0] as Element) as Element)).toBe("edge");
    expect(atAsking).toEqual({ username: "edge", password: "first", next: password });
    expect(it.onDisk()).toEqual({ username: "edge", password, since: clock.now() });
    expect(statSync(join(folder, "account.json")).mode & 0o077).toBe(0);
    expect(JSON.stringify(logged)).not.toContain(password);
  });

  it("ACC-IBR-07: refused, the old one stays; unanswered, both are kept, and the same is asked for again", async () => {
    await using it = appliance();
    it.broker.answer = new StanzaError("cancel", "not-allowed", "not here");
    await expect(it.account.changePassword(never)).rejects.toThrow("The broker did not change the password");
    expect(it.onDisk()).toEqual({ username: "edge", password: "first" });
    it.broker.answer = new Disconnected("the stream was lost");
    await expect(it.account.changePassword(never)).rejects.toThrow("lost");
    const asked = passwordIn(it.asked.at(-1));
    expect(it.onDisk()).toEqual({ username: "edge", password: "first", next: asked });
    it.broker.answer = "yes";
    await it.account.changePassword(never);
    expect(passwordIn(it.asked.at(-1))).toBe(asked);
    expect(it.onDisk()).toMatchObject({ password: asked });
    it.broker.online = false;
    await expect(it.account.changePassword(never)).rejects.toThrow("There is no connection to the broker");
  });

  it("two who ask at once have it changed once", async () => {
    await using it = appliance();
    await Promise.all([it.account.changePassword(never), it.account.changePassword(never)]);
    expect(it.asked).toHaveLength(1);
  });

  it("comes by the calendar where the settings say so, and is tried again later when the broker does not want to", async () => {
    await using it = appliance({ passwordDays: 30 });
    await clock.advance(2_000);
    expect(it.onDisk().since).toBeDefined();
    await clock.advance(29 * 86_400_000);
    expect(it.asked).toEqual([]);
    it.broker.answer = new StanzaError("wait", "resource-constraint");
    await clock.advance(2 * 86_400_000);
    const tries = it.asked.length;
    expect(tries).toBeGreaterThan(1);
    expect(tries).toBeLessThan(15);
    it.broker.answer = "yes";
    await clock.advance(2 * 86_400_000);
    expect(it.onDisk().password).not.toBe("first");
    const changed = it.asked.length;
    await clock.advance(20 * 86_400_000);
    expect(it.asked).toHaveLength(changed);
  });

  it("never by itself unless the settings say so, nor of an account that a person wrote down", async () => {
    await using it = appliance();
    await clock.advance(40 * 86_400_000);
    expect(it.asked).toEqual([]);
    await using configured = appliance({ account: "edge", passwordFile: write("password", "pw\n"), passwordDays: 1 });
    await clock.advance(10 * 86_400_000);
    expect(configured.asked).toEqual([]);
    await expect(configured.account.changePassword(never)).rejects.toThrow("written in the appliance's boot file");
    await expect(configured.account.takeOutOfService(async () => {}, never)).rejects.toThrow("boot file");
  });
});

describe("out of service", () => {
  const put = (it: ReturnType<typeof appliance>, ...ids: string[]) => {
    for (const nodeId of ids)
      it.things.set(nodeId, { ref: { nodeId, sourceId: nodeId === "" ? "" : "M", partition: "" } } as ThingRecord);
  };

  it("ACC-IBR-07: a registry that does not let go keeps the account where it is, with a sentence", async () => {
    await using it = appliance();
    put(it, "", "a", "b");
    it.broker.removes = false;
    const told: number[] = [];
    const asking = it.account.takeOutOfService(async left => void told.push(left), never);
    const refused = expect(asking).rejects.toThrow("The registry did not answer for 2 of the things");
    await clock.advance(60_000);
    await refused;
    expect(told[0]).toBe(2);
    expect(it.account.leaving).toBe(false);
    expect(it.onDisk()).toEqual({ username: "edge", password: "first" });
  });

  it("ACC-IBR-07: after a crash in the middle it goes on: the appliance's own thing, then the account, then nothing is kept", async () => {
    createAccountFile(settingsWith()).save({ username: "edge", password: "first", leaving: true, bundle: "key k1" });
    await using it = appliance();
    put(it, "");
    expect(it.account.leaving).toBe(true);
    it.broker.online = false;
    await clock.advance(10_000);
    expect(it.asked).toEqual([]);
    it.broker.online = true;
    it.account.online();
    await clock.advance(10_000);
    expect(it.things.size).toBe(0);
    expect(firstElement(it.asked[0] as Element)?.name).toBe("remove");
    expect(it.onDisk()).toEqual({ retired: "key k1" });
    expect([it.forgotten(), it.restarts()]).toEqual([1, 1]);
    expect(it.credentials.retired()).toBe("key k1");
    // Another start keeps to it.
    expect(createAccountFile(settingsWith()).load()).toBeUndefined();
    expect(createAccountFile(settingsWith()).retired()).toBe("key k1");
  });

  it("ACC-IBR-07: a broker that refuses leaves the appliance in service; one that does not answer is asked again", async () => {
    await using it = appliance();
    it.broker.answer = new StanzaError("cancel", "not-allowed");
    await it.account.takeOutOfService(async () => {}, never);
    await clock.advance(10_000);
    expect(it.onDisk()).toEqual({ username: "edge", password: "first" });
    expect(it.account.leaving).toBe(false);
    expect(logged.map(({ event }) => event)).toContain("account-not-removed");
    it.broker.answer = new Disconnected("lost");
    await it.account.takeOutOfService(async () => {}, never);
    await clock.advance(10_000);
    expect(it.onDisk()).toMatchObject({ leaving: true });
    it.broker.answer = "yes";
    await clock.advance(120_000);
    expect(it.onDisk()).toEqual({ retired: "" });
  });
});

describe("what the settings say", () => {
  it("ACC-THR-01: the secret of a key may leave the device once there is an account, and the account stays", () => {
    const apiSecretFile = write("api-secret", "s3cret\n");
    const settings = settingsWith({ apiKey: "k1", apiSecretFile });
    expect(registerOptions(settings).apiKey).toEqual({ id: "k1", secret: "s3cret" });
    expect(bundleOf(registerOptions(settings))).toBe("key k1");
    rmSync(apiSecretFile);
    expect(() => registerOptions(settings)).toThrow(/^apiSecretFile: .*api-secret cannot be read/);
    createAccountFile(settings).save({ username: "k1-a", password: "pw", bundle: "key k1" });
    expect(bundleOf(registerOptions(settings))).toBe("key k1");
    write("api-secret", "");
    expect(() => registerOptions(settings)).toThrow(/is empty/);
  });
});
