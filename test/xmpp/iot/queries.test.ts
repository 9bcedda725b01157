// Queries on the wire, over the real concentrator: their progress numbered without gaps, one end whatever happens, who may start,
// hear and abort them, and how many.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Rule } from "#concentrator/admission.ts";
import { DeviceFault } from "#contract/faults.ts";
import { integerCell, quantityCell } from "#contract/report.ts";
import { namespace } from "#iot/generations.ts";
import { commonNodesMax, fragmentBytesMax, queryMs } from "#limits.ts";
import { type Element, elements } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { type CommandScene, commandScene, node, ns, owner, stranger } from "./commands-scene.ts";

const conditionOf = (reply: string): string => {
  const error = parse(reply);
  return error.name === "error" ? (elements(error)[0] as Element).name : `no error: ${reply}`;
};
const submit = (speed: string) =>
  `<x xmlns='jabber:x:data' type='submit'><field var='speed'><value>${speed}</value></field></x>`;
const start = (
  it: CommandScene,
  queryId: string,
  more: { id?: string; command?: string; form?: string; from?: string; as?: string } = {},
) =>
  it.ask(
    "set",
    "executeNodeQuery",
    `${more.as ?? node(more.id ?? "a")} command='${more.command ?? "Ask"}' queryId='${queryId}'`,
    more.form ?? "",
    more.from ?? owner,
  );
const abort = (it: CommandScene, queryId: string, more: { id?: string; command?: string; from?: string } = {}) =>
  it.ask(
    "set",
    "abortNodeQuery",
    `${node(more.id ?? "a")} command='${more.command ?? "Ask"}' queryId='${queryId}'`,
    "",
    more.from ?? owner,
  );
/** Waits until it is aborted. */
const endless = (_report: unknown, signal: AbortSignal) =>
  new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
const ends = (kinds: readonly string[]) => kinds.filter(kind => kind === "done" || kind === "aborted");

describe("progress", () => {
  it("CON-QRY-04, CON-QP-01, -04, -06: the answer, then started, the report in order and closed, then done", async () => {
    await using it = await commandScene();
    expect(await start(it, "q1")).toBe("");
    await it.bench.clock.advance(2_000);
    expect(it.kinds("q1")).toEqual([
      "started",
      "title",
      "beginSection",
      "newTable",
      "newRecords",
      "tableDone",
      "endSection",
      "done",
    ]);
    const replied = it.bench.left.indexOf("");
    const first = it.bench.left.findIndex(one => one.startsWith("<queryProgress"));
    expect(replied).toBeLessThan(first);
    expect(it.progress("q1").map(({ seqNr }) => seqNr)).toEqual(it.progress("q1").map((_, at) => at + 1));
    const records = it.progress("q1").flatMap(({ items }) => items.filter(one => one.kind === "newRecords"));
    expect(records[0]).toMatchObject({
      records: [
        [{ kind: "int", value: 17 }, { kind: "quantity", value: 4.2, decimals: 1, unit: "kW" }, { kind: "void" }],
        [{ kind: "int", value: 18 }, { kind: "void" }, { kind: "string", value: "x" }],
      ],
    });
  });

  it("CON-QP-02, COM-ID-03, COM-NS-03: the triple as written, in the generation asked; ieee gets plain numbers", async () => {
    await using it = await commandScene();
    for (const generation of ["nfi", "nf", "ieee"] as const) {
      const said = namespace("concentrator", generation);
      await it.ask("set", "executeNodeQuery", `id='child' command='Ask' queryId='${generation}'`, "", owner, said);
      await it.bench.clock.advance(2_000);
      const [one] = it.progress(generation);
      expect(one?.ref).toEqual({ nodeId: "child", sourceId: "", partition: "" });
      const raw = it.bench.sent
        .filter(({ payload }) => payload.includes(`queryId='${generation}'`))
        .map(({ payload }) => payload)
        .join("");
      expect(raw).toContain(`<queryProgress xmlns='${said}'`);
      expect(raw.includes("<quantity")).toBe(generation !== "ieee");
      expect(raw.includes("<double>4.2</double>")).toBe(generation === "ieee");
    }
  });

  it("CON-QP-03, COM-STZ-09: many rows go out in few messages, each below its bound, none lost", async () => {
    await using it = await commandScene();
    it.devices.queries.set("a", async report => {
      const table = await report.table("Many", [{ columnId: "n" }, { columnId: "text" }]);
      for (let n = 0; n < 3_000; n++) {
        await report.status(`${n} of 3000`);
        await table.row(integerCell(n), { kind: "string", value: "x".repeat(100) });
      }
    });
    await start(it, "q1");
    await it.bench.clock.advance(20_000);
    expect(ends(it.kinds("q1"))).toEqual(["done"]);
    const rows = it
      .progress("q1")
      .flatMap(({ items }) => items.flatMap(one => (one.kind === "newRecords" ? one.records : [])));
    expect(rows.map(([first]) => (first as { value: number }).value)).toEqual(
      Array.from({ length: 3_000 }, (_, n) => n),
    );
    const sizes = it.bench.sent.map(({ payload }) => payload.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(fragmentBytesMax);
    expect(it.progress("q1").length).toBeLessThan(100);
    expect(it.progress("q1").map(({ seqNr }) => seqNr)).toEqual(it.progress("q1").map((_, at) => at + 1));
  });

  it("COM-STZ-09: a broker that takes little is sent smaller messages, and of what cannot be cut it is said so", async () => {
    await using it = await commandScene();
    it.outbox.stanzaBytes = 12_000;
    it.devices.queries.set("a", async report => {
      const table = await report.table("Many", [{ columnId: "text" }]);
      for (let n = 0; n < 500; n++) await table.row({ kind: "string", value: "x".repeat(100) });
      await report.object("text/plain", new Uint8Array(30_000));
    });
    await start(it, "q1");
    await it.bench.clock.advance(20_000);
    expect(ends(it.kinds("q1"))).toEqual(["done"]);
    const items = it.progress("q1").flatMap(one => one.items);
    expect(items.flatMap(one => (one.kind === "newRecords" ? one.records : []))).toHaveLength(500);
    expect(items.find(({ kind }) => kind === "message")).toMatchObject({
      text: "A part of the report is too large to be sent.",
    });
  });

  it("CON-QP-05, COM-LEX-03: what has no form on the wire is void, large numbers are what they fit", async () => {
    await using it = await commandScene();
    it.devices.queries.set("a", async report => {
      const table = await report.table("Odd", [{ columnId: "n" }]);
      await table.row({ kind: "double", value: Number.NaN });
      await table.row(quantityCell(Number.POSITIVE_INFINITY, 1, "W"));
      await table.row(integerCell(2 ** 40));
      await table.row(integerCell(2n ** 70n));
      await table.row({ kind: "dateTime", value: Date.parse("2031-03-02T00:00:00Z") });
    });
    await start(it, "q1");
    await it.bench.clock.advance(1_000);
    const cells = it
      .progress("q1")
      .flatMap(({ items }) => items.flatMap(one => (one.kind === "newRecords" ? one.records.flat() : [])));
    expect(cells.map(({ kind }) => kind)).toEqual(["void", "void", "long", "string", "dateTime"]);
  });

  it("CON-QP-07: objects go out as they are; what no broker carries is replaced by a remark", async () => {
    await using it = await commandScene();
    it.devices.queries.set("a", async report => {
      await report.object("text/plain", new TextEncoder().encode("hi"));
      await report.object("image/png", new Uint8Array(300_000));
    });
    await start(it, "q1");
    await it.bench.clock.advance(1_000);
    expect(it.kinds("q1")).toEqual(["started", "newObject", "message", "done"]);
  });

  it("a full outbox delays the report and leaves no gap in it", async () => {
    await using it = await commandScene();
    it.outbox.full = true;
    await start(it, "q1");
    await it.bench.clock.advance(10_000);
    expect(it.progress("q1")).toEqual([]);
    it.outbox.full = false;
    await it.bench.clock.advance(5_000);
    expect(it.kinds("q1")).toHaveLength(8);
    expect(it.progress("q1").map(({ seqNr }) => seqNr)).toEqual(it.progress("q1").map((_, at) => at + 1));
  });
});

describe("starting", () => {
  it("CON-QRY-01, -03, CON-DIS-11: the id, the kind, and parameters only where some are needed", async () => {
    await using it = await commandScene();
    expect(conditionOf(await start(it, ""))).toBe("bad-request");
    expect(conditionOf(await it.ask("set", "executeNodeQuery", `${node("a")} command='Ask'`))).toBe("bad-request");
    expect(conditionOf(await start(it, "q1", { command: "Reset" }))).toBe("bad-request");
    expect(conditionOf(await start(it, "q1", { command: "AskMore" }))).toBe("bad-request");
    expect(conditionOf(await start(it, "q1", { command: "AskMore", form: submit("99") }))).toBe("not-acceptable");
    expect(conditionOf(await start(it, "q1", { command: "Nothing" }))).toBe("item-not-found");
    expect(conditionOf(await start(it, "q1", { id: "zz" }))).toBe("item-not-found");
    expect(conditionOf(await start(it, "q1", { from: stranger }))).toBe("forbidden");
    expect(it.bench.sent).toEqual([]);
    expect(await start(it, "q1", { command: "AskMore", form: submit("5") })).toBe("");
    expect(await start(it, "q2")).toBe("");
  });

  it("CON-QRY-02: an id in use is a conflict for its owner, and none of anybody else's business", async () => {
    const second: Rule = {
      name: "second",
      ask: ({ caller, nodes, categories, names }) =>
        caller.bareJid === "second@example.org" ? nodes.map(one => ({ node: one, grant: { categories, names } })) : [],
    };
    await using it = await commandScene([second]);
    it.devices.queries.set("a", endless);
    expect(await start(it, "q1")).toBe("");
    expect(conditionOf(await start(it, "q1"))).toBe("conflict");
    expect(conditionOf(await start(it, "q1", { from: "owner@example.org/laptop" }))).toBe("conflict");
    expect(await start(it, "q1", { from: "second@example.org/x" })).toBe("");
    await it.bench.clock.advance(500);
    await abort(it, "q1");
    await it.bench.clock.advance(500);
    expect(await start(it, "q1")).toBe("");
  });

  it("CON-QRY-05: a quota a caller, whatever resource he asks from", async () => {
    await using it = await commandScene();
    it.devices.queries.set("a", endless);
    for (let n = 1; n <= 5; n++) expect(await start(it, `q${n}`, { from: `owner@example.org/r${n}` })).toBe("");
    expect(conditionOf(await start(it, "q6"))).toBe("resource-constraint");
    it.gone("owner@example.org/r1");
    await it.bench.clock.advance(10);
    expect(await start(it, "q6")).toBe("");
  });
});

describe("ends", () => {
  it("CON-ABORT-01, CON-QP-06: its starter aborts it, and hears only that it was", async () => {
    await using it = await commandScene();
    let aborted = false;
    it.devices.queries.set("a", async (report, signal) => {
      signal.addEventListener("abort", () => (aborted = true), { once: true });
      await report.beginSection("Open");
      await endless(report, signal);
    });
    await start(it, "q1");
    await it.bench.clock.advance(1_000);
    expect(conditionOf(await abort(it, "zz"))).toBe("item-not-found");
    expect(conditionOf(await abort(it, "q1", { command: "AskMore" }))).toBe("item-not-found");
    expect(conditionOf(await abort(it, "q1", { id: "b" }))).toBe("item-not-found");
    expect(conditionOf(await abort(it, "q1", { from: stranger }))).toBe("item-not-found");
    expect(ends(it.kinds("q1"))).toEqual([]);
    expect(await abort(it, "q1")).toBe("");
    await it.bench.clock.advance(1_000);
    expect(it.kinds("q1")).toEqual(["started", "beginSection", "aborted"]);
    expect(aborted).toBe(true);
    expect(conditionOf(await abort(it, "q1"))).toBe("item-not-found");
  });

  it("CON-ABORT-01: who manages the node ends what others started on it", async () => {
    const helper: Rule = {
      name: "helper",
      ask: ({ caller, nodes, right, categories, names }) =>
        caller.bareJid === "helper@example.org" && (right === "view" || right === "execute")
          ? nodes.map(one => ({ node: one, grant: { categories, names } }))
          : [],
    };
    await using it = await commandScene([helper]);
    it.devices.queries.set("a", endless);
    const from = "helper@example.org/x";
    expect(await start(it, "q1", { from })).toBe("");
    await it.bench.clock.advance(500);
    expect(await abort(it, "q1")).toBe("");
    await it.bench.clock.advance(500);
    expect(it.kinds("q1")).toEqual(["started", "aborted"]);
    expect(it.bench.sent.every(({ to }) => to === from)).toBe(true);
    await start(it, "q2");
    expect(conditionOf(await abort(it, "q2", { from }))).toBe("item-not-found");
  });

  it("CON-QRY-05: the longest time is over: an error, and the end", async () => {
    await using it = await commandScene();
    it.devices.queries.set("a", endless);
    await start(it, "q1");
    await it.bench.clock.advance(queryMs + 1_000);
    expect(it.kinds("q1")).toEqual(["started", "message", "aborted"]);
    expect(
      it
        .progress("q1")
        .flatMap(({ items }) => items)
        .find(one => one.kind === "message"),
    ).toMatchObject({ type: "Error" });
  });

  it("a query that fails says why in words for a person, and a bug says nothing of itself", async () => {
    await using it = await commandScene();
    it.devices.queries.set("a", async () => {
      throw new DeviceFault("timeout", "Nobody answers.");
    });
    it.devices.queries.set("b", async () => {
      throw new Error("secret detail");
    });
    await start(it, "q1");
    await start(it, "q2", { id: "b" });
    await it.bench.clock.advance(1_000);
    expect(it.kinds("q1")).toEqual(["started", "message", "aborted"]);
    expect(it.bench.sent.map(({ payload }) => payload).join("")).toContain("Nobody answers.");
    expect(it.bench.sent.map(({ payload }) => payload).join("")).not.toContain("secret detail");
    expect(ends(it.kinds("q2"))).toEqual(["aborted"]);
  });

  it("CON-QRY-05, PRES-SUB-03: who left hears no more, and what he started ends", async () => {
    await using it = await commandScene();
    let aborted = 0;
    for (const plan of ["a", "b"]) {
      it.devices.queries.set(plan, async (report, signal) => {
        signal.addEventListener("abort", () => aborted++, { once: true });
        await endless(report, signal);
      });
    }
    await start(it, "q1");
    await start(it, "q2", { id: "b" });
    await it.bench.clock.advance(1_000);
    const before = it.bench.sent.length;
    it.gone("other@example.org/x");
    expect(aborted).toBe(0);
    it.gone(owner);
    await it.bench.clock.advance(1_000);
    expect(aborted).toBe(2);
    expect(it.bench.sent).toHaveLength(before);
    await start(it, "q3");
    await it.bench.clock.advance(500);
    it.withdrawn("owner@example.org");
    await it.bench.clock.advance(500);
    expect(aborted).toBe(3);
  });

  it("COM-AUTH-09: a right that was taken away ends the delivery without a word", async () => {
    let may = true;
    const fickle: Rule = {
      name: "fickle",
      ask: ({ caller, nodes, categories, names }) =>
        caller.bareJid === "fickle@example.org" && may
          ? nodes.map(one => ({ node: one, grant: { categories, names } }))
          : [],
    };
    await using it = await commandScene([fickle]);
    let aborted = false;
    it.devices.queries.set("a", async (report, signal) => {
      signal.addEventListener("abort", () => (aborted = true), { once: true });
      for (let n = 0; ; n++) {
        await report.status(`step ${n}`);
        await it.bench.clock.sleep(1_000, signal);
      }
    });
    await start(it, "q1", { from: "fickle@example.org/x" });
    await it.bench.clock.advance(3_500);
    const heard = it.bench.sent.length;
    expect(heard).toBeGreaterThan(2);
    may = false;
    await it.bench.clock.advance(5_000);
    expect(it.bench.sent).toHaveLength(heard);
    expect(aborted).toBe(true);
  });

  it("CON-DEL-01: the node is removed, or its line is cut: the query ends", async () => {
    await using it = await commandScene();
    it.devices.queries.set("a", endless);
    it.devices.queries.set("line", endless);
    await start(it, "q1");
    await start(it, "q2", { id: "line" });
    await it.bench.clock.advance(500);
    await it.scene.tree.destroy({ nodeId: "a", sourceId: "MeteringTopology", partition: "" });
    it.devices.lose("line");
    await it.bench.clock.advance(2_000);
    expect(ends(it.kinds("q1"))).toEqual(["aborted"]);
    expect(it.kinds("q2")).toEqual(["started", "message", "aborted"]);
  });

  it("a query that ignores its abort is left behind, and holds its place in the quota until then", async () => {
    await using it = await commandScene();
    it.devices.queries.set("a", () => new Promise(() => {}));
    for (let n = 1; n <= 5; n++) await start(it, `q${n}`);
    for (let n = 1; n <= 5; n++) await abort(it, `q${n}`);
    await it.bench.clock.advance(1_000);
    for (let n = 1; n <= 5; n++) expect(it.kinds(`q${n}`)).toEqual(["started", "aborted"]);
    expect(conditionOf(await start(it, "q6"))).toBe("resource-constraint");
    await it.bench.clock.advance(5_000);
    expect(await start(it, "q6")).toBe("");
    expect(it.scene.events.some(({ event }) => event === "query-ignores-abort")).toBe(true);
  });
});

it("COM-AUTH-03: who may execute on somebody else's node does not read it by that; its owner does", async () => {
  await using it = await commandScene([], new Map([["child", "tenant@example.org"]]));
  await start(it, "q1", { id: "child", command: "ReadNow" });
  await start(it, "q2", { id: "child", command: "ReadNow", from: "tenant@example.org/x" });
  await it.bench.clock.advance(2_000);
  expect(ends(it.kinds("q1"))).toEqual(["aborted"]);
  expect(it.kinds("q1")).not.toContain("newTable");
  expect(ends(it.kinds("q2"))).toEqual(["done"]);
});

describe("several nodes", () => {
  const nds = (...ids: string[]) => ids.map(id => `<nd ${node(id)}/>`).join("");

  it("CON-COMMCMD-04, -05, CON-DIS-05: numbers and ends for each node by itself, aborted one by one", async () => {
    await using it = await commandScene();
    it.devices.queries.set("b", endless);
    it.devices.queries.set("odd", endless);
    const reply = await it.ask(
      "get",
      "executeCommonNodeQuery",
      "command='Ask' queryId='q1'",
      nds("a", "b", "odd", "a"),
    );
    expect(reply).toBe(`<partialExecution xmlns='${ns}'>${"<result>true</result>".repeat(4)}</partialExecution>`);
    await it.bench.clock.advance(1_000);
    expect(ends(it.kinds("q1", "a"))).toEqual(["done"]);
    const abortOn = (...ids: string[]) =>
      it.ask("set", "abortCommonNodeQuery", "command='Ask' queryId='q1'", nds(...ids));
    expect(conditionOf(await abortOn("a"))).toBe("item-not-found");
    expect(await abortOn("a", "b")).toBe("");
    await it.bench.clock.advance(1_000);
    expect(ends(it.kinds("q1", "b"))).toEqual(["aborted"]);
    expect(ends(it.kinds("q1", "odd"))).toEqual([]);
    expect(await abortOn("odd")).toBe("");
    await it.bench.clock.advance(1_000);
    for (const id of ["a", "b", "odd"]) {
      const numbers = it.progress("q1", id).map(({ seqNr }) => seqNr);
      expect(numbers).toEqual(numbers.map((_, at) => at + 1));
      expect(it.kinds("q1", id)[0]).toBe("started");
      expect(ends(it.kinds("q1", id))).toHaveLength(1);
    }
    const many = Array.from({ length: commonNodesMax + 1 }, (_, n) => `<nd id='n${n}'/>`).join("");
    expect(conditionOf(await it.ask("set", "executeCommonNodeQuery", "command='Ask' queryId='q2'", many))).toBe(
      "not-acceptable",
    );
  });
});

it("CON-QP-01, CON-QRY-04: whatever a query does and whenever it is aborted, numbers have no gap and there is one end, last", async () => {
  const step = fc.oneof(
    fc.constant("row" as const),
    fc.constant("status" as const),
    fc.constant("section" as const),
    fc.constant("table" as const),
    fc.constant("message" as const),
    fc.record({ sleep: fc.integer({ min: 0, max: 2_000 }) }),
    fc.constant("throw" as const),
  );
  const way = fc.record({
    steps: fc.array(step, { maxLength: 30 }),
    end: fc.constantFrom("none", "abort", "lose", "remove"),
    after: fc.integer({ min: 0, max: 8_000 }),
  });
  await fc.assert(
    fc.asyncProperty(way, async ({ steps, end, after }) => {
      await using it = await commandScene();
      it.devices.queries.set("a", async (report, signal) => {
        const table = await report.table("T", [{ columnId: "n" }]);
        for (const one of steps) {
          if (typeof one === "object") await it.bench.clock.sleep(one.sleep, signal);
          else if (one === "row") await table.row(integerCell(1));
          else if (one === "status") await report.status("s");
          else if (one === "section") await report.beginSection("S");
          else if (one === "table") await report.table("U", []);
          else if (one === "message") await report.message("m");
          else throw new Error("bug");
        }
      });
      await start(it, "q1");
      await it.bench.clock.advance(after);
      if (end === "abort") await abort(it, "q1");
      if (end === "lose") it.devices.lose("a");
      if (end === "remove") await it.scene.tree.destroy({ nodeId: "a", sourceId: "MeteringTopology", partition: "" });
      await it.bench.clock.advance(70_000);
      const numbers = it.progress("q1").map(({ seqNr }) => seqNr);
      expect(numbers).toEqual(numbers.map((_, at) => at + 1));
      const kinds = it.kinds("q1");
      expect(kinds[0]).toBe("started");
      expect(kinds.filter(kind => kind === "started")).toHaveLength(1);
      expect(ends(kinds)).toHaveLength(1);
      expect(ends(kinds.slice(-1))).toHaveLength(1);
      if (kinds.at(-1) === "done") {
        const count = (kind: string) => kinds.filter(one => one === kind).length;
        expect(count("beginSection")).toBe(count("endSection"));
        expect(count("newTable")).toBe(count("tableDone"));
      }
    }),
    { numRuns: 40 },
  );
}, 60_000);
