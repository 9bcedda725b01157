// PRES-CMP-05, what a broker may answer to the question whether it lists us. With a real broker: e2e.test.ts.

import { beforeEach, expect, it } from "vitest";
import { createLog, formatLogEvent, type LogEvent } from "#base/log.ts";
import type { Element } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { checkListed } from "../../src/registry/self-check.ts";

const jid = "things.hub.example";
const items = (inner: string) => parse(`<query xmlns='http://jabber.org/protocol/disco#items'>${inner}</query>`);

let said: LogEvent[];
beforeEach(() => {
  said = [];
});
const check = async (answer: () => Promise<Element | undefined>, signal = new AbortController().signal) => {
  const asked: string[] = [];
  const connection = {
    jid,
    online: true,
    send: () => {},
    async request(type: string, to: string | undefined) {
      asked.push(`${type} ${to}`);
      return answer();
    },
  };
  const log = createLog(event => said.push(event));
  await checkListed(connection, jid, ["hub.example", "other.example"], log, signal);
  return { asked, lines: said.map(formatLogEvent) };
};

it("PRES-CMP-05: asks each domain, and knows itself whatever the case it is written in", async () => {
  const { asked, lines } = await check(async () =>
    items(`<item jid='conference.hub.example'/><item jid='Things.Hub.Example'/>`),
  );
  expect(asked).toEqual(["get hub.example", "get other.example"]);
  expect(lines).toEqual(["info    listed domain=hub.example", "info    listed domain=other.example"]);
});

it("PRES-CMP-05: not among the items: says what that means and what to do", async () => {
  const { lines } = await check(async () => items("<item jid='things.hub.example.evil'/><item jid='x y'/>"));
  expect(lines[0]).toBe(
    `warning not-listed domain=hub.example why="things of this domain will not find the service" remedy="add things.hub.example to disco_items of hub.example in the broker's configuration"`,
  );
});

for (const [why, answer, expected] of [
  ["an empty answer", async () => undefined, "not-listed"],
  ["an error", async () => Promise.reject(new StanzaError("cancel", "service-unavailable")), "not-checked"],
  ["another element", async () => parse("<other xmlns='x'/>"), "not-listed"],
  ["an item without JID", async () => items("<item/>"), "not-checked"],
] as const)
  it(`PRES-CMP-05: ${why} is ${expected} of that domain, and the next is asked all the same`, async () => {
    const { asked } = await check(answer);
    expect(asked).toHaveLength(2);
    expect(said.map(({ level, event, facts }) => [level, event, facts.domain])).toEqual([
      ["warning", expected, "hub.example"],
      ["warning", expected, "other.example"],
    ]);
  });

it("PRES-CMP-05: a program that ends says nothing more", async () => {
  const stop = new AbortController();
  const { asked } = await check(async () => {
    stop.abort(new Error("ends"));
    throw stop.signal.reason;
  }, stop.signal);
  expect([asked.length, said.length]).toEqual([1, 0]);
});
