// What a reply that is remembered keeps in memory: itself, and nothing of the request it answered.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { element } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { createReplays } from "#xmpp/replays.ts";
import { manualClock } from "../support/manual-clock.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const heapBytes = async () => {
  for (let turn = 0; turn < 3; turn++) {
    collect();
    await new Promise(resolve => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
};

it("COM-STZ-12, DISCO-KEY-02: a remembered reply does not hold on to the text of its request, nor to a KEY in it", async () => {
  const replays = createReplays({ clock: manualClock(), replayMs: 60_000, replaysMax: 10_000 });
  const ask = (n: number) => {
    const text = `<iq xmlns='jabber:client' from='gateway-${n}@hub.example/edge' id='a-long-identifier-${n}'><register xmlns='urn:nf:iot:disco:1.0'>${`${n} `.padEnd(50_000, "k")}</register></iq>`;
    const stanza = parse(text);
    const { id = "", from = "" } = stanza.attrs;
    // As the router answers: name, namespace and addresses are those that came in.
    return replays.once(from, id, stanza, async () =>
      element(stanza.name, stanza.ns, { id, to: from, type: "result" }),
    );
  };
  await ask(0);
  const before = await heapBytes();
  for (let n = 1; n <= 400; n++) await ask(n);
  expect((await heapBytes()) - before).toBeLessThan(5_000_000);
  // And it is the same reply.
  expect((await ask(400)).attrs).toEqual({
    id: "a-long-identifier-400",
    to: "gateway-400@hub.example/edge",
    type: "result",
  });
});
