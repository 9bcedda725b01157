// The planner: wanted points to block reads. Neighbours are joined within the device's limits; a value is never split over two
// reads, because a counter read in halves can tear. Pure.

export interface Span {
  readonly address: number;
  /** Registers, or bits for coils and inputs. */
  readonly words: number;
}

export interface PlanLimits {
  /** Registers (or bits) in one read. */
  readonly wordsMax: number;
  /** Unwanted registers that may be read along between two wanted ones. 0: never read what nobody asked for. */
  readonly gapMax: number;
  /** Spans the device is known to refuse: never read across. */
  readonly holes?: readonly Span[];
  /** Addresses at which a new read must begin, learnt from refusals. */
  readonly cuts?: ReadonlySet<number>;
}

export interface Block<P extends Span> {
  readonly address: number;
  readonly quantity: number;
  readonly points: readonly P[];
}

/** Throws `RangeError` for a point wider than a read may be: the map is to be refused. Points may come in any order. */
export function plan<P extends Span>(points: readonly P[], limits: PlanLimits): Block<P>[] {
  const sorted = points.toSorted((a, b) => a.address - b.address || a.words - b.words);
  const blocks: { address: number; quantity: number; points: P[] }[] = [];
  for (const point of sorted) {
    if (point.words > limits.wordsMax) {
      throw new RangeError(`${point.words} registers at ${point.address} exceed the ${limits.wordsMax} of one read`);
    }
    const last = blocks.at(-1);
    if (last && joins(last.address, last.address + last.quantity, point, limits)) {
      last.quantity = Math.max(last.quantity, point.address + point.words - last.address);
      last.points.push(point);
    } else {
      blocks.push({ address: point.address, quantity: point.words, points: [point] });
    }
  }
  return blocks;
}

function joins(begin: number, end: number, point: Span, limits: PlanLimits): boolean {
  if (limits.cuts?.has(point.address)) return false;
  if (point.address - end > limits.gapMax) return false;
  if (point.address + point.words - begin > limits.wordsMax) return false;
  return !limits.holes?.some(hole => hole.address < point.address && hole.address + hole.words > end);
}
