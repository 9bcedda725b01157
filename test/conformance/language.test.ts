// Which language somebody is spoken to in, long after he asked.

import { expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import { createLanguages } from "#contract/language.ts";
import { createEvents } from "#iot/events.ts";
import { response } from "#iot/sensor-data.wire.ts";
import { parse } from "#xml/parser.ts";
import { owner, scene } from "../concentrator/scene.ts";
import { createBench } from "../xmpp/iot/face-bench.ts";

it("COM-LANG-03: a subscription speaks the language of its last renewal", async () => {
  const bench = createBench();
  const house = scene({ clock: bench.clock });
  house.plans.set("mute", async () => ({}));
  house.add("test.device", "mute", { plan: "mute" });
  await house.start();
  const text = "This node has no values of its own.";
  const events = createEvents({
    concentrator: house.concentrator,
    send: bench.send,
    languages: createLanguages({ sv: { [text]: "Noden har inga egna värden." }, de: { [text]: "Kein eigener Wert." } }),
    clock: bench.clock,
    log: silentLog,
    signal: bench.stop.signal,
  });
  const ask = bench.serve(events.routes);
  const toldAfter = async (tag: string) => {
    bench.sent.length = 0;
    const subscribe = `<subscribe xmlns='urn:nf:iot:events:1.0' id='s' m='true' req='true' xml:lang='${tag}'><nd id='mute'/></subscribe>`;
    expect(await ask("set", subscribe, `${owner}/phone`)).toContain("<accepted ");
    await bench.clock.advance(2_000);
    const said = bench.sent.map(({ payload }) => parse(payload)).filter(one => one.name === "resp");
    return said.flatMap(one =>
      response.decode(one).nodes.flatMap(node => node.samples.flatMap(({ errors }) => errors)),
    );
  };
  expect(await toldAfter("sv-FI")).toEqual(["Noden har inga egna värden."]);
  expect(await toldAfter("de")).toEqual(["Kein eigener Wert."]);
  expect(await toldAfter("en")).toEqual([text]);
  expect(events.active).toBe(1);
  bench.stop.abort();
  await house.stop();
});
