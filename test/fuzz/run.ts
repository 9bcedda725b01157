// Runs of a decoder: each from its own seed, so that any of them can be repeated alone.

import { check, type Decoder } from "./decoder.ts";
import { mbusDecoders } from "./mbus.ts";
import { modbusDecoders } from "./modbus.ts";
import { createRandom, makeOctets, seedOf } from "./octets.ts";
import { otherDecoders } from "./others.ts";

export const decoders: readonly Decoder[] = [...mbusDecoders, ...modbusDecoders, ...otherDecoders];

export interface Failure {
  readonly decoder: string;
  readonly seed: number;
  readonly run: number;
  readonly hex: string;
  readonly why: string;
}

/** The first run that fails, of those from `first` to before `end`; `told` is called before each. */
export function runsOf(
  decoder: Decoder,
  seed: number,
  first: number,
  end: number,
  told: (run: number) => void = () => {},
): Failure | undefined {
  const corpus = decoder.corpus();
  for (let run = first; run < end; run++) {
    told(run);
    const random = createRandom(seedOf(seed, decoder.name, run));
    const octets = makeOctets(random, corpus);
    try {
      check(decoder, octets, random);
    } catch (error) {
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { decoder: decoder.name, seed, run, hex: Buffer.from(octets).toString("hex").toUpperCase(), why };
    }
  }
  return undefined;
}

export const formatFailure = ({ decoder, seed, run, hex, why }: Failure): string =>
  `${decoder}: ${why}\n  octets ${hex || "(none)"}\n  again with: npm run fuzz -- ${decoder} --seed ${seed} --first ${run} --runs 1`;
