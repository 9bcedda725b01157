// The list of an owner's rules, an ad-hoc command (PROVO-MGMT-05, XEP-0050): announced, authorised, bounded, and read by the
// client as it is written here.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createInbox } from "#client/inbox.ts";
import { createOwner, type Owner } from "#client/owner.ts";
import type { OwnerRule } from "#client/owner-lists.ts";
import { allCategories, categories, categoryMask } from "#contract/field.ts";
import { child, type Element, elements, format, textOf } from "#xml/element.ts";
import { decodeError } from "#xmpp/stanza.ts";
import type { DecisionKind, Rule } from "../../src/registry/store.ts";
import {
  ana,
  anaFull,
  bob,
  canRead,
  claimedMeter,
  disco,
  gateway,
  lastQuestion,
  meter,
  meterTags,
  mine,
  openPipe,
  outcome,
  owning,
  type Pipe,
  payloadOf,
  payloadText,
  register,
  service,
} from "./pipe.ts";

const commands = "http://jabber.org/protocol/commands";
const info = "http://jabber.org/protocol/disco#info";
const items = "http://jabber.org/protocol/disco#items";
const never = new AbortController().signal;

let pipe: Pipe;
beforeEach(async () => {
  pipe = await openPipe();
});
afterEach(() => pipe[Symbol.asyncDispose]());

const run = (from = anaFull, more = "action='execute'") =>
  pipe.iq("set", from, `<command xmlns='${commands}' node='rules' ${more}/>`);
const command = async (from?: string): Promise<Element> => payloadOf(await run(from)) as Element;
const form = async (from?: string) => child(await command(from), "x", "jabber:x:data") as Element;
const rows = async (from?: string) => elements(await form(from)).filter(one => one.name === "item");

/** The client's own reading, over the same stanzas. */
const ownerAt = (full: string): Owner =>
  createOwner({
    connection: {
      jid: full,
      online: true,
      send: () => {},
      async request(type, _to, payload) {
        const reply = await pipe.iq(type, full, format(payload));
        if (reply.attrs.type === "error") throw decodeError(reply);
        return payloadOf(reply);
      },
    },
    inbox: createInbox(),
    services: async () => ({ provisioning: { jid: service, features: new Set() } }),
    registryAt: async () => undefined,
  });
const listed = (full = anaFull): Promise<OwnerRule[]> => ownerAt(full).rules(never);

let at = 0;
const put = (thing: number, kind: DecisionKind, rule: Partial<Rule> & Pick<Rule, "origin">) =>
  pipe.store.change(records =>
    records.putRule(
      thing,
      kind,
      { allow: true, categories: categoryMask(allCategories), names: undefined, ...rule },
      "key",
      ++at,
    ),
  );
const caller = (value: string) => ({ kind: "caller" as const, value });

describe("announced", () => {
  it("PROVO-MGMT-05: disco#info names the feature, disco#items of the commands node the command, its own info what it is", async () => {
    const ask = async (ns: string, node = "") =>
      payloadText(await pipe.iq("get", anaFull, `<query xmlns='${ns}' ${node}/>`));
    expect(await ask(info)).toContain(`<feature var='${commands}'/>`);
    expect(await ask(items, `node='${commands}'`)).toBe(
      `<query xmlns='${items}' node='${commands}'><item jid='${service}' node='rules' name='Rules of your things'/><item jid='${service}' node='questions' name='What was asked about your things'/></query>`,
    );
    expect(await ask(items)).toBe(`<query xmlns='${items}'/>`);
    expect(await ask(info, `node='${commands}'`)).toContain("<identity category='automation' type='command-list'");
    const own = await ask(info, "node='rules'");
    expect(own).toContain("<identity category='automation' type='command-node' name='Rules of your things'/>");
    expect(own).toContain(`<feature var='${commands}'/><feature var='jabber:x:data'/>`);
    for (const ns of [info, items])
      expect(outcome(await pipe.iq("get", anaFull, `<query xmlns='${ns}' node='other'/>`))).toBe("item-not-found");
  });
});

describe("listed", () => {
  it("PROVO-MGMT-05: what owners have answered, read back by the client field by field", async () => {
    await claimedMeter(pipe);
    await canRead(pipe);
    const { key } = lastQuestion(pipe);
    const rule = `<canReadRule xmlns='${owning}' jid='${gateway}' remoteJid='${bob}' key='${key}' result='true'><partial m='true'><f n='Energy'/><f n='Flow'/></partial><fromJid/></canReadRule>`;
    expect(outcome(await pipe.iq("set", anaFull, rule))).toBe("result");
    expect(await listed()).toEqual([
      {
        jid: gateway,
        ref: { nodeId: "mbus-12", sourceId: "MeteringTopology", partition: "" },
        kind: "canRead",
        origin: bob,
        allow: true,
        limits: "Energy, Flow; momentary",
      },
    ]);
  });

  it("PROVO-MGMT-05: kinds, origins, verdicts and limits in the words of the interfaces, newest first", async () => {
    await claimedMeter(pipe);
    await register(pipe, "", meterTags("root".repeat(8)));
    await mine(pipe, meterTags("root".repeat(8)));
    await put(1, "read", { origin: caller(bob), names: ["Energy"] });
    await put(1, "read", {
      origin: { kind: "domain", value: "city.example" },
      categories: categoryMask(categories("momentary", "peak")),
    });
    await put(1, "control", { origin: { kind: "all", value: "" }, names: ["Set Point"], categories: 0 });
    await put(1, "read", { origin: caller("eve@city.example"), allow: false, categories: 0 });
    await put(2, "friend", { origin: caller(bob) });
    expect((await listed()).map(one => [one.ref.nodeId, one.kind, one.origin, one.allow, one.limits])).toEqual([
      ["", "isFriend", bob, true, ""],
      ["mbus-12", "canRead", "eve@city.example", false, ""],
      ["mbus-12", "canControl", "all", true, "Set Point"],
      ["mbus-12", "canRead", "domain city.example", true, "momentary, peak"],
      ["mbus-12", "canRead", bob, true, "Energy"],
    ]);
  });

  it("XEP-0050, XEP-0004: completed in one step, with a session, the reported fields and each of them in each row", async () => {
    await claimedMeter(pipe);
    await put(1, "read", { origin: caller(bob) });
    const reply = await command();
    expect(reply.attrs).toMatchObject({ node: "rules", status: "completed" });
    expect(reply.attrs.sessionid).toMatch(/^.{8,}$/);
    expect((await form()).attrs.type).toBe("result");
    const vars = (one: Element) => elements(one).map(field => field.attrs.var);
    const names = ["jid", "id", "src", "pt", "kind", "origin", "allow", "limits"];
    expect(vars(child(await form(), "reported") as Element)).toEqual(names);
    expect(vars((await rows())[0] as Element)).toEqual(names);
    // Execute is what is meant when nothing is said.
    expect(outcome(await run(anaFull, ""))).toBe("result");
    expect(payloadText(await run(anaFull, "action='cancel' sessionid='s1'"))).toBe(
      `<command xmlns='${commands}' node='rules' sessionid='s1' status='canceled'/>`,
    );
    for (const action of ["next", "prev", "complete"])
      expect(payloadText(await run(anaFull, `action='${action}'`))).toContain(`<bad-action xmlns='${commands}'/>`);
    expect(payloadText(await run(anaFull, "action='whatever'"))).toContain("bad-request");
    expect(outcome(await pipe.iq("set", anaFull, `<command xmlns='${commands}' node='other'/>`))).toBe(
      "item-not-found",
    );
    expect(outcome(await pipe.iq("get", anaFull, `<command xmlns='${commands}' node='rules'/>`))).toBe(
      "feature-not-implemented",
    );
  });

  it("PROVO-MGMT-05: nobody sees rules of what is not his, the device and its former owner included", async () => {
    await claimedMeter(pipe);
    await put(1, "read", { origin: caller(bob) });
    expect(await listed()).toHaveLength(1);
    for (const stranger of [`${bob}/x`, `${gateway}/edge`, "eve@evil.example/x"])
      expect(await listed(stranger)).toEqual([]);
    await pipe.iq("set", anaFull, `<disown xmlns='${disco}' jid='${gateway}' ${meter}/>`);
    await register(pipe, meter, meterTags("second".repeat(6)));
    await mine(pipe, meterTags("second".repeat(6)), "", "carol@home.example/x");
    expect(await listed()).toEqual([]);
    await put(1, "read", { origin: caller(bob) });
    expect(await listed("carol@home.example/x")).toHaveLength(1);
    expect(await listed()).toEqual([]);
  });

  it("PROVO-MGMT-05: the 500 newest, with a note that there are more; deleted ones are gone", async () => {
    await claimedMeter(pipe);
    for (let n = 1; n <= 501; n++) await put(1, "read", { origin: caller(`u${n}@x.example`) });
    const list = await listed();
    expect(list).toHaveLength(500);
    expect(list.at(0)?.origin).toBe("u501@x.example");
    expect(list.at(-1)?.origin).toBe("u2@x.example");
    const note = child(await command(), "note") as Element;
    expect([note.attrs.type, textOf(note)]).toEqual(["info", "Only the 500 newest rules are shown."]);
    await ownerAt(anaFull).deleteRules({ jid: gateway }, never);
    expect(await listed()).toEqual([]);
    expect(child(await command(), "note")).toBeUndefined();
  });

  it("COM-STZ-09: a list of long rules is cut by its size too, and hostile names are shown escaped and shortened", async () => {
    await claimedMeter(pipe);
    const names = Array.from({ length: 40 }, (_, n) => `${"<&>".repeat(60)}${n}`);
    for (let n = 0; n < 300; n++) await put(1, "read", { origin: caller(`u${n}@x.example`), names });
    await put(1, "control", { origin: caller(bob), names: ["Set\u202ePoint"] });
    const reply = await run();
    expect(format(reply).length).toBeLessThan(262_144 - 4_096);
    const list = await listed();
    expect(list.length).toBeGreaterThan(50);
    expect(list.length).toBeLessThan(300);
    expect(textOf(child(payloadOf(reply) as Element, "note") as Element)).toBe(
      `Only the ${list.length} newest rules are shown.`,
    );
    expect(list[0]?.limits).toBe("Set\\u{202e}Point");
    expect(list[1]?.limits.length).toBeLessThan(600);
    expect(list[1]?.limits).toMatch(/ and \d+ more$/);
  });

  it("DISCO-THR-06: thirty lists at once, then one in two seconds", async () => {
    for (let n = 0; n < 30; n++) expect(outcome(await run())).toBe("result");
    expect(outcome(await run())).toBe("resource-constraint");
    await pipe.clock.advance(2_001);
    expect(outcome(await run())).toBe("result");
    expect(outcome(await run(`${ana}/other`))).toBe("resource-constraint");
    expect(outcome(await run(`${bob}/x`))).toBe("result");
  });
});
