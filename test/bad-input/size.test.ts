// Requests that are larger, deeper or fuller than any that means something, at the parser and at the router: refused once and
// cleanly, with bounded memory, and what comes behind them on the stream is served.

import { describe, expect, it } from "vitest";
import { generationNames, namespace } from "#iot/generations.ts";
import { attributesMax, stanzaBytesMax, stanzaDepthMax, stanzaElementsMax } from "#limits.ts";
import { type Element, format } from "#xml/element.ts";
import { createParser, parse } from "#xml/parser.ts";
import { formattedBytes } from "#xml/size.ts";
import { contact, owner, startAppliance, tenant } from "./appliance.ts";
import { formOf } from "./operations.ts";

/** As in the program; the test runner wants a hundred frames of each error. */
Error.stackTraceLimit = 10;

/** Requests as large as they can be: all work, no waiting, and the machine may be busy with other tests. */
const busyMs = 180_000;

const con = namespace("concentrator", "nf");
const ctr = namespace("control", "nf");

/** As the stream of an appliance reads: what came whole, and what was too large. */
function read(pieces: Iterable<string>) {
  const whole: Element[] = [];
  const tooLarge: { id: string | undefined; why: string; children: number }[] = [];
  let most = 0;
  const parser = createParser(
    {
      element: node => void whole.push(node),
      tooLarge: (node, why) => void tooLarge.push({ id: node.attrs.id, why, children: node.children.length }),
    },
    { charsMax: stanzaBytesMax, depthMax: stanzaDepthMax, elementsMax: stanzaElementsMax, attributesMax },
    1,
  );
  for (const piece of pieces) {
    parser.write(piece);
    most = Math.max(most, process.memoryUsage().heapUsed);
  }
  return { whole, tooLarge, mostMegabytes: most / 1_048_576 };
}

function* inPieces(text: Iterable<string>, size = 65_536): Generator<string> {
  let waiting = "";
  for (const one of text) {
    waiting += one;
    for (; waiting.length >= size; waiting = waiting.slice(size)) yield waiting.slice(0, size);
  }
  yield waiting;
}

const begin = (id: string, name = "setNodeParametersAfterEdit") =>
  `<iq type='set' id='${id}'><${name} xmlns='${con}' id='own'><x xmlns='jabber:x:data' type='submit'>`;
const end = (name = "setNodeParametersAfterEdit") => `</x></${name}></iq>`;
const after = "<iq type='get' id='after'><ping xmlns='urn:xmpp:ping'/></iq>";

function* stanza(id: string, inside: () => Iterable<string>): Generator<string> {
  yield "<stream xmlns='jabber:client'>";
  yield begin(id);
  yield* inside();
  yield end();
  yield after;
}

describe("at the parser", () => {
  const form = `<x xmlns='jabber:x:data' type='submit'><field var='a'><value>${"v".repeat(80)}</value></field>`;
  const cases: readonly (readonly [string, () => Iterable<string>, RegExp])[] = [
    [
      "10 MB of nested forms",
      function* () {
        // Twenty deep, again and again.
        for (let bytes = 0; bytes < 10 * 1_048_576; bytes += 20 * (form.length + 4)) {
          for (let depth = 0; depth < 20; depth++) yield form;
          for (let depth = 0; depth < 20; depth++) yield "</x>";
        }
      },
      /more than 262144 characters/,
    ],
    [
      "a form nested 5,000 deep",
      function* () {
        for (let depth = 0; depth < 5_000; depth++) yield form;
        for (let depth = 0; depth < 5_000; depth++) yield "</x>";
      },
      /nested more than 64 deep/,
    ],
    [
      "100,000 fields",
      function* () {
        for (let field = 0; field < 100_000; field++) yield `<field var='f${field}'><value>1</value></field>`;
      },
      /more than 20000 elements|more than 262144 characters/,
    ],
    [
      "one value of 10 MB",
      function* () {
        yield "<field var='Name'><value>";
        for (let bytes = 0; bytes < 10 * 1_048_576; bytes += 1_024) yield "v".repeat(1_024);
        yield "</value></field>";
      },
      /more than 262144 characters/,
    ],
    [
      "40 MB in all",
      function* () {
        for (let bytes = 0; bytes < 40 * 1_048_576; bytes += 10 * form.length) yield `${form}</x>`.repeat(10);
      },
      /more than 262144 characters/,
    ],
  ];
  it.for(cases)("COM-STZ-04: %s: thrown away while it is read, and the next stanza is whole", ([, inside, why]) => {
    const { whole, tooLarge, mostMegabytes } = read(inPieces(stanza("big", inside)));
    expect(tooLarge).toEqual([{ id: "big", why: expect.stringMatching(why), children: 0 }]);
    expect(whole.map(one => one.attrs.id)).toEqual(["after"]);
    expect(mostMegabytes).toBeLessThan(300);
  });
});

describe("at the router, with what no parser of a stream lets through", { timeout: busyMs }, () => {
  const x = (inside: string) => `<x xmlns='jabber:x:data' type='submit'>${inside}</x>`;
  const edit = (form: string) =>
    `<setNodeParametersAfterEdit xmlns='${con}' id='hidden'>${form}</setNodeParametersAfterEdit>`;
  const log = (form: string) =>
    `<executeNodeCommand xmlns='${con}' id='hidden' command='LogMessage'>${form}</executeNodeCommand>`;
  const set = (inside: string) => `<set xmlns='${ctr}'><nd id='hidden'/>${inside}</set>`;
  const fields = (count: number, name = (at: number) => `f${at}`) =>
    Array.from({ length: count }, (_, at) => `<field var='${name(at)}'><value>1</value></field>`).join("");
  const nested = (count: number) => `${x("").replace("</x>", "").repeat(count)}${"</x>".repeat(count)}`;
  const generous = { charsMax: 64 * 1_048_576, depthMax: 10_000, elementsMax: 5_000_000, attributesMax: 64 };

  const cases: readonly (readonly [string, () => string, RegExp])[] = [
    ["a form with 100,000 unknown fields", () => edit(x(fields(100_000))), /not-acceptable/],
    ["a command with 100,000 unknown fields", () => log(x(fields(100_000))), /not-acceptable/],
    ["a field 100,000 times", () => edit(x(fields(100_000, () => "Name"))), /not-acceptable/],
    [
      "a field with 100,000 values",
      () => edit(x(`<field var='Name'>${"<value>1</value>".repeat(100_000)}</field>`)),
      /not-acceptable/,
    ],
    [
      "a value of 10 MB",
      () => edit(x(`<field var='Name'><value>${"v".repeat(10 * 1_048_576)}</value></field>`)),
      /not-acceptable/,
    ],
    ["100,000 parameters by form", () => set(x(fields(100_000))), /item-not-found/],
    [
      "100,000 parameters",
      () => set(Array.from({ length: 100_000 }, (_, at) => `<i n='p${at}' v='1'/>`).join("")),
      /item-not-found/,
    ],
    ["100,000 faulty parameters", () => set("<i n='p' v='x'/>".repeat(100_000)), /bad-request/],
    ["a form nested 3,000 deep", () => edit(x("").replace("</x>", `${nested(3_000)}</x>`)), /^$/],
    ["10 MB of nested forms", () => log(x(`${nested(20)}`.repeat(10_000))), /not-acceptable/],
  ];

  it.for(cases)(
    "COM-ERR-01, COM-STZ-04: %s: one answer, nothing changed, others served",
    async ([what, make, wanted]) => {
      await using appliance = await startAppliance();
      const before = appliance.state();
      const request = parse(make(), generous);
      for (const from of [tenant, contact, owner]) {
        const id = appliance.post("set", request, from);
        const other = await appliance.ask("get", `<getNode xmlns='${con}' id='hidden'/>`, contact);
        expect(other.name).toBe("nodeInfo");
        for (let waited = 0; !appliance.replies.has(id) && waited < 20_000; waited += 500)
          await appliance.clock.advance(500);
        const all = appliance.replies.get(id) ?? [];
        expect(all, `${from}: ${what}`).toHaveLength(1);
        const [reply] = all as [Element];
        const text = format(reply).slice(0, 4_000);
        if (from === owner) {
          expect(reply.attrs.type === "error" ? text : "", what).toMatch(wanted);
          // What does not fit a stanza loses its details on the way out; what is made before is bounded all the same.
          expect(formattedBytes(reply), what).toBeLessThan(64 * 1_048_576);
        }
      }
      if (wanted.source !== "^$") expect(appliance.state() === before).toBe(true);
      expect(appliance.events.filter(({ event }) => event === "request-failed")).toEqual([]);
    },
  );
});

describe("as large as a stream lets through", { timeout: busyMs }, () => {
  const room = stanzaBytesMax - 1_000;
  const filled = (make: (at: number) => string) => {
    const all: string[] = [];
    for (let length = 0, at = 0; ; at++) {
      const one = make(at);
      length += one.length;
      if (length > room || at >= stanzaElementsMax / 2 - 50) return all.join("");
      all.push(one);
    }
  };
  const submit = (inside: string) => `<x xmlns='jabber:x:data' type='submit'>${inside}</x>`;
  const field = (at: number) => `<field var='f${at}'><value>1</value></field>`;
  const requests = (
    ns: (family: "concentrator" | "control" | "sensorData" | "events") => string,
  ): readonly string[] => [
    `<setNodeParametersAfterEdit xmlns='${ns("concentrator")}' id='hidden'>${submit(filled(field))}</setNodeParametersAfterEdit>`,
    `<executeNodeCommand xmlns='${ns("concentrator")}' id='hidden' command='LogMessage'>${submit(filled(field))}</executeNodeCommand>`,
    `<executeNodeCommand xmlns='${ns("concentrator")}' id='hidden' command='LogMessage'>${formOf({ type: "Warning", text: "&gt;".repeat(room / 4 - 100) })}</executeNodeCommand>`,
    `<createNewNode xmlns='${ns("concentrator")}' id='attic' type='sim.meter'>${formOf({ NodeId: "&gt;".repeat(room / 4 - 100) })}</createNewNode>`,
    `<set xmlns='${ns("control")}'><nd id='hidden'/>${filled(at => `<i n='p${at}' v='x'/>`)}</set>`,
    `<set xmlns='${ns("control")}'><nd id='hidden'/>${filled(at => `<i n='p${at}' v='1'/>`)}</set>`,
    `<set xmlns='${ns("control")}'><nd id='hidden'/>${submit(filled(field))}</set>`,
    `<getNodes xmlns='${ns("concentrator")}'>${filled(() => "<nd id='own'/>")}</getNodes>`,
    `<containsNodes xmlns='${ns("concentrator")}'>${filled(() => "<nd id='own'/>")}</containsNodes>`,
    `<req xmlns='${ns("sensorData")}' id='r' m='true'><nd id='hidden'/>${filled(at => `<f n='n${at}'/>`)}</req>`,
    `<subscribe xmlns='${ns("events")}' id='s' m='true'><nd id='hidden'/>${filled(at => `<f n='n${at}' by='1'/>`)}</subscribe>`,
  ];

  it("COM-STZ-04, COM-STZ-09: each operation answers a full stanza, with what a broker carries or what can be cut to it", async () => {
    await using appliance = await startAppliance();
    for (const generation of generationNames) {
      for (const xml of requests(family => namespace(family, generation))) {
        const { name } = parse(xml);
        const type =
          name === "set" || name.endsWith("Command") || name.endsWith("Edit") || name.startsWith("create")
            ? "set"
            : "get";
        for (const from of [owner, contact, tenant]) {
          const answer = await appliance.ask(type, xml, from);
          // A result is never more than the broker takes; an error may be, and loses its details (traffic.ts).
          if (answer.condition === "") expect(answer.text.length, name).toBeLessThan(stanzaBytesMax);
          // Of what no form has, some is named, not all.
          if (xml.includes("var='f0'"))
            expect(answer.text.length, name).toBeLessThan(name === "set" ? 2_000_000 : 30_000);
        }
      }
    }
    expect(appliance.events.filter(({ event }) => event === "request-failed")).toEqual([]);
  });
});
