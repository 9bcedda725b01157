// What an owner's client believes to be a question: that of the service of the device's own domain, about something of his.

import { expect, it } from "vitest";
import type { OwnedThing } from "#client/owner.ts";
import type { OwnerQuestion } from "#client/questions.ts";
import { createVouching } from "#client/vouching.ts";
import { noTokens } from "#contract/caller.ts";
import { noCategories } from "#contract/field.ts";
import { parseNode, rootRef } from "#contract/node.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { forever } from "../lab/scene.ts";

const heat = parseNode("heat-3@attic");
const question = (more: Partial<OwnerQuestion> = {}): OwnerQuestion => ({
  kind: "canRead",
  key: "k",
  device: "gw@hub.example",
  remote: "bob@city.example",
  node: heat,
  categories: noCategories,
  names: [],
  tokens: noTokens,
  service: "things.hub.example",
  generation: "nf",
  ...more,
});

function scene() {
  const owned: OwnedThing[] = [{ jid: "gw@hub.example", ref: heat, tags: [] }];
  const asked = { services: [] as string[], things: [] as string[] };
  const vouching = createVouching({
    async services(domain) {
      asked.services.push(domain);
      if (domain === "away.example") throw new StanzaError("wait", "remote-server-timeout");
      return domain === "hub.example" ? { provisioning: { jid: "things.hub.example", features: new Set() } } : {};
    },
    async things(domain) {
      asked.things.push(domain);
      return [...owned];
    },
  });
  return { owned, asked, doubt: (more?: Partial<OwnerQuestion>) => vouching.doubt(question(more), forever) };
}

it("PROVO-Q-08: of the service of the device's domain, about a thing one owns there", async () => {
  const { doubt, asked } = scene();
  expect(await doubt()).toBeUndefined();
  expect(await doubt({ kind: "isFriend", node: rootRef })).toBeUndefined();
  expect(asked.things).toEqual(["hub.example"]);
});

it.each([
  ["things.evil.example", "gw@hub.example", "things.evil.example is not the service of hub.example"],
  [
    "things.hub.example.evil.example",
    "gw@hub.example",
    "things.hub.example.evil.example is not the service of hub.example",
  ],
  ["hub.example", "gw@hub.example", "hub.example is not the service of hub.example"],
  ["things.hub.example", "gw@evil.example", "things.hub.example is not the service of evil.example"],
  ["things.away.example", "gw@away.example", "nobody at away.example could be asked about it: remote-server-timeout"],
])("FED-04, PROVO-THR-01: not from %s about %s", async (service, device, why) => {
  const { doubt, asked } = scene();
  expect(await doubt({ service, device })).toContain(why);
  expect(asked.things).toEqual([]);
});

it("PROVO-Q-08: nothing one does not own; what was claimed since is looked up, but not for ever", async () => {
  const { doubt, asked, owned } = scene();
  expect(await doubt({ node: parseNode("water-7@attic") })).toBe("you own no such thing at hub.example");
  expect(await doubt({ node: rootRef })).toBe("you own no such thing at hub.example");
  owned.push({ jid: "gw@hub.example", ref: rootRef, tags: [] });
  expect(await doubt({ node: rootRef })).toBeUndefined();
  for (let n = 0; n < 100; n++) await doubt({ device: `gw${n}@hub.example` });
  expect(asked.things.length).toBeLessThan(10);
  expect(await doubt()).toBeUndefined();
});

it("PROVO-Q-08: more questions at once than can be judged are not shown", async () => {
  const { doubt } = scene();
  const doubts = await Promise.all(Array.from({ length: 80 }, () => doubt()));
  expect(doubts.filter(one => one === undefined)).toHaveLength(50);
  expect(doubts.at(-1)).toBe("too many questions came at once");
});
