// Things that strangers may find, in memory, in the order of their registration: which they are, and the values of the tags
// that are searched for often, as columns. A million things with ten such tags take some seventy megabytes; looking through
// them all takes milliseconds. The truth is in the file; this follows each commit.

import { searchBlockRows } from "#limits.ts";

/** Things that follow each other, with the values of their tags at the same places. */
export interface Block {
  readonly ids: Float64Array;
  count: number;
  readonly columns: Map<number, Column>;
}

/** Of one tag: the number of its text, 0 where there is none; or its value, NaN where there is none. */
export interface Column {
  terms: Uint32Array | undefined;
  nums: Float64Array | undefined;
}

/** What a thing has of one tag. */
export interface Cell {
  readonly name: number;
  readonly term: number | null;
  readonly num: number | null;
}

export interface Listing {
  /** The blocks in order; a block may be split or emptied between two turns of the event loop. */
  after(id: number): Block | undefined;
  /** Lists the thing with these tags, or with others than before. */
  put(id: number, cells: readonly Cell[]): void;
  drop(id: number): void;
  /** Names that have columns. */
  readonly names: ReadonlySet<number>;
  addName(name: number): void;
  dropName(name: number): void;
  /** Sets one value; does nothing when the thing is not listed. */
  set(id: number, cell: Cell): void;
  readonly size: number;
}

/** `rows`: of one block. */
export function createListing(rows: number = searchBlockRows): Listing {
  const blocks: Block[] = [];
  const names = new Set<number>();
  let size = 0;

  const emptyBlock = (): Block => ({ ids: new Float64Array(rows), count: 0, columns: new Map() });
  const emptyNums = () => new Float64Array(rows).fill(Number.NaN);

  /** The last block that begins at or before that id; -1 when all begin later. */
  const blockAt = (id: number): number => {
    let [low, high] = [0, blocks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((blocks[middle]?.ids[0] ?? 0) <= id) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };
  const find = (id: number): { block: Block; at: number } | undefined => {
    const block = blocks[blockAt(id)];
    if (block === undefined) return undefined;
    const at = placeIn(block, id);
    return at < block.count && block.ids[at] === id ? { block, at } : undefined;
  };
  const write = (block: Block, at: number, cells: readonly Cell[]) => {
    for (const { terms, nums } of block.columns.values()) {
      if (terms !== undefined) terms[at] = 0;
      if (nums !== undefined) nums[at] = Number.NaN;
    }
    for (const cell of cells) if (names.has(cell.name)) writeCell(block, at, cell);
  };
  const writeCell = (block: Block, at: number, { name, term, num }: Cell) => {
    let column = block.columns.get(name);
    if (column === undefined) block.columns.set(name, (column = { terms: undefined, nums: undefined }));
    // Most tags are always texts, or always numbers.
    if (term !== null) column.terms ??= new Uint32Array(rows);
    if (num !== null) column.nums ??= emptyNums();
    if (column.terms !== undefined) column.terms[at] = term ?? 0;
    if (column.nums !== undefined) column.nums[at] = num ?? Number.NaN;
  };
  /** The second half becomes a block of its own. */
  const split = (index: number, block: Block) => {
    const half = block.count >> 1;
    const later = emptyBlock();
    later.ids.set(block.ids.subarray(half, block.count));
    later.count = block.count - half;
    for (const [name, { terms, nums }] of block.columns) {
      const column: Column = { terms: terms && new Uint32Array(rows), nums: nums && emptyNums() };
      if (terms !== undefined) column.terms?.set(terms.subarray(half, block.count));
      if (nums !== undefined) column.nums?.set(nums.subarray(half, block.count));
      later.columns.set(name, column);
    }
    block.count = half;
    blocks.splice(index + 1, 0, later);
  };
  const insert = (id: number): { block: Block; at: number } => {
    const index = Math.max(0, blockAt(id));
    let block = blocks[index];
    const isLast = index === blocks.length - 1;
    if (block === undefined || (isLast && block.count === rows && id > (block.ids[rows - 1] ?? 0))) {
      blocks.push((block = emptyBlock()));
    } else if (block.count === rows) {
      split(index, block);
      return insert(id);
    }
    const at = placeIn(block, id);
    move(block, at, at + 1);
    block.ids[at] = id;
    block.count++;
    size++;
    return { block, at };
  };
  const removeAt = (block: Block, at: number) => {
    move(block, at + 1, at);
    block.count--;
    size--;
    if (block.count === 0) blocks.splice(blocks.indexOf(block), 1);
  };

  return {
    after(id) {
      const index = blockAt(id);
      const block = blocks[index];
      return block !== undefined && (block.ids[block.count - 1] ?? 0) > id ? block : blocks[index + 1];
    },
    put(id, cells) {
      const { block, at } = find(id) ?? insert(id);
      write(block, at, cells);
    },
    drop(id) {
      const found = find(id);
      if (found !== undefined) removeAt(found.block, found.at);
    },
    names,
    addName: name => void names.add(name),
    dropName(name) {
      names.delete(name);
      for (const block of blocks) block.columns.delete(name);
    },
    set(id, cell) {
      const found = find(id);
      if (found !== undefined) writeCell(found.block, found.at, cell);
    },
    get size() {
      return size;
    },
  };
}

/** Where that id is, or would be. */
export function placeIn(block: Block, id: number): number {
  let [low, high] = [0, block.count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((block.ids[middle] ?? 0) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

function move({ ids, count, columns }: Block, from: number, to: number): void {
  ids.copyWithin(to, from, count);
  for (const { terms, nums } of columns.values()) {
    terms?.copyWithin(to, from, count);
    nums?.copyWithin(to, from, count);
  }
}
