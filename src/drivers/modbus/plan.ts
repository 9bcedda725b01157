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
  /** Reads begin at multiples of this and do not go beyond the next one, whatever lies between; 0 or undefined: anywhere. */
  readonly align?: number;
}

export interface Block<P extends Span> {
  readonly address: number;
  readonly quantity: number;
  readonly points: readonly P[];
}

/** Why no single read can hold this value, which is why its map is to be refused; undefined when one can. */
export function misfit({ address, words }: Span, { wordsMax, align = 0 }: PlanLimits): string | undefined {
  if (words > wordsMax) return `${words} registers at ${address} exceed the ${wordsMax} of one read`;
  if (align === 0) return undefined;
  const begin = blockBegin(address, align);
  if (address + words - begin > Math.min(align, wordsMax)) {
    return `${words} registers at ${address} do not lie within one read of ${align} from ${begin}`;
  }
  return undefined;
}

/** Throws `RangeError` for a point that does not fit: the map is to be refused. Points may come in any order. */
export function plan<P extends Span>(points: readonly P[], limits: PlanLimits): Block<P>[] {
  const { align = 0 } = limits;
  const sorted = points.toSorted((a, b) => a.address - b.address || a.words - b.words);
  const blocks: { address: number; quantity: number; points: P[] }[] = [];
  for (const point of sorted) {
    const fault = misfit(point, limits);
    if (fault !== undefined) throw new RangeError(fault);
    const last = blocks.at(-1);
    const end = point.address + point.words;
    if (last && joins(last.address, last.address + last.quantity, point, limits)) {
      last.quantity = Math.max(last.quantity, end - last.address);
      last.points.push(point);
    } else {
      const address = align === 0 ? point.address : blockBegin(point.address, align);
      blocks.push({ address, quantity: end - address, points: [point] });
    }
  }
  return blocks;
}

const blockBegin = (address: number, align: number): number => address - (address % align);

function joins(begin: number, end: number, point: Span, limits: PlanLimits): boolean {
  const { align = 0, cuts, gapMax, holes, wordsMax } = limits;
  if (cuts?.has(point.address)) return false;
  if (align > 0 ? point.address + point.words > begin + align : point.address - end > gapMax) return false;
  if (point.address + point.words - begin > wordsMax) return false;
  // Only what lies between is read along; a register that both want is there.
  if (point.address <= end) return true;
  return !holes?.some(hole => hole.address < point.address && hole.address + hole.words > end);
}
