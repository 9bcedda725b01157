// Everything that can be wrong with a request, made of each operation the appliance serves, in each of its namespaces: one
// reply, the condition of the table, nothing changed, nothing said, nothing leaked, and others served as before.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { elements } from "#xml/element.ts";
import { type Answer, type Appliance, contact, owner, startAppliance, stranger, tenant } from "./appliance.ts";
import * as table from "./operations.ts";
import {
  bad,
  familyOf,
  forbidden,
  formOf,
  malformed,
  nd,
  notFound,
  type Operation,
  operations,
  requestOf,
} from "./operations.ts";

interface Attack {
  readonly what: string;
  readonly type: string;
  readonly xml: string;
  readonly from: string;
  /** "" is a result. */
  readonly wanted: string;
  /** More about the answer. */
  readonly also?: (answer: Answer) => void;
}

const label = (one: Operation) => `${one.family} ${one.name}`;

let appliance: Appliance;
let before: string;
let well: string;

beforeAll(async () => {
  appliance = await startAppliance();
  before = appliance.state();
  well = (await isServed()).text;
});
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]();
});

/** Somebody else, with something he may. */
const isServed = () => appliance.ask("get", "<getNode xmlns='urn:nf:iot:concentrator:1.0' id='own'/>", tenant);

it("every route has a row, and every row a route", () => {
  const routes = appliance.routes.map(({ ns, name }) => `${familyOf(ns)} ${name}`);
  expect([...new Set(routes)].sort()).toEqual(operations.map(label).sort());
  for (const one of operations) {
    const served = appliance.routes.filter(({ ns, name }) => familyOf(ns) === one.family && name === one.name);
    expect(served.map(({ ns }) => ns).sort(), label(one)).toEqual([...table.namespacesOf(one)].sort());
    for (const { types } of served) expect([...types].sort(), label(one)).toEqual([...one.types].sort());
  }
});

function* attributes(one: Operation, ns: string): Generator<Attack> {
  const { from = owner } = one;
  const type = one.types[0] as string;
  for (const name of one.needed) {
    const isEmptyAllowed = one.kinds[name] === "text" && name === "id";
    yield { what: `no ${name}`, type, from, wanted: bad, xml: requestOf(one, ns, { attrs: { [name]: undefined } }) };
    if (!isEmptyAllowed)
      yield { what: `empty ${name}`, type, from, wanted: bad, xml: requestOf(one, ns, { attrs: { [name]: "" } }) };
  }
  for (const [name, kind] of Object.entries(one.kinds)) {
    for (const value of malformed[kind]) {
      const xml = requestOf(one, ns, { attrs: { [name]: value } });
      const isLoose = name === "node";
      yield { what: `${name}=${value.slice(0, 20)}`, type, from, wanted: isLoose ? notFound : bad, xml };
    }
  }
}

function* types(one: Operation, ns: string): Generator<Attack> {
  const { from = owner } = one;
  const xml = requestOf(one, ns);
  for (const type of ["get", "set"] as const) {
    if (!one.types.includes(type)) yield { what: type, type, from, xml, wanted: "cancel feature-not-implemented" };
  }
  for (const type of ["put", "GET", ""]) yield { what: `type ${type}`, type, from, xml, wanted: bad };
  const unknown = xml.replace(`<${one.name} `, `<${one.name}Z `).replace(`</${one.name}>`, `</${one.name}Z>`);
  yield { what: "an unknown element", type: "get", from, xml: unknown, wanted: "cancel feature-not-implemented" };
}

function* strangers(one: Operation, ns: string): Generator<Attack> {
  for (const change of [{}, { attrs: { id: undefined } }, { nodes: ["absent"] }]) {
    const xml = requestOf(one, ns, change);
    const also = ({ text }: Answer) =>
      expect(text).toBe(
        "<error xmlns='jabber:client' type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
      );
    for (const type of ["get", "set"] as const) {
      // The registry and the service are known by name: whoever else says their words is told so.
      if (one.stranger === undefined || (one.stranger === forbidden && one.from === table.broker))
        yield { what: "a stranger", type, from: stranger, xml, wanted: forbidden, also };
    }
  }
  if (one.stranger !== undefined) {
    const type = one.types[0] as string;
    for (const from of [owner, tenant, contact, stranger]) {
      const isBroker = one.from === table.broker;
      const wanted = isBroker && from !== stranger ? "cancel service-unavailable" : forbidden;
      yield { what: `said by ${from}`, type, from, xml: requestOf(one, ns), wanted };
    }
  }
}

function* places(one: Operation, ns: string): Generator<Attack> {
  const { from = owner, unknownNode = notFound, where } = one;
  const type = one.types[0] as string;
  if (where === undefined) return;
  const unknownSource = where === "source" ? notFound : unknownNode;
  yield { what: "an unknown source", type, from, wanted: unknownSource, xml: requestOf(one, ns, { src: "Nowhere" }) };
  if (where === "source") return;
  const nodes = where === "attributes" ? [["absent"]] : [["absent"], ["own", "absent"], ["absent", "own"]];
  for (const some of nodes) {
    yield { what: `${some}`, type, from, wanted: unknownNode, xml: requestOf(one, ns, { nodes: some }) };
  }
  if (where === "attributes") return;
  if (one.noNodes !== "") {
    yield { what: "no nd", type, from, wanted: one.noNodes as string, xml: requestOf(one, ns, { nodes: [] }) };
  }
  for (const wrong of ["<nd/>", "<nd id=''/>", "<nd src='MeteringTopology'/>", `<nd id='${"x".repeat(1_025)}'/>`]) {
    const isText = one.name === "containsNodes" && wrong === "<nd id=''/>";
    if (isText) continue;
    const xml = requestOf(one, ns, { nds: `${nd("own")}${wrong}` });
    yield { what: wrong.slice(0, 40), type, from, wanted: bad, xml };
  }
  const many = Array.from({ length: (one.nodesMax ?? 0) + 1 }, (_, at) => nd(`n${at}`)).join("");
  yield { what: "too many nd", type, from, wanted: "modify not-acceptable", xml: requestOf(one, ns, { nds: many }) };
}

function* insides(one: Operation, ns: string): Generator<Attack> {
  const { from = owner, wrongInside = [] } = one;
  const type = one.types[0] as string;
  for (const [inside, wanted] of wrongInside) {
    yield { what: inside.slice(0, 60), type, from, wanted, xml: requestOf(one, ns, { inside }) };
  }
  for (const name of ["type", "command", "snifferId", "queryId"]) {
    if (!(name in one.attrs) || one.name === "executeNodeQuery" || one.name === "executeCommonNodeQuery") continue;
    yield {
      what: `unknown ${name}`,
      type,
      from,
      wanted: notFound,
      xml: requestOf(one, ns, { attrs: { [name]: "none" } }),
    };
  }
}

function* forms(one: Operation, ns: string): Generator<Attack> {
  const { form, from = owner } = one;
  const type = one.types.at(-1) as string;
  if (form === undefined) return;
  const { valid, fault } = form;
  const isShown = fault === "modify not-acceptable";
  const also = ({ payload }: Answer) => {
    const x = payload && elements(payload).find(each => each.name === "x" && each.ns === "jabber:x:data");
    expect(x !== undefined).toBe(isShown);
  };
  const make = (what: string, xml: string, wanted: string, more: Pick<Attack, "also"> = {}): Attack => ({
    what,
    type,
    from,
    wanted,
    xml: requestOf(one, ns, { form: xml }),
    ...more,
  });
  yield make("no form", "", form.missing);
  for (const other of ["form", "result", "", "SUBMIT"]) yield make(`type ${other}`, formOf(valid, other), bad);
  yield make("two forms", formOf(valid) + formOf(valid), bad);
  yield make("another namespace", formOf(valid).replace("jabber:x:data", "urn:x"), form.missing);
  yield make("given up", formOf(valid, "cancel"), form.cancelled);
  yield make("an unknown field", formOf({ ...valid, "no-such": "1" }), form.unknown, { also });
  const [first] = Object.entries(valid) as [[string, string]];
  yield make("a field twice", formOf([...Object.entries(valid), first]), fault, { also });
  const two = formOf(valid).replace("</value>", "</value><value>2</value>");
  yield make("two values", two, fault, { also });
  for (const [name, value] of form.wrong) {
    yield make(`${name}=${value.slice(0, 20)}`, formOf({ ...valid, [name]: value }), fault, { also });
  }
  for (const name of form.needed) {
    const rest = Object.entries(valid).filter(([key]) => key !== name);
    yield make(`without ${name}`, formOf(rest), fault, { also });
  }
}

function* rights(one: Operation, ns: string): Generator<Attack> {
  if (one.contact === undefined) return;
  const type = one.types[0] as string;
  // A request that would do something, of who sees all that it names.
  yield { what: "a contact", type, from: contact, wanted: one.contact, xml: requestOf(one, ns) };
}

const attacksOn = (one: Operation, ns: string): Attack[] =>
  [attributes, types, strangers, places, insides, forms, rights].flatMap(make => [...make(one, ns)]);

describe("COM-ERR-01, COM-ERR-03, COM-STZ-02, COM-STZ-04, COM-LEX-07, COM-LEX-08: whatever is wrong with a request", () => {
  for (const one of operations) {
    for (const ns of table.namespacesOf(one)) {
      it(`${one.name} in ${ns}`, async () => {
        const attacks = attacksOn(one, ns);
        expect(attacks.length).toBeGreaterThan(3);
        for (const { what, type, xml, from, wanted, also } of attacks) {
          const answer = await appliance.ask(type, xml, from);
          expect.soft(answer.condition, `${what}: ${xml.slice(0, 300)} → ${answer.text.slice(0, 300)}`).toBe(wanted);
          also?.(answer);
          expect(appliance.state() === before, `changed by ${what}: ${xml.slice(0, 300)}`).toBe(true);
          expect((await isServed()).text, what).toBe(well);
        }
        await appliance.clock.advance(3_000);
        expect(appliance.sent.splice(0)).toEqual([]);
        expect(appliance.replies.size).toBe(0);
        expect(appliance.state()).toBe(before);
        expect(appliance.events.filter(({ event }) => event === "request-failed")).toEqual([]);
      });
    }
  }
});
