// What a concentrator of 10,000 nodes in 50 lines costs: looking nodes up beside bare echoes, all of them at once, their changes
// told to a subscriber, a readout of a thousand; and what the appliance occupies meanwhile.

import { systemClock } from "#base/clock.ts";
import { createEditing } from "#client/editing.ts";
import { createNodes } from "#client/nodes.ts";
import { createThings } from "#client/things.ts";
import { meteringTopology, type NodeRef } from "#contract/node.ts";
import { namespace } from "#iot/generations.ts";
import * as wire from "#iot/nodes.wire.ts";
import { eventNames, subscribe } from "#iot/source-events.wire.ts";
import type { Element } from "#xml/element.ts";
import { formattedBytes } from "#xml/size.ts";
import { compare, comparison, startEcho } from "./compare.ts";
import type { Figure } from "./figures.ts";
import { createScene, type Edge, type Person, peakMb, residentMb, type Scene, until } from "./scene.ts";

const lines = 50;
const perLine = 200;
/** Besides the lines themselves. */
const metersCount = lines * perLine;
const readCount = 1_000;
const parallel = 64;
const settledMs = 5_000;
const quietMs = 20_000;
const bare = { parameters: false, messages: false };
const ns = namespace("concentrator", "nf");
const noTokens = { service: [], device: [], user: [] };

type Note = (text: string) => void;

/** Everything is measured at a broker that takes large stanzas and says so; walking also at one that does not. */
export async function concentratorFigures(note: Note, signal: AbortSignal): Promise<Figure[]> {
  await using scene = await createScene(signal, 4 * 1_048_576);
  const { edge, person, pid, figures } = await startSite(scene, note, signal);
  const appliance = await person.meet((await edge.status()).connection.jid.split("/")[0] as string);
  const where = { scene, person, appliance, pid, note, signal };
  figures.push(...(await lookups(where)));
  figures.push(...(await everything(where)));
  figures.push(...(await changes(where)));
  figures.push(...(await largeReadout(where)));
  note("memory, when all is quiet again");
  await systemClock.sleep(quietMs, signal);
  figures.push(
    {
      name: "concentrator.rss",
      text: "memory after all of it",
      value: residentMb(pid),
      unit: "MB",
      target: { atMost: 250 },
    },
    { name: "concentrator.peak", text: "most memory at any moment", value: peakMb(pid), unit: "MB" },
  );
  return figures;
}

interface Where {
  readonly scene: Scene;
  readonly person: Person;
  /** Full JID. */
  readonly appliance: string;
  readonly pid: number;
  readonly note: Note;
  readonly signal: AbortSignal;
}

/** Started twice: the nodes are in the database then, as after a power cut. The registry is there for the claim only. */
export async function startSite(scene: Scene, note: Note, signal: AbortSignal) {
  note(`${metersCount} meters in ${lines} lines, created at the first start`);
  const registry = await scene.startRegistry();
  const edge = scene.edge("edge", siteOf());
  const first = await edge.start();
  const status = await until("registered", async () => withCode(edge), signal);
  const person = await scene.connect("owner");
  await person.owner.claim(status, true, signal);
  await until("claimed", async () => (await edge.status()).nodes.some(one => one.thing?.owner !== undefined), signal);
  await registry.stop();
  await first.child.stop();

  const { child, readyMs } = await edge.start();
  await until("online", async () => (await edge.status()).connection.phase === "online", signal);
  await systemClock.sleep(settledMs, signal);
  const settledMb = residentMb(child.pid);
  const figures: Figure[] = [
    { name: "concentrator.first", text: "first start to ready", value: first.readyMs / 1_000, unit: "s" },
    { name: "concentrator.ready", text: "start to ready", value: readyMs / 1_000, unit: "s" },
    { name: "concentrator.idle", text: "memory when online", value: settledMb, unit: "MB" },
  ];
  return { edge, person, pid: child.pid, child, figures };
}

async function withCode(edge: Edge): Promise<string | undefined> {
  const { nodes } = await edge.status();
  return nodes.find(one => one.ref.nodeId === "")?.thing?.uri;
}

const lineId = (line: number) => `line-${String(line).padStart(2, "0")}`;
const meterId = (line: number, at: number) => `meter-${String(line).padStart(2, "0")}-${String(at).padStart(3, "0")}`;
const meterRef = (index: number): NodeRef => {
  const line = index % lines;
  return {
    nodeId: meterId(line, Math.floor(index / lines) % perLine),
    sourceId: meteringTopology,
    partition: lineId(line),
  };
};

const siteOf = (): string =>
  JSON.stringify({
    nodes: Array.from({ length: lines }, (_, line) => ({
      type: "sim.line",
      id: lineId(line),
      nodes: Array.from({ length: perLine }, (_, at) => ({
        type: "sim.meter",
        id: meterId(line, at),
        settings: { fields: 5 },
      })),
    })),
  });

/** getNode, with a different node each time, beside a bare echo of its answer. */
async function lookups({ scene, person, appliance, pid, note, signal }: Where): Promise<Figure[]> {
  let count = 0;
  const ask = async (to: string): Promise<Element> => {
    const request = wire.getNode.encode({ ref: meterRef(count++ * 7), details: bare, tokens: noTokens }, ns);
    const answer = await person.session.request("get", to, request);
    if (answer?.name !== "nodeInfo") throw new Error(`no node: ${JSON.stringify(answer).slice(0, 300)}`);
    return answer;
  };
  const echo = await startEcho(scene, await ask(appliance), signal);
  const pids = { read: pid, echo: echo.pid, broker: () => scene.prosody.pid() };
  const figures: Figure[] = [];
  for (const [name, text, atOnce] of [
    ["sequential", "one after the other", 1],
    ["parallel", `${parallel} under way`, parallel],
  ] as const) {
    note(`getNode and bare echo, ${text}`);
    const all = <T>(make: () => T) => Array.from({ length: atOnce }, make);
    const runs = await compare(
      all(() => () => ask(appliance)),
      all(() => () => ask(echo.jid)),
      pids,
      signal,
    );
    figures.push(...comparison({ bench: "concentrator", kind: "getNode", atLeast: 0.8 }, name, text, runs));
  }
  return figures;
}

/** All nodes in one answer, all nodes by walking, and the children of one line: what each costs a node. */
async function everything({ person, appliance, note, signal }: Where): Promise<Figure[]> {
  note("all nodes in one answer, by walking, and those of one line");
  const nodes = createNodes({ connection: person.session });
  const request = wire.getAllNodes.encode(
    { sourceId: meteringTopology, types: [], details: bare, tokens: noTokens },
    ns,
  );
  const answer = await person.session.request("get", appliance, request);
  if (answer === undefined) throw new Error("no answer with all nodes");
  const seen = { count: 0 };
  const allMs = await median(9, async () => {
    seen.count = (await nodes.allNodes(appliance, meteringTopology, signal, { details: bare })).length;
  });
  const fullMs = await median(3, async () => {
    await nodes.allNodes(appliance, meteringTopology, signal);
  });
  const walkMs = await median(3, async () => {
    const roots = await nodes.rootNodes(appliance, meteringTopology, signal, bare);
    const below = await Promise.all(roots.map(({ ref }) => nodes.childNodes(appliance, ref, signal, bare)));
    const children = below.flat().filter(({ hasChildren }) => hasChildren);
    for (let at = 0; at < children.length; at += 8)
      await Promise.all(children.slice(at, at + 8).map(({ ref }) => nodes.childNodes(appliance, ref, signal, bare)));
  });
  const line = { nodeId: lineId(7), sourceId: meteringTopology, partition: "" };
  const childMs = await median(100, async () => void (await nodes.childNodes(appliance, line, signal, bare)));
  if (seen.count < metersCount) throw new Error(`only ${seen.count} nodes were seen`);
  return [
    {
      name: "concentrator.getAllNodes.bytes",
      text: "getAllNodes: answer",
      value: formattedBytes(answer) / 1_000,
      unit: "kB",
    },
    {
      name: "concentrator.getAllNodes",
      text: `getAllNodes of ${seen.count} nodes`,
      value: allMs / 1_000,
      unit: "s",
      target: { below: 1 },
    },
    {
      name: "concentrator.getAllNodes.full",
      text: "getAllNodes with parameters and messages",
      value: fullMs / 1_000,
      unit: "s",
    },
    { name: "concentrator.walk", text: "the same nodes by getChildNodes", value: walkMs / 1_000, unit: "s" },
    { name: "concentrator.getChildNodes", text: `getChildNodes of one line of ${perLine}`, value: childMs, unit: "ms" },
    {
      name: "concentrator.linear",
      text: "a node of 10,000 : a node of one line",
      value: allMs / seen.count / (childMs / perLine),
      unit: "",
      target: { atMost: 1.5 },
    },
  ];
}

/** A subscriber to the source while a thousand nodes are edited at once, and another who asks for what happened before. */
async function changes({ person, appliance, note, signal }: Where): Promise<Figure[]> {
  note(`${readCount} nodes changed while somebody listens`);
  const editing = createEditing({ connection: person.session });
  const refs = Array.from({ length: readCount }, (_, at) => meterRef(at));
  let events = 0;
  let wake = () => {};
  using _ = person.inbox.onMessage(ns, "nodeUpdated", () => {
    events++;
    wake();
  });
  const all = Object.fromEntries(eventNames.map(name => [name, true])) as Parameters<
    typeof subscribe.encode
  >[0]["events"];
  const listen = (since: number | undefined) =>
    person.session.request(
      "set",
      appliance,
      subscribe.encode(
        { sourceId: meteringTopology, ttlSeconds: 3_600, since, ...bare, events: all, tokens: noTokens },
        ns,
      ),
      { signal },
    );
  const arrived = async (count: number) => {
    while (events < count) {
      signal.throwIfAborted();
      await Promise.race([
        new Promise<void>(resolve => (wake = resolve)),
        systemClock.sleep(30_000, signal).then(() => {
          if (events < count) throw new Error(`${events} of ${count} events came`);
        }),
      ]);
    }
  };
  const since = systemClock.now();
  await listen(undefined);
  const form = await editing.editForm(appliance, refs, signal);
  const began = performance.now();
  await editing.edit(appliance, refs, { session: form.session, fields: [{ name: "ROOM", values: ["Bench"] }] }, signal);
  const editedMs = performance.now() - began;
  await arrived(readCount);
  const toldMs = performance.now() - began;
  events = 0;
  const again = performance.now();
  await listen(since);
  await arrived(readCount);
  return [
    { name: "concentrator.edit", text: `${readCount} nodes edited together`, value: editedMs / 1_000, unit: "s" },
    { name: "concentrator.events", text: "until the last of their events came", value: toldMs / 1_000, unit: "s" },
    {
      name: "concentrator.replay",
      text: "the same events asked for later",
      value: (performance.now() - again) / 1_000,
      unit: "s",
    },
  ];
}

async function largeReadout({ person, appliance, note, signal }: Where): Promise<Figure[]> {
  note(`one readout of ${readCount} nodes`);
  const things = createThings({ connection: person.session, inbox: person.inbox });
  const refs = Array.from({ length: readCount }, (_, at) => meterRef(at));
  const first: number[] = [];
  const whole: number[] = [];
  for (let round = 0; round < 3; round++) {
    const began = performance.now();
    const seen = new Set<string>();
    for await (const reading of things.read(appliance, refs, {}, signal)) {
      if (seen.size === 0) first.push(performance.now() - began);
      seen.add(reading.node.nodeId);
    }
    whole.push(performance.now() - began);
    if (seen.size !== readCount) throw new Error(`${seen.size} of ${readCount} nodes answered`);
  }
  const middle = (all: number[]) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN;
  return [
    {
      name: "concentrator.readout.first",
      text: `readout of ${readCount} nodes: first values`,
      value: middle(first),
      unit: "ms",
    },
    {
      name: "concentrator.readout",
      text: `readout of ${readCount} nodes: all values`,
      value: middle(whole) / 1_000,
      unit: "s",
    },
  ];
}

/** Milliseconds, after one round that does not count. */
async function median(rounds: number, work: () => Promise<void>): Promise<number> {
  await work();
  const took: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    await work();
    took.push(performance.now() - began);
  }
  return took.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? Number.NaN;
}
