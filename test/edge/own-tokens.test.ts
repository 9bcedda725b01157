// The appliance adds no token of its own to anything (docs/decisions/0034): looked at in all that a lived-in appliance asks. That the
// caller's go on unchanged is test/xmpp/iot/tokens.test.ts.

import { afterEach, expect, it } from "vitest";
import { askAll } from "#contract/field.ts";
import { type Element, elements } from "#xml/element.ts";
import { callerOf, never } from "../concentrator/scene.ts";
import { board, decider, heat, type OwnedScene, ownedScene, registry, rootRef, water, yes } from "./owned-scene.ts";

const landlord = "landlord@hub.example";
const tenant = "tenant@hub.example";
const bob = "bob@city.example";

const open: OwnedScene[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

/** Every element that has an attribute for tokens. */
const withTokens = (node: Element): string[] => [
  ...Object.keys(node.attrs).flatMap(name => (/^(st|dt|ut|(service|device|user)Token)$/.test(name) ? [node.name] : [])),
  ...elements(node).flatMap(withTokens),
];

it("TOK-FWD-01: of all it asks, registry, service and people, nothing carries a token that no caller showed", async () => {
  const it = await ownedScene({ tokens: true });
  open.push(it);
  await it.claim(rootRef, landlord);
  await it.claim(heat, tenant);
  for (const jid of [landlord, tenant, bob]) it.contacts.add(jid);
  it.decide = yes;
  await it.provisioning.decideSubscription("carol@city.example", never);
  await it.concentrator.admitRead(callerOf(bob), [heat], askAll, never);
  await it.concentrator.admitControl(callerOf(bob), [heat], [], never);
  await it.disown(heat);
  const keep = { fields: [{ name: "settings", values: ["keep"] }] };
  await it.concentrator.execute(callerOf(landlord), water, "ResetThing", keep, never);
  await it.clock.advance(60_000);
  await it.concentrator.execute(callerOf(landlord), board, "FactoryReset", keep, never);
  await it.clock.advance(60_000);
  const asked = new Set(it.link.sent.map(({ to, payload }) => `${to} ${payload.name}`));
  for (const one of [
    `${decider} isFriend`,
    `${decider} canRead`,
    `${decider} canControl`,
    `${registry} register`,
    `${registry} unregister`,
  ])
    expect([...asked]).toContain(one);
  expect(it.link.sent.flatMap(({ payload }) => withTokens(payload))).toEqual([]);
});
