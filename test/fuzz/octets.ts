// Octets for the fuzzer, made from a seed alone: the same seed, decoder and number of the run give the same octets on every
// machine. Some are plain random, most are recorded ones with something done to them, as lines, noise and mischief do it.

/** Numbers from a seed (the generator is Mulberry32). */
export interface Random {
  /** 0 … limit - 1 */
  below(limit: number): number;
  pick<T>(some: readonly T[]): T;
  octets(length: number): Uint8Array;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number) => next() % limit;
  return {
    below,
    pick: some => some[below(some.length)] as (typeof some)[number],
    octets: length => Uint8Array.from({ length }, () => below(256)),
  };
}

/** The seed of one run: neighbours have nothing in common. */
export function seedOf(seed: number, decoder: string, run: number): number {
  let mixed = seed | 0;
  for (const letter of `${decoder}/${run}`) mixed = Math.imul(mixed ^ letter.charCodeAt(0), 0x01000193);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

const longest = 600;

/** One case. `corpus` are octets that mean something to the decoder. */
export function makeOctets(random: Random, corpus: readonly Uint8Array[]): Uint8Array {
  const kind = random.below(8);
  if (corpus.length === 0 || kind === 0) return random.octets(random.below(random.pick([8, 32, 300, longest])));
  let octets: Uint8Array = random.pick(corpus).slice();
  for (let changes = random.below(4); changes >= 0; changes--) octets = mutated(octets, random, corpus);
  return octets.subarray(0, longest);
}

/** Octets that decoders look twice at: ends of ranges, extension bits, starts and stops of frames. */
const telling = [0, 1, 0x0f, 0x10, 0x16, 0x1f, 0x2f, 0x68, 0x7f, 0x80, 0xe5, 0xf0, 0xfd, 0xfe, 0xff, 0x3c, 0x7b, 0x22];

function mutated(octets: Uint8Array, random: Random, corpus: readonly Uint8Array[]): Uint8Array {
  const at = random.below(octets.length + 1);
  const length = random.below(Math.min(16, octets.length) + 1);
  switch (random.below(8)) {
    case 0:
      return changed(octets, at, one => one ^ (1 << random.below(8)));
    case 1:
      return changed(octets, at, () => random.pick(telling));
    case 2:
      return changed(octets, at, () => random.below(256));
    case 3:
      return joined(octets.subarray(0, at), octets.subarray(at + length));
    case 4:
      return joined(octets.subarray(0, at), random.octets(length), octets.subarray(at));
    case 5:
      return joined(octets.subarray(0, at), octets.subarray(at, at + length), octets.subarray(at));
    case 6:
      return octets.subarray(0, at);
    default: {
      const other = random.pick(corpus);
      return joined(octets.subarray(0, at), other.subarray(random.below(other.length + 1)));
    }
  }
}

function changed(octets: Uint8Array, at: number, how: (octet: number) => number): Uint8Array {
  const copy = octets.slice();
  const place = Math.min(at, copy.length - 1);
  if (place >= 0) copy[place] = how(copy[place] as number);
  return copy;
}

const joined = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap(part => [...part]));

/** The octets in pieces of any size. */
export function pieces(octets: Uint8Array, random: Random): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let at = 0; at < octets.length; ) {
    const next = at + 1 + random.below(random.pick([2, 8, 300]));
    all.push(octets.subarray(at, next));
    at = next;
  }
  return all;
}
