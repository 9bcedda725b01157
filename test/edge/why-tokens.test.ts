// Explanations of what rests on tokens: which one counts, since when that is proven, which was dropped and why; and never a whole
// one. Real keys, the desk and the rules as on the network.

import { constants, generateKeyPairSync, type KeyObject, privateDecrypt } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { selfSign } from "#base/self-signed.ts";
import { treatment } from "#concentrator/why-sentences.ts";
import { type Caller, noTokens, type Tokens } from "#contract/caller.ts";
import { DeviceFault, Refusal } from "#contract/faults.ts";
import { askAll } from "#contract/field.ts";
import type { Cell } from "#contract/report.ts";
import { createBreaker } from "#drivers/breaker.ts";
import { createAllLanguages } from "#languages/all.ts";
import { element, textOf } from "#xml/element.ts";
import { clientNs, StanzaError } from "#xmpp/stanza.ts";
import { callerOf, never } from "../concentrator/scene.ts";
import { manualClock } from "../support/manual-clock.ts";
import type { Sent } from "../xmpp/iot/discovery-service-link.ts";
import { decider, heat, no, type OwnedScene, ownedScene, rootRef, yes } from "./owned-scene.ts";

const tenant = "tenant@hub.example";
const bob = "bob@city.example";
const bobFull = `${bob}/phone`;
const hour = 3_600_000;
const random = "Zk3vQ9w1Lr7Xs2Tb8Yd5Nc";
const good = `${decider}:${random}`;
const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

type Holder = KeyObject | "silent" | StanzaError;

/** The tenant's service says yes to whoever proves to hold the token, and no to others. */
async function house(tokens = true, holder: Holder = key, issued = true, given: Parameters<typeof ownedScene>[1] = {}) {
  const it = await ownedScene({ tokens }, given);
  open.push(it);
  await it.claim(rootRef, "landlord@hub.example");
  await it.claim(heat, tenant);
  it.contacts.add(bob);
  it.link.script = (sent: Sent) => {
    const { payload, to } = sent;
    if (payload.name === "getCertificate") {
      if (!issued) throw new StanzaError("cancel", "item-not-found");
      const der = selfSign(key, { name: "Bob", from: it.clock.now() - 1000, to: it.clock.now() + 90 * 24 * hour });
      return `<certificate xmlns='${payload.ns}'>${Buffer.from(der).toString("base64")}</certificate>`;
    }
    if (payload.name === "tokenChallenge") {
      if (holder === "silent") return new Promise(() => {});
      if (holder instanceof StanzaError) throw holder;
      const padding = { key: holder, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" };
      const plain = privateDecrypt(padding, Buffer.from(textOf(payload), "base64")).toString("base64");
      return `<tokenChallengeResponse xmlns='${payload.ns}'>${plain}</tokenChallengeResponse>`;
    }
    if (to !== decider) return "";
    return (payload.attrs.ut === undefined && payload.attrs.dt === undefined ? no : yes)(sent);
  };
  return { it };
}

const callerWith = (tokens: Partial<Tokens>): Caller => ({
  bareJid: bob,
  fullJid: bobFull,
  tokens: { ...noTokens, ...tokens },
  language: "en",
});

async function reads(it: OwnedScene, tokens: Partial<Tokens>): Promise<boolean> {
  const attrs = { st: tokens.service?.join(" "), dt: tokens.device?.join(" "), ut: tokens.user?.join(" ") };
  it.desk.seen(
    element("iq", clientNs, { type: "get", id: "i", from: bobFull }, [
      element("req", "urn:nf:iot:sd:1.0", { id: "r", ...attrs }),
    ]),
  );
  const asking = it.concentrator.admitRead(callerWith(tokens), [heat], askAll, never).then(
    () => true,
    error => {
      if (error instanceof Refusal) return false;
      throw error;
    },
  );
  await it.clock.advance(31_000);
  return await asking;
}

async function why(it: OwnedScene) {
  const fields = [{ name: "caller", values: [bob] }];
  const [query] = await it.concentrator.startQuery(
    callerOf(tenant),
    [heat],
    "Why",
    `q${Math.random()}`,
    { fields },
    never,
  );
  const said: string[] = [];
  const tables = new Map<string, { columns: string[]; rows: Record<string, Cell>[] }>();
  let all = "";
  const reading = (async () => {
    for await (const item of query?.items ?? []) {
      all += JSON.stringify(item);
      if (item.kind === "message") said.push(item.text);
      if (item.kind === "newTable")
        tables.set(item.tableId, { columns: item.columns.map(({ columnId }) => columnId), rows: [] });
      if (item.kind !== "newRecords") continue;
      const table = tables.get(item.tableId);
      for (const record of item.records)
        table?.rows.push(Object.fromEntries(record.map((cell, at) => [table.columns[at], cell])));
    }
  })();
  await it.clock.advance(0);
  await reading;
  const rowsWith = (column: string) =>
    ([...tables.values()].find(({ columns }) => columns.includes(column))?.rows ?? []).map(row =>
      Object.fromEntries(Object.entries(row).flatMap(([name, cell]) => ("value" in cell ? [[name, cell.value]] : []))),
    );
  return { said, all, steps: rowsWith("step"), tokens: rowsWith("issuer") };
}
const time = (ms: number) => new Date(ms).toLocaleString("sv", { dateStyle: "short", timeStyle: "short" });

describe("why, of who may because of a token", () => {
  it("TOK-CHAL-01: names it, says since when it is proven, and what it would be without", async () => {
    const { it } = await house();
    const shown = it.clock.now();
    expect(await reads(it, {})).toBe(false);
    expect(await reads(it, { user: [good] })).toBe(true);
    const asked = it.link.sent.length;
    const { said, all, steps, tokens } = await why(it);
    expect(it.link.sent).toHaveLength(asked);
    expect(said[0]).toBe(`Yes: ${bob} may read heat-3 (attic).`);
    expect(said).toEqual(
      expect.arrayContaining([
        `On ${time(shown)}, the user token Zk3vQ… was shown, issued by ${decider}.`,
        `It counts: who showed it proved on ${time(shown)} to have its key.`,
        "Without tokens it would be refused.",
      ]),
    );
    expect(steps.at(-1)).toEqual({ step: "without tokens", answer: "no" });
    expect(tokens).toEqual([
      {
        kind: "user",
        token: "Zk3vQ…",
        issuer: decider,
        shown: expect.any(Number),
        proven: expect.any(Number),
        counts: true,
      },
    ]);
    // Enough to tell it from others, and no more of it.
    expect(all).not.toContain(random.slice(0, 8));
    // What is explained is what happens when he shows it again, and nobody has to be asked for that.
    expect(await reads(it, { user: [good] })).toBe(true);
    expect(it.link.sent).toHaveLength(asked);
  });

  it("a proof that is too old does not count, and says so; a day later nothing is known of tokens any more", async () => {
    const { it } = await house();
    await reads(it, { device: [good] });
    const proven = it.clock.now() - 31_000;
    await it.clock.advance(20 * hour);
    // Shown again, and the renewal comes to nothing: the old proof runs out on its own time.
    it.link.online = false;
    await reads(it, { device: [good] });
    await it.clock.advance(5 * hour);
    const { said, tokens } = await why(it);
    expect(said.join("\n")).toContain(
      `It does not count now: the proof of ${time(proven)} is too old. It is asked for when it is shown.`,
    );
    expect(said.join("\n")).toContain("the device token Zk3vQ…");
    expect(tokens[0]).toMatchObject({ counts: false, dropped: "open" });
    await it.clock.advance(25 * hour);
    expect((await why(it)).tokens).toEqual([]);
  });

  it("after a restart it is still known that an answer was for tokens, and no more which", async () => {
    const { it } = await house(true, key, true, { keep: true });
    await reads(it, { user: [good] });
    open.splice(open.indexOf(it), 1);
    await it[Symbol.asyncDispose]();
    const again = await ownedScene({ tokens: true }, { clock: it.clock, folder: it.folder });
    open.push(again);
    again.contacts.add(bob);
    const { said, tokens } = await why(again);
    expect(tokens).toEqual([]);
    expect(said).toContain(
      "Some remembered answers are for tokens, none of which was shown since the last start or for a day.",
    );
  });
});

describe("why, of a token that was dropped", () => {
  it.for<[string, Holder, boolean, string, string, string]>([
    ["whose holder does not answer", "silent", true, good, "unanswered", "did not answer."],
    [
      "whose holder is not there",
      new StanzaError("cancel", "service-unavailable"),
      true,
      good,
      "unanswered",
      "did not answer.",
    ],
    ["whose holder refuses", new StanzaError("cancel", "forbidden"), true, good, "refused", "refused."],
    ["whose issuer knows it not", key, false, good, "unknown", "its issuer knew no such token."],
    [
      "of another issuer",
      key,
      true,
      `prov.far.example:${random}`,
      "foreign",
      "only tokens of the appliance's own service count.",
    ],
    ["that is none", key, true, 'a"b', "malformed", "It was dropped."],
  ])("TOK-CHAL-01, TOK-THR-01: %s", async ([, holder, issued, token, dropped, sentence]) => {
    const { it } = await house(true, holder, issued);
    expect(await reads(it, { user: [token] })).toBe(false);
    const { said, tokens, all, steps } = await why(it);
    expect(said[0]).toBe(`No: ${bob} may not read heat-3 (attic).`);
    expect(tokens).toEqual([expect.objectContaining({ kind: "user", counts: false, dropped })]);
    expect(said.some(text => text.startsWith("It was dropped") && text.endsWith(sentence))).toBe(true);
    expect(all).not.toContain(random.slice(0, 8));
    expect(steps.at(-1)).not.toMatchObject({ step: "without tokens" });
  });

  it("TOK-THR-01: whose shower has another key", async () => {
    const { it } = await house();
    // What he makes of the challenge is not what was in it.
    const script = it.link.script;
    it.link.script = sent =>
      sent.payload.name === "tokenChallenge"
        ? `<tokenChallengeResponse xmlns='${sent.payload.ns}'>${Buffer.alloc(32).toString("base64")}</tokenChallengeResponse>`
        : script(sent);
    expect(await reads(it, { user: [good] })).toBe(false);
    expect((await why(it)).tokens[0]).toMatchObject({ dropped: "wrong" });
  });

  it("because tokens are switched off at the appliance", async () => {
    const { it } = await house(false);
    expect(await reads(it, { user: [good] })).toBe(false);
    const { said, tokens } = await why(it);
    expect(said).toContain("It was dropped: tokens are switched off at this appliance.");
    expect(tokens[0]).toMatchObject({ dropped: "off" });
  });
});

describe("in the language of who asks", () => {
  const { localize } = createAllLanguages("en");

  it("COM-LANG-02: how a unit of a line is doing is said whole", async () => {
    const clock = manualClock();
    const breaker = createBreaker({ firstMs: 40_000, msMax: 600_000, failuresMax: 1 }, clock, () => {});
    const fails = () =>
      breaker.attempt("read", async () => Promise.reject(new DeviceFault("timeout", "no answer"))).catch(() => {});
    const states: string[] = [];
    await fails();
    states.push(breaker.describe());
    await clock.advance(60_000);
    states.push(breaker.describe());
    const trying = breaker.attempt("read", async () => {
      states.push(breaker.describe());
    });
    await trying;
    expect(states).toEqual([
      expect.stringMatching(/^resting, next try in \d+ s$/),
      "resting, next try when asked",
      "being tried",
    ]);
    for (const state of states) {
      const { text } = treatment(state);
      for (const language of ["sv", "de", "es"]) {
        expect([language, localize(language, text)]).not.toEqual([language, text]);
        expect(localize(language, text)).not.toMatch(/resting|tried|next try/i);
      }
    }
    expect(localize("sv", treatment("resting, next try in 40 s").text)).toContain("40 s");
  });

  it("COM-LANG-02: and so is every sentence about tokens", async () => {
    const { it } = await house();
    await reads(it, { user: [good, `prov.far.example:${random}`], service: ['a"b'] });
    const { said } = await why(it);
    expect(said.length).toBeGreaterThan(7);
    for (const text of said) for (const language of ["sv", "de", "es"]) expect(localize(language, text)).not.toBe(text);
  });
});
