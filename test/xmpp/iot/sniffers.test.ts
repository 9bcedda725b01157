// Sniffers on the wire, over the real concentrator: who may listen, how long, what is heard in which order, and how it ends.

import { describe, expect, it } from "vitest";
import type { Rule } from "#concentrator/admission.ts";
import { namespace, namespaces } from "#iot/generations.ts";
import * as wire from "#iot/sniffers.wire.ts";
import { snifferMs, snifferMsMax, sniffItemsMax } from "#limits.ts";
import { type Element, elements } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { type CommandScene, commandScene, node, ns, owner, stranger } from "./commands-scene.ts";

const conditionOf = (reply: string): string => {
  const error = parse(reply);
  return error.name === "error" ? (elements(error)[0] as Element).name : `no error: ${reply}`;
};
const listen = (it: CommandScene, id = "line", more: { expires?: string; from?: string; namespace?: string } = {}) =>
  it.ask(
    "set",
    "registerSniffer",
    `${node(id)} ${more.expires === undefined ? "" : `expires='${more.expires}'`}`,
    "",
    more.from ?? owner,
    more.namespace ?? ns,
  );
const granted = async (reply: Promise<string>) => wire.sniffer.decode(parse(await reply));
const leave = (it: CommandScene, snifferId: string, from = owner, id = "line") =>
  it.ask("set", "unregisterSniffer", `${node(id)} snifferId='${snifferId}'`, "", from);
const say = (it: CommandScene, text: string, plan = "line") =>
  it.devices.said.get(plan)?.({ at: it.bench.clock.now(), kind: "info", text });
const heard = (it: CommandScene, snifferId: string) =>
  it.sniffed(snifferId).flatMap(({ items }) => items.map(one => ("text" in one ? one.text : one.kind)));

describe("registration", () => {
  it("CON-SNIFF-01, CON-NI-05: only who has the right, and only where there is something to hear", async () => {
    await using it = await commandScene([], new Map([["child", "tenant@example.org"]]));
    expect(conditionOf(await listen(it, "zz"))).toBe("item-not-found");
    expect(conditionOf(await listen(it, "line", { from: "eve@example.org/x" }))).toBe("item-not-found");
    expect(conditionOf(await listen(it, "line", { from: stranger }))).toBe("forbidden");
    // The owner of a meter executes its commands and reads it; the line it hangs on is not his to listen to.
    expect(conditionOf(await listen(it, "child", { from: "tenant@example.org/x" }))).toBe("forbidden");
    expect(conditionOf(await listen(it, "odd"))).toBe("not-acceptable");
    expect((await granted(listen(it))).snifferId).toMatch(/^[0-9a-f]{32}$/);
    expect(await it.ask("get", "getNode", node("line"))).toContain("sniffable='true'");
    expect(await it.ask("get", "getNode", node("odd"))).not.toContain("sniffable");
  });

  it("CON-SNIFF-02: the standard time, the longest, and never the past; what is reported is what holds", async () => {
    await using it = await commandScene();
    const now = it.bench.clock.now();
    expect((await granted(listen(it))).expires).toBe(now + snifferMs);
    const long = await granted(listen(it, "line", { expires: new Date(now + 10 * snifferMsMax).toISOString() }));
    expect(long.expires).toBe(now + snifferMsMax);
    const short = await granted(listen(it, "line", { expires: new Date(now + 60_000).toISOString() }));
    expect(short.expires).toBe(now + 60_000);
    expect(conditionOf(await listen(it, "line", { expires: new Date(now).toISOString() }))).toBe("not-acceptable");
    expect(conditionOf(await listen(it, "line", { expires: "soon" }))).toBe("bad-request");
    await it.bench.clock.advance(61_000);
    expect(heard(it, short.snifferId)).toEqual(["expired"]);
    expect(it.devices.listeners("line")).toBe(2);
    await it.bench.clock.advance(snifferMsMax);
    expect(heard(it, long.snifferId)).toEqual(["expired"]);
    expect(it.devices.listeners("line")).toBe(0);
  });

  it("CON-SNIFF-08: quotas of a node and of a caller; each is in the log and on the node", async () => {
    await using it = await commandScene();
    for (const id of ["line", "line", "line", "a", "a", "a", "child", "child", "child"]) await granted(listen(it, id));
    const last = await granted(listen(it, "b"));
    expect(conditionOf(await listen(it, "b", { from: "owner@example.org/other" }))).toBe("resource-constraint");
    const shown = await it.ask("get", "getNode", `${node("b")} messages='true'`);
    expect(shown).toContain("owner@example.org listens");
    await leave(it, last.snifferId, owner, "b");
    expect(await it.ask("get", "getNode", `${node("b")} messages='true'`)).not.toContain("listens");
    const logged = it.scene.events
      .map(({ event, facts }) => `${event} ${JSON.stringify(facts)}`)
      .filter(one => one.includes("sniffer"));
    expect(logged.length).toBeGreaterThanOrEqual(11);
    expect(logged.join()).toContain(owner);
  });

  it("CON-SNIFF-08: nobody takes all sniffers of a node, whatever devices he listens with", async () => {
    const other: Rule = {
      name: "other",
      ask: ({ caller, nodes, right, categories, names }) =>
        caller.bareJid === "other@example.org" && (right === "view" || right === "sniff")
          ? nodes.map(one => ({ node: one, grant: { categories, names } }))
          : [],
    };
    await using it = await commandScene([other]);
    const [first] = [
      await granted(listen(it)),
      await granted(listen(it, "line", { from: "owner@example.org/cli" })),
      await granted(listen(it, "line", { from: "owner@example.org/desk" })),
    ];
    const refused = await listen(it, "line", { from: "owner@example.org/fourth" });
    expect(conditionOf(refused)).toBe("resource-constraint");
    expect(refused).toContain("3 sniffers of yours listen to this node already; remove one.");
    // What is left is for others, until the node has enough.
    await granted(listen(it, "line", { from: "other@example.org/x" }));
    await granted(listen(it, "line", { from: "other@example.org/x" }));
    const full = await listen(it, "line", { from: "other@example.org/x" });
    expect(full).toContain("5 sniffers listen to this node already");
    expect(await leave(it, first.snifferId)).toBe("");
    await granted(listen(it));
  });

  it("CON-SNIFF-03: removed by its registrant alone, or by who manages the node", async () => {
    const other: Rule = {
      name: "other",
      ask: ({ caller, nodes, right, categories, names }) =>
        caller.bareJid === "other@example.org" && (right === "view" || right === "sniff")
          ? nodes.map(one => ({ node: one, grant: { categories, names } }))
          : [],
    };
    await using it = await commandScene([other]);
    const mine = await granted(listen(it));
    const his = await granted(listen(it, "line", { from: "other@example.org/x" }));
    expect(conditionOf(await leave(it, "0".repeat(32)))).toBe("item-not-found");
    expect(conditionOf(await leave(it, mine.snifferId, owner, "a"))).toBe("item-not-found");
    expect(conditionOf(await leave(it, mine.snifferId, "other@example.org/x"))).toBe("forbidden");
    expect(await leave(it, his.snifferId)).toBe("");
    expect(await leave(it, mine.snifferId)).toBe("");
    expect(conditionOf(await leave(it, mine.snifferId))).toBe("item-not-found");
  });
});

describe("what is heard", () => {
  it("CON-SNIFF-06, -07, COM-NS-03: in order, a window a message, octets as octets, in the generation asked", async () => {
    await using it = await commandScene();
    for (const generation of namespaces("concentrator")) {
      const { snifferId } = await granted(listen(it, "line", { namespace: generation }));
      const at = it.bench.clock.now();
      it.devices.said.get("line")?.({ at, kind: "txBin", bytes: Uint8Array.of(0x10, 0x5b, 0x11, 0x6c, 0x16) });
      say(it, "REQ_UD2 to 17");
      await it.bench.clock.advance(1);
      expect(it.sniffed(snifferId)).toEqual([]);
      await it.bench.clock.advance(500);
      const [message] = it.sniffed(snifferId);
      expect(it.sniffed(snifferId)).toHaveLength(1);
      expect(message?.at).toBe(at);
      expect(message?.items.map(({ kind }) => kind)).toEqual(["txBin", "info"]);
      const raw = it.bench.sent.findLast(({ payload }) => payload.includes(snifferId))?.payload;
      expect(raw).toContain(`<sniff xmlns='${generation}'`);
      expect(raw).toContain("<txBin>EFsRbBY=</txBin>");
      await leave(it, snifferId);
    }
  });

  it("COM-STZ-09: what no stanza carries is said to be so, and the listening goes on", async () => {
    await using it = await commandScene();
    it.outbox.stanzaBytes = 20_000;
    const { snifferId } = await granted(listen(it));
    it.devices.said.get("line")?.({ at: it.bench.clock.now(), kind: "rxBin", bytes: new Uint8Array(30_000) });
    await it.bench.clock.advance(1_000);
    for (let n = 0; n < 4; n++) {
      it.devices.said.get("line")?.({ at: it.bench.clock.now(), kind: "txBin", bytes: new Uint8Array(6_000) });
    }
    await it.bench.clock.advance(5_000);
    const items = it.sniffed(snifferId).flatMap(one => one.items);
    expect(items.map(({ kind }) => kind)).toEqual(["warning", "txBin", "txBin", "txBin", "txBin"]);
    expect(items[0]).toMatchObject({ text: "What was said is too large to be shown." });
  });

  it("CON-SNIFF-06: a flood is dropped with one warning that names the count, in order and at its place", async () => {
    await using it = await commandScene();
    const { snifferId } = await granted(listen(it));
    it.outbox.full = true;
    say(it, "first");
    await it.bench.clock.advance(1_000);
    for (let n = 0; n < 1_000; n++) say(it, `item ${n}`);
    await it.bench.clock.advance(1_000);
    it.outbox.full = false;
    await it.bench.clock.advance(20_000);
    say(it, "last");
    await it.bench.clock.advance(1_000);
    const all = heard(it, snifferId);
    const warnings = all.filter(text => / items were dropped/.test(text));
    expect(warnings).toHaveLength(1);
    const dropped = Number(/^\d+/.exec(warnings[0] ?? "")?.[0]);
    const items = all.filter(text => text.startsWith("item "));
    expect(dropped + items.length).toBe(1_000);
    expect(items.length).toBeGreaterThanOrEqual(sniffItemsMax);
    expect(items).toEqual(items.toSorted((a, b) => Number(a.slice(5)) - Number(b.slice(5))));
    expect(all[0]).toBe("first");
    expect(all.at(-1)).toBe("last");
    expect(it.bench.sent.filter(({ payload }) => payload.startsWith("<sniff ")).length).toBeLessThan(20);
  });

  it("a line that is opened again is listened to again, and both are told", async () => {
    await using it = await commandScene();
    const { snifferId } = await granted(listen(it));
    say(it, "before");
    await it.bench.clock.advance(500);
    it.devices.lose("line");
    await it.bench.clock.advance(5_000);
    say(it, "after");
    await it.bench.clock.advance(500);
    const all = heard(it, snifferId);
    expect(all[0]).toBe("before");
    expect(all[1]).toContain("The line was cut.");
    expect(all.at(-1)).toBe("after");
  });
});

describe("ends", () => {
  it("CON-SNIFF-04: at expiry one expired, by timer; after a removal nothing; who left is forgotten", async () => {
    await using it = await commandScene();
    const expiring = await granted(listen(it, "line"));
    const removed = await granted(listen(it, "line"));
    const left = await granted(listen(it, "line", { from: "owner@example.org/laptop" }));
    await leave(it, removed.snifferId);
    it.gone("owner@example.org/laptop");
    expect(it.devices.listeners("line")).toBe(1);
    await it.bench.clock.advance(snifferMs + 1_000);
    say(it, "too late");
    await it.bench.clock.advance(1_000);
    expect(heard(it, expiring.snifferId)).toEqual(["expired"]);
    expect(heard(it, removed.snifferId)).toEqual([]);
    expect(heard(it, left.snifferId)).toEqual([]);
    expect(it.devices.listeners("line")).toBe(0);
    const again = await granted(listen(it));
    it.withdrawn("owner@example.org");
    say(it, "unheard");
    await it.bench.clock.advance(1_000);
    expect(heard(it, again.snifferId)).toEqual([]);
  });

  it("COM-AUTH-09: a right that was taken away ends it without a word", async () => {
    let may = true;
    const fickle: Rule = {
      name: "fickle",
      ask: ({ caller, nodes, categories, names }) =>
        caller.bareJid === "fickle@example.org" && may
          ? nodes.map(one => ({ node: one, grant: { categories, names } }))
          : [],
    };
    await using it = await commandScene([fickle]);
    const { snifferId } = await granted(listen(it, "line", { from: "fickle@example.org/x" }));
    say(it, "one");
    await it.bench.clock.advance(500);
    may = false;
    say(it, "two");
    await it.bench.clock.advance(500);
    expect(heard(it, snifferId)).toEqual(["one"]);
    expect(it.devices.listeners("line")).toBe(0);
  });

  it("CON-DEL-01: the node is removed: the sniffer expires", async () => {
    await using it = await commandScene();
    const { snifferId } = await granted(listen(it, "child"));
    await it.scene.tree.destroy({ nodeId: "child", sourceId: "MeteringTopology", partition: "line" });
    await it.bench.clock.advance(1_000);
    expect(heard(it, snifferId).at(-1)).toBe("expired");
    expect(namespace("concentrator", "nf")).toBe(ns);
  });
});
