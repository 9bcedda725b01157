// The editing and control faces over the real tree: SQLite in memory, all drivers of the program, the real rules with their
// owners, and the router in front. Devices open for real; those that are not there are faulted, as in a cellar.

import { silentLog } from "#base/log.ts";
import { type Concentrator, createConcentrator } from "#concentrator/concentrator.ts";
import { contactsMayView, ownerRule } from "#concentrator/rules.ts";
import { createTree, type SiteNode, type Tree } from "#concentrator/tree.ts";
import type { Driver } from "#contract/driver.ts";
import type { FilledField, Form } from "#contract/filled-form.ts";
import type { Languages } from "#contract/language.ts";
import { meteringTopology, type NodeRef } from "#contract/node.ts";
import { drivers } from "#drivers/all.ts";
import { createControl } from "#iot/control.ts";
import * as formWire from "#iot/data-form.wire.ts";
import { createDynamicForms, type DynamicForms } from "#iot/dynamic-forms.ts";
import { createEditing } from "#iot/editing.ts";
import { createNodes } from "#iot/nodes.ts";
import { type NodeInfoOnWire, nodeInfo } from "#iot/nodes.wire.ts";
import { createAllLanguages } from "#languages/all.ts";
import { type Database, openDatabase } from "#store/database.ts";
import { createHistory, type History } from "#store/history.ts";
import { edgeMigrations, historyMigrations } from "#store/migrations.ts";
import { createNodeStore } from "#store/nodes.ts";
import { child, type Element, elements, textOf } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { type Ask1, type Bench, createBench } from "./face-bench.ts";

export const ns = "urn:nf:iot:concentrator:1.0";
export const owner = "owner@city.example/phone";
export const contact = "bob@city.example/phone";
export const stranger = "eve@city.example/phone";

export interface EditingScene extends AsyncDisposable {
  readonly bench: Bench;
  readonly ask: Ask1;
  readonly tree: Tree;
  readonly concentrator: Concentrator;
  readonly edge: Database;
  readonly history: History;
  readonly forms: DynamicForms;
  /** By NodeId, bare JIDs. */
  readonly owners: Map<string, string>;
  /** Name, condition and form of what comes back; `from` is the owner unless said. */
  send(type: "get" | "set", payload: string, from?: string): Promise<Reply>;
  /** What is in the store: NodeIds with settings, in order of position. */
  stored(): string;
}

export interface Reply {
  readonly name: string;
  readonly condition: string;
  readonly type: string;
  readonly text: string;
  /** A form as result, or inside the error. */
  readonly form: Form;
  readonly info: NodeInfoOnWire;
  readonly element: Element | undefined;
}

export interface EditingSceneOptions {
  readonly nodes?: readonly SiteNode[];
  readonly more?: readonly Driver[];
  readonly languages?: Languages;
  /** The store of a former scene. */
  readonly edge?: Database;
}

export async function createEditingScene({
  nodes = [],
  more = [],
  languages = createAllLanguages("en"),
  edge: given,
}: EditingSceneOptions = {}): Promise<EditingScene> {
  const bench = createBench();
  const { clock, stop } = bench;
  const edge = given ?? openDatabase(":memory:", edgeMigrations, silentLog);
  const history = createHistory(openDatabase(":memory:", historyMigrations, silentLog), {
    clock,
    log: silentLog,
    keepMs: 365 * 86_400_000,
  });
  const tree = createTree({
    drivers: [...drivers, ...more],
    nodes: createNodeStore(edge),
    statuses: history.statuses,
    readings: history.readings,
    clock,
    log: silentLog,
    timeZone: "Europe/Stockholm",
    roots: [{ ref: { nodeId: "site", sourceId: meteringTopology, partition: "" }, displayName: "Test house" }],
  });
  tree.import(meteringTopology, nodes);
  const owners = new Map<string, string>();
  const ownerOf = (ref: NodeRef) => owners.get(ref.nodeId);
  const concentrator = createConcentrator({
    tree,
    readings: history.readings,
    rules: [
      ownerRule({ ownerOf, rootOwner: () => "owner@city.example" }),
      contactsMayView(jid => jid === "bob@city.example"),
    ],
    ownerOf,
    clock,
    log: silentLog,
  });
  const forms = createDynamicForms({ clock, languages });
  const editing = createEditing({ concentrator, forms, languages });
  const ask = bench.serve([
    ...editing.routes,
    ...forms.routes,
    ...createControl({ concentrator, forms, clock, log: silentLog }).routes,
    ...createNodes({ concentrator, others: editing.routes, languages }).routes,
  ]);
  const running = tree.run(stop.signal);
  await clock.advance(10);
  return {
    bench,
    ask,
    tree,
    concentrator,
    edge,
    history,
    forms,
    owners,
    async send(type, payload, from = owner) {
      return read(await ask(type, payload, from));
    },
    stored: () =>
      JSON.stringify(
        edge
          .prepare("SELECT node, parent, settings, display_name, tags, options FROM nodes ORDER BY position, node")
          .all(),
      ),
    async [Symbol.asyncDispose]() {
      stop.abort(new Error("the test is over"));
      await clock.advance(10_000);
      await running;
      history[Symbol.dispose]();
      if (given === undefined) edge.close();
    },
  };
}

function read(reply: string): Reply {
  const element = reply === "" ? undefined : parse(reply);
  const isError = element?.name === "error";
  const x = isError ? child(element, "x", formWire.formNs) : element;
  return {
    name: element?.name ?? "",
    condition: isError ? (elements(element)[0]?.name ?? "") : "",
    type: isError ? (element.attrs.type ?? "") : "",
    text: isError ? textOf(elements(element).find(one => one.name === "text") ?? element) : "",
    element,
    get form() {
      if (x?.name !== "x") throw new Error(`no form in ${reply}`);
      return formWire.form.decode(x);
    },
    get info() {
      if (element?.name !== "nodeInfo") throw new Error(`no nodeInfo in ${reply}`);
      return nodeInfo.decode(element);
    },
  };
}

/** `<x>` with these answers; several values where an array is given. */
export const submit = (answers: Readonly<Record<string, string | readonly string[]>>, session = ""): string => {
  const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("'", "&apos;");
  const fields = Object.entries({ ...(session === "" ? {} : { "xdd session": session }), ...answers }).map(
    ([name, value]) =>
      `<field var='${escaped(name)}'>${[value]
        .flat()
        .map(text => `<value>${escaped(text)}</value>`)
        .join("")}</field>`,
  );
  return `<x xmlns='jabber:x:data' type='submit'>${fields.join("")}</x>`;
};

export const say = (name: string, attrs = "", children = "", generation = ns): string =>
  `<${name} xmlns='${generation}' ${attrs}>${children}</${name}>`;

export const field = (form: Form, name: string): FilledField => {
  const found = form.fields.find(one => one.name === name);
  if (found === undefined) throw new Error(`no field ${name} in ${form.fields.map(one => one.name).join(", ")}`);
  return found;
};
export const errorsIn = (form: Form): Record<string, string> =>
  Object.fromEntries(form.fields.filter(({ error }) => error !== "").map(({ name, error }) => [name, error]));
/** The form as a client sends it back that leaves nothing out, with these answers changed. */
export const sentBack = (form: Form, answers: Readonly<Record<string, string>>): string =>
  submit({
    ...Object.fromEntries(
      form.fields.filter(one => !one.readOnly).map(({ name, values }) => [name, values.length === 0 ? "" : values]),
    ),
    ...answers,
  });
