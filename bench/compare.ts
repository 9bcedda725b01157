// Round trips beside bare echoes of the same bytes over the same kind of connection, turn and turn about: what is left between
// them is ours, whatever the machine and the broker cost.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Element } from "#xml/element.ts";
import type { EchoOrder } from "./echo-program.ts";
import { processorMs, type Scene, startProgram } from "./scene.ts";

const rounds = 20;
const roundMs = 500;
const warmUpMs = 1_500;

export interface Echo {
  readonly jid: string;
  readonly pid: number;
}

/** A client of its own that answers every question with this. */
export async function startEcho(scene: Scene, answer: Element, signal: AbortSignal): Promise<Echo> {
  await scene.prosody.register("echo", "echo-password");
  const login = { name: "echo", password: "echo-password", port: scene.prosody.ports.tls, ca: scene.ca };
  const file = join(scene.folder, "echo.json");
  writeFileSync(file, JSON.stringify({ login, answer } satisfies EchoOrder), { mode: 0o600 });
  const { child } = await startProgram("the echo", ["bench/echo-program.ts", file], signal);
  scene.use(child);
  const jid = /ready jid=(\S+)/.exec(child.output())?.[1];
  if (jid === undefined) throw new Error("the echo did not say its JID");
  return { jid, pid: child.pid };
}

/** Who works for a round trip. */
export interface Pids {
  readonly read: number;
  readonly echo: number;
  broker(): number;
}

export interface Run {
  readonly perSecond: number;
  readonly took: Float64Array;
  /** Milliseconds of processor time a round trip: of who answers, and of the broker. */
  readonly answererMs: number;
  readonly brokerMs: number;
}

/** Turn and turn about, so that whatever else the machine does meets both. */
export async function compare(
  read: readonly (() => Promise<Element>)[],
  echo: readonly (() => Promise<Element>)[],
  pids: Pids,
  signal: AbortSignal,
): Promise<{ read: Run; echo: Run }> {
  await run(read, warmUpMs, signal);
  await run(echo, warmUpMs, signal);
  const took: { read: number[]; echo: number[] } = { read: [], echo: [] };
  const spent = { read: 0, echo: 0 };
  const answerer = { read: 0, echo: 0 };
  const broker = { read: 0, echo: 0 };
  for (let round = 0; round < rounds; round++) {
    for (const [kind, askers] of [
      ["read", read],
      ["echo", echo],
    ] as const) {
      const began = performance.now();
      const [answererBefore, brokerBefore] = [processorMs(pids[kind]), processorMs(pids.broker())];
      took[kind].push(...(await run(askers, roundMs, signal)));
      spent[kind] += performance.now() - began;
      answerer[kind] += processorMs(pids[kind]) - answererBefore;
      broker[kind] += processorMs(pids.broker()) - brokerBefore;
    }
  }
  const result = (kind: "read" | "echo"): Run => ({
    perSecond: (took[kind].length / spent[kind]) * 1_000,
    took: Float64Array.from(took[kind]),
    answererMs: answerer[kind] / took[kind].length,
    brokerMs: broker[kind] / took[kind].length,
  });
  return { read: result("read"), echo: result("echo") };
}

/** Each asker asks again as soon as he is answered. Milliseconds of every round trip. */
async function run(askers: readonly (() => Promise<Element>)[], ms: number, signal: AbortSignal): Promise<number[]> {
  const until = performance.now() + ms;
  const took: number[] = [];
  await Promise.all(
    askers.map(async ask => {
      while (performance.now() < until) {
        const began = performance.now();
        await ask();
        took.push(performance.now() - began);
        signal.throwIfAborted();
      }
    }),
  );
  return took;
}
