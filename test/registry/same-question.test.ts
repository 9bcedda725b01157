// The same question many times at once, while its owner comes and goes, lists what he owns and the service itself is started
// anew: in whatever order all that happens, a question goes out as often as the rules of reminding say, and not once more.

import fc from "fast-check";
import { expect, it } from "vitest";
import { elements } from "#xml/element.ts";
import {
  ana,
  anaFull,
  canRead,
  claimedMeter,
  gatewayFull,
  meter,
  openPipe,
  owning,
  type Pipe,
  provisioning,
} from "./pipe.ts";

/** How often each question went to the owner, by its key. */
function sendings(pipe: Pipe): Map<string, number> {
  const times = new Map<string, number>();
  for (const message of pipe.messagesTo(ana)) {
    const key = elements(message).find(({ ns }) => ns === owning)?.attrs.key;
    if (key !== undefined) times.set(key, (times.get(key) ?? 0) + 1);
  }
  return times;
}
const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve));
};
const ask = (pipe: Pipe, caller: string, inner = "") =>
  pipe.start(
    "get",
    gatewayFull,
    `<canRead xmlns='${provisioning}' jid='${caller}' m='true'><nd ${meter}/>${inner}</canRead>`,
  );

it("PROVO-Q-07: asked again while the first is on its way to the owner, it is one question and one message", async () => {
  await using pipe = await openPipe();
  await claimedMeter(pipe);
  for (let wait = 0; wait < 12; wait++) {
    const caller = `caller-${wait}@hub.example`;
    const first = ask(pipe, caller);
    await turns(wait);
    await Promise.all([first, ask(pipe, caller), ask(pipe, caller)]);
    await pipe.clock.advance(3_600_000);
  }
  expect([...sendings(pipe).values()]).toEqual(Array(10).fill(1));
});

it("PROVO-Q-07: what is added before it goes out is in it; what comes later is not, and the key stands for what was shown", async () => {
  await using pipe = await openPipe();
  await claimedMeter(pipe);
  for (let wait = 0; wait < 12; wait++) {
    const caller = `caller-${wait}@hub.example`;
    const first = ask(pipe, caller, "<f n='A'/>");
    await turns(wait);
    await Promise.all([first, ask(pipe, caller, "<f n='B'/>")]);
    await pipe.clock.advance(3_600_000);
    const shown = pipe
      .messagesTo(ana)
      .flatMap(one => elements(one))
      .filter(({ attrs }) => attrs.remoteJid === caller);
    if (shown.length === 0) break;
    expect(shown).toHaveLength(1);
    const names = elements(shown[0] as (typeof shown)[0]).filter(({ name }) => name === "f");
    const kept = await pipe.store.question(shown[0]?.attrs.key ?? "");
    expect(names.map(({ attrs }) => attrs.n)).toEqual(kept?.names);
  }
  expect(sendings(pipe).size).toBe(10);
});

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("ask" as const), caller: fc.nat(2), turns: fc.nat(6) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom("comes" as const, "goes" as const), at: fc.nat(2), turns: fc.nat(6) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("link" as const, "restart" as const), turns: fc.nat(6) }) },
);

it("PROVO-Q-06, PROVO-Q-07: however asking, presence, links and restarts interleave, each question goes out once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 30 }), async steps => {
      await using pipe = await openPipe();
      await claimedMeter(pipe);
      await pipe.comesOnline(anaFull);
      const asked = new Set<string>();
      for (const one of steps) {
        if (one.kind === "ask") {
          asked.add(`caller-${one.caller}@hub.example`);
          void ask(pipe, `caller-${one.caller}@hub.example`);
        } else if ("at" in one) {
          void pipe.presence(`${ana}/${one.at}`, one.kind === "comes" ? undefined : "unavailable");
        } else if (one.kind === "link") {
          pipe.registry.inbound.offline("cut");
          pipe.registry.inbound.online("reg.hub.example", false);
        } else {
          // What nobody was answered may be lost, and what is not kept as sent may come again: neither is a fault.
          await pipe.settle();
          await pipe.restart();
        }
        await turns(one.turns);
      }
      await pipe.settle();
      expect([...sendings(pipe).values()]).toEqual([...asked].map(() => 1));
    }),
    { numRuns: 30 },
  );
});

it("PROVO-Q-06: a list that is asked for while a question goes out brings the open ones, none of them twice at once", async () => {
  await using pipe = await openPipe();
  await claimedMeter(pipe);
  const list = () => pipe.start("get", anaFull, `<getDevices xmlns='${owning}' offset='0' maxCount='10'/>`);
  for (let wait = 0; wait < 8; wait++) {
    const caller = `caller-${wait}@hub.example`;
    const before = sendings(pipe).size;
    void ask(pipe, caller);
    await turns(wait);
    await Promise.all([list(), list()]);
    await pipe.clock.advance(10_000);
    expect(sendings(pipe).size).toBe(before + 1);
    const key = [...sendings(pipe).keys()].at(-1) as string;
    // Once as it is asked; each list that comes after that may bring it again.
    expect(sendings(pipe).get(key)).toBeLessThanOrEqual(3);
    await pipe.iq(
      "set",
      anaFull,
      `<canReadRule xmlns='${owning}' jid='gw9@hub.example' remoteJid='${caller}' key='${key}' result='false'><fromJid/></canReadRule>`,
    );
    await pipe.clock.advance(3_600_000);
  }
});

it("an owner whose rate is used up is asked what is left later, each once", async () => {
  await using pipe = await openPipe();
  await claimedMeter(pipe);
  for (let one = 0; one < 8; one++) await canRead(pipe, `<nd ${meter}/>`, `caller-${one}@hub.example`);
  await Promise.all([0, 1, 2].map(() => pipe.clock.advance(0)));
  expect([...sendings(pipe).values()]).toEqual(Array(8).fill(1));
});
