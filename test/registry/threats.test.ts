// Threats to owners at the service: rules that are malformed in the ways of other programs, and devices that invent callers.

import { afterEach, beforeEach, expect, it } from "vitest";
import { openPerDomainMax, openPerThingMax } from "#limits.ts";
import {
  ana,
  anaFull,
  bob,
  canRead,
  claimedMeter,
  gateway,
  lastQuestion,
  meter,
  openPipe,
  outcome,
  owning,
  type Pipe,
  payloadText,
} from "./pipe.ts";

let pipe: Pipe;
beforeEach(async () => {
  pipe = await openPipe();
});
afterEach(() => pipe[Symbol.asyncDispose]());

const questions = () => pipe.messagesTo(ana).length;

it("PROVO-RULE-11: rules under misspelt or former names, with stray parts, or to another address make no rule and close no question", async () => {
  await claimedMeter(pipe);
  await canRead(pipe);
  const { key } = lastQuestion(pipe);
  const about = `xmlns='${owning}' jid='${gateway}' remoteJid='${bob}' key='${key}' result='true'`;
  const tried: [rule: string, condition: string][] = [
    [`<canReadRespone ${about}><fromJid/></canReadRespone>`, "feature-not-implemented"],
    [`<canReadResponse ${about}><fromJid/></canReadResponse>`, "feature-not-implemented"],
    [`<canReadRules ${about}><fromJid/></canReadRules>`, "feature-not-implemented"],
    [`<canReadRule ${about}/>`, "bad-request"],
    [`<canReadRule ${about}><fromJid/><all/></canReadRule>`, "bad-request"],
    [`<canReadRule ${about}><partial/><fromJid/></canReadRule>`, "bad-request"],
  ];
  for (const [rule, condition] of tried)
    expect([rule, outcome(await pipe.iq("set", anaFull, rule))]).toEqual([rule, condition]);
  expect(await pipe.store.rulesOwned(ana, 10)).toEqual([]);
  expect((await pipe.store.question(key))?.open).toBe(true);
  expect(payloadText(await canRead(pipe))).toContain("result='false'");
  // The well-formed one is taken all the same.
  expect(outcome(await pipe.iq("set", anaFull, `<canReadRule ${about}><fromJid/></canReadRule>`))).toBe("result");
  expect(payloadText(await canRead(pipe))).toContain("result='true'");
});

it("PROVO-THR-03: a device that invents callers gets as many questions through as an owner can bear, and everything is refused", async () => {
  await claimedMeter(pipe);
  for (let at = 0; at < 60; at++) {
    const reply = await canRead(pipe, `<nd ${meter}/>`, `caller${at}@made${at}.example`);
    expect(payloadText(reply)).toContain("result='false'");
  }
  expect(await pipe.store.countOpen({ owner: ana })).toBe(openPerThingMax);
  // Its questions, and one notice that there were more.
  expect(questions()).toBeLessThanOrEqual(openPerThingMax + 1);
  const before = questions();
  await pipe.clock.advance(3_600_000);
  for (let at = 0; at < 30; at++) await canRead(pipe, `<nd ${meter}/>`, `again${at}@one.example`);
  expect(questions() - before).toBeLessThanOrEqual(openPerDomainMax);
  expect(await pipe.store.countOpen({ owner: ana })).toBe(openPerThingMax);
});
