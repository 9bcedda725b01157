// `npm run fuzz [DECODER...] [--seed N] [--first N] [--runs N] [--seconds N]`: throws random and damaged octets at every decoder,
// in turns, until it is stopped or something fails. What fails is printed with its octets and with how to repeat it.

import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { createRandom, makeOctets, seedOf } from "./octets.ts";
import { decoders, type Failure, formatFailure } from "./run.ts";
import type { Job } from "./worker.ts";

/** Runs of one turn; and how long a single run may take before it counts as endless. */
const turnRuns = 10_000;
const endlessMs = 20_000;

const usage = `npm run fuzz -- [DECODER...] [--seed N] [--first N] [--runs N] [--seconds N]
  decoders: ${decoders.map(({ name }) => name).join(", ")}; all unless said
  --seed     other octets; today's number unless said
  --first    the run to begin with, to repeat one
  --runs     so many for each decoder; without end unless said
  --seconds  stop after so long`;

process.exitCode = await main(process.argv.slice(2));

interface Orders {
  readonly names: readonly string[];
  readonly seed: number;
  readonly first: number;
  readonly runs: number;
  readonly seconds: number;
}

async function main(args: string[]): Promise<number> {
  const orders = ordersOf(args);
  if (typeof orders === "string") {
    console.error(orders === "" ? usage : `${orders}\n${usage}`);
    return orders === "" ? 0 : 2;
  }
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  const began = performance.now();
  const over = () => stop.signal.aborted || performance.now() - began >= orders.seconds * 1_000;
  console.log(`seed ${orders.seed}`);

  const spent = new Map(orders.names.map(name => [name, { runs: 0, ms: 0 }]));
  const failures: Failure[] = [];
  const thread = createThread();
  for (let first = orders.first, end = orders.first + orders.runs; first < end && !over(); first += turnRuns) {
    for (const name of orders.names.filter(one => !failures.some(({ decoder }) => decoder === one))) {
      if (over()) break;
      const turn = performance.now();
      const job = { decoder: name, seed: orders.seed, first, end: Math.min(first + turnRuns, end) };
      const failure = await thread.run(job);
      const sum = spent.get(name);
      if (sum !== undefined) {
        sum.ms += performance.now() - turn;
        sum.runs += failure === undefined ? job.end - job.first : failure.run - job.first + 1;
      }
      if (failure === undefined) continue;
      failures.push(failure);
      console.error(formatFailure(failure));
    }
    if (failures.length === orders.names.length) break;
  }
  await thread.end();
  for (const [name, { runs, ms }] of spent) {
    const pace = ms > 0 ? `, ${Math.round((runs / ms) * 1_000)} a second` : "";
    console.log(
      `${name.padEnd(20)} ${runs} runs${pace}${failures.some(one => one.decoder === name) ? ", FAILED" : ""}`,
    );
  }
  return failures.length > 0 ? 1 : 0;
}

/** What is wrong with the words; "" when help was asked for. */
function ordersOf(args: string[]): Orders | string {
  let parsed: ReturnType<typeof parseArgs>;
  try {
    const number = { type: "string" } as const;
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: { seed: number, first: number, runs: number, seconds: number, help: { type: "boolean" } },
    });
  } catch (error) {
    return (error as Error).message;
  }
  if (parsed.values.help === true) return "";
  const known = decoders.map(({ name }) => name);
  const unknown = parsed.positionals.find(name => !known.includes(name));
  if (unknown !== undefined) return `There is no decoder "${unknown}".`;
  const wrong = ["seed", "first", "runs", "seconds"].find(
    name => !/^\d{0,15}$/.test(String(parsed.values[name] ?? "")),
  );
  if (wrong !== undefined) return `--${wrong} is a whole number.`;
  const number = (name: string, otherwise: number) => Number(parsed.values[name] ?? otherwise);
  return {
    names: parsed.positionals.length > 0 ? parsed.positionals : known,
    seed: number("seed", Math.floor(Date.now() / 86_400_000)),
    first: number("first", 0),
    runs: number("runs", Number.POSITIVE_INFINITY),
    seconds: number("seconds", Number.POSITIVE_INFINITY),
  };
}

/** A thread that decodes, watched: a run that does not end is a failure like any other, and the thread is replaced. */
function createThread() {
  const progress = new SharedArrayBuffer(4);
  const at = new Int32Array(progress);
  let current = Promise.withResolvers<Failure | undefined>();
  const start = () => {
    const made = new Worker(new URL("./worker.ts", import.meta.url), { workerData: { progress } });
    made.on("message", (failure: Failure | undefined) => current.resolve(failure));
    made.on("error", error => current.reject(error));
    return made;
  };
  let worker = start();

  const endless = ({ decoder: name, seed }: Job, run: number): Failure => {
    const random = createRandom(seedOf(seed, name, run));
    const octets = makeOctets(random, decoders.find(one => one.name === name)?.corpus() ?? []);
    const hex = Buffer.from(octets).toString("hex").toUpperCase();
    return { decoder: name, seed, run, hex, why: `does not end within ${endlessMs / 1_000} s` };
  };

  return {
    async run(job: Job): Promise<Failure | undefined> {
      current = Promise.withResolvers<Failure | undefined>();
      worker.postMessage(job);
      let last = -1;
      const watch = setInterval(() => {
        const run = Atomics.load(at, 0);
        if (run !== last) {
          last = run;
          return;
        }
        void worker.terminate();
        worker = start();
        current.resolve(endless(job, run));
      }, endlessMs);
      try {
        return await current.promise;
      } finally {
        clearInterval(watch);
      }
    },
    end: () => worker.terminate(),
  };
}
