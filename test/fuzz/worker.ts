// The part of `npm run fuzz` that decodes: in a thread of its own, so that a decoder that never ends can be seen and stopped.

import { parentPort, workerData } from "node:worker_threads";
import { decoders, runsOf } from "./run.ts";

export interface Job {
  readonly decoder: string;
  readonly seed: number;
  readonly first: number;
  readonly end: number;
}

const { progress } = workerData as { progress: SharedArrayBuffer };
const at = new Int32Array(progress);

parentPort?.on("message", ({ decoder: name, seed, first, end }: Job) => {
  const decoder = decoders.find(one => one.name === name);
  if (decoder === undefined) throw new Error(`there is no decoder "${name}"`);
  parentPort?.postMessage(runsOf(decoder, seed, first, end, run => Atomics.store(at, 0, run)));
});
