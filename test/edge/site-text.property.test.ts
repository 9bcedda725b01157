// Whatever people set up by forms, the site as text says it: taken into an empty appliance it makes the same site, and that one
// says the same text. Secrets are the exception, and are named.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import { createConcentrator } from "#concentrator/concentrator.ts";
import type { TreeNode } from "#concentrator/forest.ts";
import { acceptedBelow } from "#concentrator/planning.ts";
import { ownerRule } from "#concentrator/rules.ts";
import { createTree } from "#concentrator/tree.ts";
import { type Caller, noTokens } from "#contract/caller.ts";
import { type FilledField, FormRejected } from "#contract/filled-form.ts";
import { formOf } from "#contract/form.ts";
import { meteringTopology } from "#contract/node.ts";
import { drivers } from "#drivers/all.ts";
import { importSite } from "#edge/site-import.ts";
import { readSiteText, writeSite } from "#edge/site-text.ts";
import { openDatabase } from "#store/database.ts";
import { createHistory } from "#store/history.ts";
import { edgeMigrations, historyMigrations } from "#store/migrations.ts";
import { createNodeStore } from "#store/nodes.ts";
import { manualClock } from "../support/manual-clock.ts";

const never = new AbortController().signal;
const jid = "owner@city.example";
const caller: Caller = { bareJid: jid, fullJid: `${jid}/phone`, tokens: noTokens, language: "" };

/** An appliance whose devices are never opened: what is written down is all that counts here. */
function appliance() {
  const clock = manualClock();
  const edge = openDatabase(":memory:", edgeMigrations, silentLog);
  const past = openDatabase(":memory:", historyMigrations, silentLog);
  const history = createHistory(past, { clock, log: silentLog, keepMs: 1e9 });
  const tree = createTree({
    drivers,
    nodes: createNodeStore(edge),
    statuses: history.statuses,
    readings: history.readings,
    clock,
    log: silentLog,
    timeZone: "UTC",
    roots: [{ ref: { nodeId: "site", sourceId: meteringTopology, partition: "" }, displayName: "House" }],
  });
  const ownerOf = () => undefined;
  const concentrator = createConcentrator({
    tree,
    readings: history.readings,
    rules: [ownerRule({ ownerOf, rootOwner: () => jid })],
    ownerOf,
    clock,
    log: silentLog,
  });
  return {
    tree,
    concentrator,
    nodes: () => [...(tree.sources.get(meteringTopology)?.nodes.values() ?? [])],
    [Symbol.dispose]() {
      history[Symbol.dispose]();
      edge.close();
    },
  };
}
type Appliance = ReturnType<typeof appliance>;

/** What a field takes that takes no text at random. */
const wellKnown: Readonly<Record<string, string>> = {
  host: "127.0.0.1",
  address: "3",
  device: "/dev/ttyUSB0",
  port: "/dev/ttyUSB0",
  topic: "house/+/state",
  key: "00112233445566778899AABBCCDDEEFF",
  profile: "eastron-sdm630",
  pointer: "/a",
  timePointer: "/time",
  commandTemplate: '{"setpoint": {value}}',
};

/** As XML carries it. */
const text = fc.string({ unit: "grapheme", maxLength: 14 }).map(one => one.replace(/[^\P{C}]|\uFFFE|\uFFFF/gu, ""));
const trouble = fc.constantFrom(
  ...["", "true", "null", "~", "12", "0x1F", "1e3", "2031-03-02", "- a", "a: b", "#x", "*a", "&a", "!t", "%", "@", "`"],
  ...[
    "'",
    '"',
    " x ",
    "x ",
    "é",
    "\u2028",
    "\u0085",
    "{a}",
    "[a]",
    "yes",
    "=",
    "<<",
    ".inf",
    "|",
    ">",
    "?",
    "__proto__",
  ],
);
const word = fc.oneof(text, trouble);
const seed = fc.record({
  word,
  number: fc.double({ noNaN: true, noDefaultInfinity: true }),
  at: fc.nat(),
  skip: fc.nat(9),
});
type Seed = typeof seed extends fc.Arbitrary<infer T> ? T : never;
const step = fc.record({
  parent: fc.nat(),
  type: fc.nat(),
  id: word,
  seeds: fc.array(seed, { minLength: 12, maxLength: 12 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function answerOf(field: FilledField, { word, number, at, skip }: Seed): string {
  if (skip < 3 && !field.required) return "";
  if (field.options.length > 0) return field.options[at % field.options.length]?.value ?? "";
  if (field.kind === "boolean") return at % 2 === 0 ? "true" : "false";
  if (field.datatype === "string") return word;
  const [min, max] = [Number(field.min ?? -1_000), Number(field.max ?? 1_000)];
  const within = min + (Math.abs(number) % (max - min + 1));
  return field.datatype === "double" ? String(Math.min(max, within)) : String(Math.min(max, Math.floor(within)));
}

/** By the form, as a client would: what is refused is put right or left out. */
async function add({ tree, concentrator, nodes }: Appliance, { parent, type, id, seeds }: Step): Promise<boolean> {
  const parents = nodes();
  const above = parents[parent % parents.length] as TreeNode;
  const types = tree.catalogue.types.filter(one => acceptedBelow(one, above));
  const chosen = types[type % Math.max(1, types.length)];
  if (chosen === undefined) return false;
  const { fields } = await concentrator.newNodeForm(caller, above.ref, chosen.name, never);
  const answers = new Map(fields.map((field, at) => [field.name, answerOf(field, seeds[at % seeds.length] as Seed)]));
  answers.set("NodeId", id);
  for (let round = 0; round < 4; round++) {
    const submission = { fields: [...answers].map(([name, value]) => ({ name, values: [value] })) };
    try {
      await concentrator.createNode(caller, above.ref, chosen.name, submission, never);
      return true;
    } catch (error) {
      if (!(error instanceof FormRejected)) throw error;
      for (const { name } of error.form.fields.filter(one => one.error !== "")) {
        const other = round === 0 ? wellKnown[name] : undefined;
        if (name === "NodeId") answers.set(name, `n${nodes().length}`);
        else if (other === undefined) answers.delete(name);
        else answers.set(name, other);
      }
      if (error.form.fields.some(one => one.name === "kind" && one.error !== "")) answers.delete("kind");
    }
  }
  return false;
}

/** All that is kept of the nodes, secrets aside, in their order. */
const kept = ({ tree, nodes }: Appliance) =>
  [...inOrder(nodes().filter(one => one.parent === undefined))].map(({ record, ref, type }) => {
    const secret = new Set(type ? formOf(type.settings).flatMap(one => (one.secret ? one.name : [])) : []);
    const settings = Object.fromEntries(Object.entries(record.settings).filter(([name]) => !secret.has(name)));
    expect(tree.find(ref)?.record).toBe(record);
    const { displayName, tags, options = {}, parent } = record;
    return { ref, parent, type: record.type, settings, displayName, tags, options };
  });
function* inOrder(nodes: Iterable<TreeNode>): Generator<TreeNode> {
  for (const node of nodes) {
    yield node;
    yield* inOrder(node.children);
  }
}

describe("a site as text", () => {
  it("says all that can be set up by forms: taken into an empty appliance it is the same site", async () => {
    const types = new Set<string>();
    const options = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), word, async (steps, name) => {
        using first = appliance();
        for (const one of steps) await add(first, one);
        const [site] = first.nodes();
        const renamed = { fields: [{ name: "Name", values: [name] }] };
        await concentratorEdit(first, site as TreeNode, renamed);
        const { text: exported, nodes, secrets } = writeSite(first.tree, meteringTopology);
        expect(nodes).toBe(first.nodes().length - 1);
        const read = readSiteText(exported);
        if ("faults" in read) throw new Error(`${JSON.stringify(read.faults)} in\n${exported}`);
        using second = appliance();
        importSite(second.tree, read.site);
        expect(kept(second)).toEqual(kept(first));
        const again = writeSite(second.tree, meteringTopology);
        expect(again.text).toBe(exported);
        expect(again.secrets).toEqual([]);
        for (const one of secrets) expect(one).toMatch(/: (password|key)$/);
        for (const { record } of first.nodes()) {
          types.add(record.type);
          for (const option of Object.keys(record.options ?? {})) options.add(option);
        }
      }),
      { numRuns: 60 },
    );
    // The runs were about something.
    expect(types.size).toBeGreaterThan(8);
    expect([...options].sort()).toEqual(["historyDays", "registered"]);
  }, 120_000);

  it("names the settings of a node whose driver is gone as secret: who knows which of them are", () => {
    using it = appliance();
    importSite(it.tree, {
      nodes: [{ type: "mqtt.broker", id: "home", settings: { host: "h", password: "swordfish" } }],
    });
    const home = it.tree.find({ nodeId: "home", sourceId: meteringTopology, partition: "" }) as TreeNode;
    Object.assign(home, { type: undefined });
    const { text: exported, secrets } = writeSite(it.tree, meteringTopology);
    expect(exported).not.toContain("swordfish");
    expect(secrets).toEqual(["home: host", "home: password"]);
  });

  it("gives its name to an empty site alone", () => {
    using it = appliance();
    const nameNow = () => it.nodes()[0]?.record.displayName;
    importSite(it.tree, { name: "Mill Lane 4", nodes: [{ type: "sim.line", id: "attic" }] });
    expect(nameNow()).toBe("Mill Lane 4");
    importSite(it.tree, { name: "Another", nodes: [{ type: "sim.line", id: "cellar" }] });
    expect(nameNow()).toBe("Mill Lane 4");
    using other = appliance();
    const clash = { id: "attic", nodes: [{ type: "sim.line", id: "attic" }] };
    expect(() => importSite(other.tree, clash)).toThrow("same id");
    expect(other.nodes()).toHaveLength(1);
  });
});

const concentratorEdit = (
  { concentrator }: Appliance,
  node: TreeNode,
  submission: { fields: { name: string; values: string[] }[] },
) => concentrator.editNodes(caller, [node.ref], submission, never);
