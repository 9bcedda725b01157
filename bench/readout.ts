// What a readout costs: round trips through Prosody to the appliance and back, twenty fields each, beside round trips of the
// same bytes to a bare client that answers at once; one after the other, and with 128 under way.

import { allCategories } from "#contract/field.ts";
import { meteringTopology, type NodeRef } from "#contract/node.ts";
import { namespace } from "#iot/generations.ts";
import * as sensor from "#iot/sensor-data.wire.ts";
import type { Element } from "#xml/element.ts";
import { formattedBytes } from "#xml/size.ts";
import { compare, comparison, startEcho } from "./compare.ts";
import type { Figure } from "./figures.ts";
import { createScene, type Person, type Scene, until } from "./scene.ts";

/** One person may have twenty readouts at once: the 128 come from eight people with sixteen each. */
const people = 8;
const eachAtOnce = 16;
const ns = namespace("sensorData", "nf");

export async function readoutFigures(note: (text: string) => void, signal: AbortSignal): Promise<Figure[]> {
  await using scene = await createScene(signal);
  note("starting the registry, the appliance and eight owners");
  const { askers, pid } = await startReadouts(scene, signal);
  const sample = await askers[0]?.read();
  if (sample === undefined) throw new Error("the appliance answers nothing");
  const fields = sample.children
    .flatMap(node => (typeof node === "string" ? [] : node.children))
    .flatMap(ts => (typeof ts === "string" ? [] : ts.children)).length;
  if (fields !== 20)
    throw new Error(`the appliance answers with ${fields} fields: ${JSON.stringify(sample).slice(0, 300)}`);
  const echo = await startEcho(scene, sample, signal);
  for (const asker of askers) asker.echoJid = echo.jid;
  const pids = { read: pid, echo: echo.pid, broker: () => scene.prosody.pid() };
  const echoed = await askers[0]?.echo();
  if (echoed === undefined || formattedBytes(echoed) !== formattedBytes(sample))
    throw new Error("the echo is of another size");
  note(`an answer has ${formattedBytes(sample)} bytes`);

  const compared = { bench: "readout", kind: "readout", atLeast: 0.6 };
  const one = askers[0] as Asker;
  note("one after the other");
  const sequential = await compare([one.read], [one.echo], pids, signal);
  note(`${people * eachAtOnce} under way`);
  const crowd = (kind: "read" | "echo") =>
    askers.flatMap(asker => Array.from({ length: eachAtOnce }, () => asker[kind]));
  const parallel = await compare(crowd("read"), crowd("echo"), pids, signal);
  return [
    { name: "readout.bytes", text: "answer of twenty fields", value: formattedBytes(sample), unit: "bytes" },
    ...comparison(compared, "sequential", "one after the other", sequential),
    ...comparison(compared, "parallel", `${people * eachAtOnce} under way`, parallel),
  ];
}

interface Asker {
  /** One round trip; resolves with the answer. */
  readonly read: () => Promise<Element>;
  readonly echo: () => Promise<Element>;
}

interface Partner extends Asker {
  echoJid: string;
}

async function startReadouts(scene: Scene, signal: AbortSignal): Promise<{ askers: Partner[]; pid: number }> {
  await scene.startRegistry();
  const nodes = Array.from({ length: people }, (_, at) => ({
    type: "sim.meter",
    id: `meter-${at}`,
    settings: { fields: 20 },
  }));
  const edge = scene.edge("edge", JSON.stringify({ nodes }));
  const { child } = await edge.start();
  const status = await until(
    "every meter registered",
    async () => {
      const found = await edge.status();
      const things = found.nodes.filter(node => node.ref.nodeId.startsWith("meter-"));
      return things.length === people && things.every(one => one.thing?.uri !== undefined) && found;
    },
    signal,
  );
  const appliance = status.connection.jid.split("/")[0] ?? "";
  const askers = await Promise.all(
    nodes.map(async ({ id }, at) => {
      const person = await scene.connect(`owner-${at}`);
      const uri = status.nodes.find(node => node.ref.nodeId === id)?.thing?.uri ?? "";
      await person.owner.claim(uri, true, signal);
      await until(
        "the claim known",
        async () => (await edge.status()).nodes.some(node => node.ref.nodeId === id && node.thing?.owner !== undefined),
        signal,
      );
      return partnerOf(person, await person.meet(appliance), { nodeId: id, sourceId: meteringTopology, partition: "" });
    }),
  );
  return { askers, pid: child.pid };
}

function partnerOf({ session }: Person, appliance: string, node: NodeRef): Partner {
  let count = 0;
  const request = (): Element =>
    sensor.request.encode(
      {
        // Always as long: the bytes shall be the same.
        id: `r${String(count++).padStart(9, "0")}`,
        categories: allCategories,
        from: undefined,
        to: undefined,
        when: undefined,
        tokens: { service: [], device: [], user: [] },
        nodes: [node],
        names: [],
      },
      ns,
    );
  const ask = async (to: string): Promise<Element> => {
    const reply = await session.request("get", to, request());
    if (reply?.name !== "resp" || reply.attrs.more === "true") {
      throw new Error(`the answer is no whole readout: ${JSON.stringify(reply).slice(0, 300)}`);
    }
    return reply;
  };
  const partner: Partner = { echoJid: "", read: () => ask(appliance), echo: () => ask(partner.echoJid) };
  return partner;
}
