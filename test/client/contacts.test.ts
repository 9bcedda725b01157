// Whom one may see, and where he is: an answer comes when it is known, and what cannot be known is not waited for for ever.

import { describe, expect, it } from "vitest";
import { createContacts } from "#client/contacts.ts";
import { createInbox } from "#client/inbox.ts";
import { parse } from "#xml/parser.ts";
import type { Connection } from "#xmpp/connection.ts";
import { manualClock } from "../support/manual-clock.ts";

const bare = "gw@hub.example";
const full = `${bare}/x`;
const never = new AbortController().signal;

/** A broker that says what the test says; `subscription` is what its roster has of the appliance. */
async function scene(subscription: "to" | "none" = "to") {
  const clock = manualClock();
  const inbox = createInbox();
  const sent: string[] = [];
  const roster = `<query xmlns='jabber:iq:roster'><item jid='${bare}' subscription='${subscription}'/></query>`;
  const connection = {
    send: stanza => void sent.push([stanza.attrs.type, stanza.attrs.to].filter(Boolean).join(" ")),
    request: async () => parse(roster),
  } as Pick<Connection, "send" | "request"> as Connection;
  const contacts = createContacts({ inbox, connection, acceptFrom: () => true, sleep: clock.sleep });
  inbox.online?.("me@hub.example/phone", false);
  await clock.advance(0);
  const presence = (from: string, type?: string) =>
    inbox.presence(parse(`<presence xmlns='jabber:client' from='${from}' ${type ? `type='${type}'` : ""}/>`));
  let answer: unknown;
  const ask = (signal = never) => {
    answer = undefined;
    void contacts.ask(bare, signal).then(said => {
      answer = said;
    });
  };
  return {
    clock,
    sent,
    presence,
    ask,
    async after(ms: number) {
      await clock.advance(ms);
      return answer;
    },
  };
}

describe("asking where an appliance is", () => {
  it("is answered at once by who is there", async () => {
    const it = await scene();
    it.presence(full);
    it.ask();
    expect(await it.after(0)).toEqual({ state: "online", fullJid: full });
  });

  it("is over soon when the broker says that it is gone; it may come back in that time", async () => {
    const it = await scene();
    it.presence(bare, "unavailable");
    it.ask();
    expect(await it.after(1_000)).toBeUndefined();
    expect(await it.after(1_000)).toEqual({ state: "accepted" });
    it.ask();
    expect(await it.after(1_000)).toBeUndefined();
    it.presence(full);
    expect(await it.after(0)).toEqual({ state: "online", fullJid: full });
    it.presence(full, "unavailable");
    it.ask();
    expect(await it.after(2_000)).toEqual({ state: "accepted" });
  });

  it("is over some seconds later where the broker says nothing at all", async () => {
    const it = await scene();
    it.ask();
    expect(await it.after(5_000)).toBeUndefined();
    expect(await it.after(2_000)).toEqual({ state: "accepted" });
  });

  it("waits as long as one likes for who has not decided yet, and hears him", async () => {
    const it = await scene("none");
    const limit = new AbortController();
    it.ask(limit.signal);
    it.presence(bare, "unavailable");
    expect(await it.after(60_000)).toBeUndefined();
    limit.abort();
    expect(await it.after(0)).toEqual({ state: "pending" });
    expect(it.sent.filter(one => one.startsWith("subscribe"))).toEqual([`subscribe ${bare}`]);
    it.ask();
    it.presence(bare, "unsubscribed");
    expect(await it.after(0)).toEqual({ state: "declined" });
    it.ask();
    it.presence(bare, "subscribed");
    it.presence(full);
    expect(await it.after(0)).toEqual({ state: "online", fullJid: full });
  });
});
