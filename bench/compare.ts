// Round trips beside bare echoes of the same bytes over the same kind of connection, turn and turn about: what is left between
// them is ours, whatever the machine and the broker cost.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Element } from "#xml/element.ts";
import type { ComponentOptions } from "#xmpp/component.ts";
import type { EchoOrder } from "./echo-program.ts";
import { type Figure, percentile } from "./figures.ts";
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
  return start(scene, { login, answer }, signal);
}

/** A component of the same broker that does so. */
export const startComponentEcho = (
  scene: Scene,
  component: ComponentOptions,
  answer: Element,
  signal: AbortSignal,
): Promise<Echo> => start(scene, { component, answer }, signal);

async function start(scene: Scene, order: EchoOrder, signal: AbortSignal): Promise<Echo> {
  const file = join(scene.folder, "echo.json");
  writeFileSync(file, JSON.stringify(order), { mode: 0o600 });
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

/** What is compared, and by how much of the bare echo's rate it has to do. */
export interface Compared {
  /** Before the names of its figures: "readout". */
  readonly bench: string;
  /** "readout", "getNode". */
  readonly kind: string;
  readonly atLeast: number;
}

/** `name` and `text`: of the way it was measured, "sequential" and "one after the other". */
export function comparison(
  { bench, kind, atLeast }: Compared,
  name: string,
  text: string,
  { read, echo }: { read: Run; echo: Run },
): Figure[] {
  const of = (who: string, what: string, { perSecond, took, answererMs, brokerMs }: Run): Figure[] => {
    const one = (of: string, more: string, value: number, unit: string): Figure => ({
      name: `${bench}.${who}.${name}.${of}`,
      text: `${what}, ${text}${more}`,
      value,
      unit,
    });
    return [
      one("rate", "", perSecond, "/s"),
      one("p50", ": p50", percentile(took, 0.5), "ms"),
      one("p99", ": p99", percentile(took, 0.99), "ms"),
      one("processor", ": processor", answererMs, "ms"),
      one("broker", ": broker's processor", brokerMs, "ms"),
    ];
  };
  return [
    ...of(kind, kind, read),
    ...of("echo", "bare echo", echo),
    {
      name: `${bench}.${kind}.${name}.ratio`,
      text: `${kind} : echo, ${text}`,
      value: read.perSecond / echo.perSecond,
      unit: "",
      target: { atLeast },
    },
  ];
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
