// A simulated Modbus unit: tables of registers and bits behind function codes, read and answered by its own reading of the
// Modbus Application Protocol 1.1b3, not by the driver's. What it holds is a model's business (modbus-meter.ts) or set by hand.

export type LabTable = "coil" | "discrete" | "holding" | "input";

export interface LabUnit {
  /** A cell: a word, or 0 and 1 in the tables of bits. A function is asked at each read. What was never set is a hole. */
  set(table: LabTable, address: number, value: number | (() => number)): void;
  /** Consecutive registers. */
  setWords(table: "holding" | "input", address: number, words: readonly number[]): void;
  setFloat(table: "holding" | "input", address: number, value: () => number): void;
  get(table: LabTable, address: number): number | undefined;
  /** Makes a hole. */
  remove(table: LabTable, address: number): void;
  /** Exception 2 for reads of more registers than this, whatever is printed. */
  wordsMax: number;
  /** Answered instead of anything else, until set to undefined. */
  exception: number | undefined;
  /** Does not answer at all. */
  silent: boolean;
  /** Functions it does not know (exception 1). */
  readonly unknownFunctions: Set<number>;
  /** Functions it ignores without a word, as some do. */
  readonly ignoredFunctions: Set<number>;
  /** Objects of its identification (function 43/14) by id; empty: it does not know the function. */
  readonly identity: Map<number, string>;
  /** What it answers to function 17, after the count; undefined: it does not know the function. */
  serverId: Uint8Array | undefined;
  /** Words of files by number. */
  readonly files: Map<number, number[]>;
  /** Queues of words by the address of their pointer. */
  readonly queues: Map<number, number[]>;
  /** The answer to a PDU. */
  answer(pdu: Uint8Array): Uint8Array;
  /** Requests seen, newest last; at most 1000. */
  readonly requests: readonly Uint8Array[];
}

type Cell = number | (() => number);

const requestsKept = 1_000;
const illegalFunction = 1;
const illegalAddress = 2;
const illegalValue = 3;
const tableOfRead: Readonly<Record<number, LabTable>> = { 1: "coil", 2: "discrete", 3: "holding", 4: "input" };

export function createLabUnit(): LabUnit {
  const tables: Record<LabTable, Map<number, Cell>> = {
    coil: new Map(),
    discrete: new Map(),
    holding: new Map(),
    input: new Map(),
  };
  const requests: Uint8Array[] = [];

  const get = (table: LabTable, address: number): number | undefined => {
    const cell = tables[table].get(address);
    return typeof cell === "function" ? cell() : cell;
  };
  const cells = (table: LabTable, address: number, count: number): number[] | undefined => {
    const values = Array.from({ length: count }, (_, n) => get(table, address + n));
    return values.every(value => value !== undefined) ? values : undefined;
  };

  const read = (code: number, table: LabTable, address: number, count: number): number[] => {
    const isBits = table === "coil" || table === "discrete";
    if (count < 1 || count > (isBits ? 2000 : 125)) return [code | 0x80, illegalValue];
    if (!isBits && count > unit.wordsMax) return [code | 0x80, illegalAddress];
    const values = cells(table, address, count);
    if (values === undefined) return [code | 0x80, illegalAddress];
    if (!isBits) return [code, count * 2, ...values.flatMap(word => [word >> 8, word & 255])];
    const octets = new Array<number>(Math.ceil(count / 8)).fill(0);
    values.forEach((bit, n) => {
      octets[n >> 3] = (octets[n >> 3] ?? 0) + (bit === 0 ? 0 : 2 ** (n & 7));
    });
    return [code, octets.length, ...octets];
  };

  const write = (pdu: Uint8Array, table: LabTable, address: number, values: readonly number[]): number[] => {
    const code = pdu[0] ?? 0;
    if (cells(table, address, values.length) === undefined) return [code | 0x80, illegalAddress];
    values.forEach((value, n) => {
      tables[table].set(address + n, value);
    });
    return [...pdu.subarray(0, 5)];
  };

  const obey = (pdu: Uint8Array): number[] => {
    const code = pdu[0] ?? 0;
    const word = (at: number) => (pdu[at] ?? 0) * 256 + (pdu[at + 1] ?? 0);
    if (unit.exception !== undefined) return [code | 0x80, unit.exception];
    if (unit.unknownFunctions.has(code)) return [code | 0x80, illegalFunction];
    const table = tableOfRead[code];
    if (table !== undefined) return read(code, table, word(1), word(3));
    if (code === 5) {
      return word(3) === 0 || word(3) === 0xff00
        ? write(pdu, "coil", word(1), [word(3) === 0 ? 0 : 1])
        : [code | 0x80, illegalValue];
    }
    if (code === 6) return write(pdu, "holding", word(1), [word(3)]);
    if (code === 8) return [...pdu];
    if (code === 15) {
      const bits = Array.from({ length: word(3) }, (_, n) => Math.floor((pdu[6 + (n >> 3)] ?? 0) / 2 ** (n & 7)) % 2);
      return write(pdu, "coil", word(1), bits);
    }
    if (code === 16) {
      return write(
        pdu,
        "holding",
        word(1),
        Array.from({ length: word(3) }, (_, n) => word(6 + 2 * n)),
      );
    }
    if (code === 22) {
      const now = get("holding", word(1));
      if (now === undefined) return [code | 0x80, illegalAddress];
      write(pdu, "holding", word(1), [(now & word(3)) | (word(5) & ~word(3) & 0xffff)]);
      return [...pdu];
    }
    if (code === 23) {
      const values = Array.from({ length: word(7) }, (_, n) => word(10 + 2 * n));
      const written = write(pdu, "holding", word(5), values);
      if ((written[0] ?? 0) >= 0x80) return written;
      const [, ...answer] = read(3, "holding", word(1), word(3));
      return answer.length === 1 ? [code | 0x80, ...answer] : [code, ...answer];
    }
    return tellExtras(unit, pdu) ?? [code | 0x80, illegalFunction];
  };

  const unit: LabUnit = {
    identity: new Map(),
    serverId: undefined,
    files: new Map(),
    queues: new Map(),
    wordsMax: 125,
    exception: undefined,
    silent: false,
    unknownFunctions: new Set(),
    ignoredFunctions: new Set(),
    requests,
    get,
    set(table, address, value) {
      tables[table].set(address, value);
    },
    remove(table, address) {
      tables[table].delete(address);
    },
    setWords(table, address, words) {
      words.forEach((word, n) => {
        tables[table].set(address + n, word);
      });
    },
    setFloat(table, address, value) {
      const half = (at: 0 | 2) => () => {
        const view = new DataView(new ArrayBuffer(4));
        view.setFloat32(0, value());
        return view.getUint16(at);
      };
      tables[table].set(address, half(0));
      tables[table].set(address + 1, half(2));
    },
    answer(pdu) {
      requests.push(pdu.slice());
      if (requests.length > requestsKept) requests.shift();
      return Uint8Array.from(obey(pdu));
    },
  };
  return unit;
}

/** Identification, server id, files and queues; undefined where the unit has none of it. */
function tellExtras(unit: LabUnit, pdu: Uint8Array): number[] | undefined {
  const code = pdu[0] ?? 0;
  const word = (at: number) => (pdu[at] ?? 0) * 256 + (pdu[at + 1] ?? 0);
  const split = (words: readonly number[]) => words.flatMap(one => [one >> 8, one & 255]);
  if (code === 17 && unit.serverId) return [code, unit.serverId.length, ...unit.serverId];
  if (code === 24 && unit.queues.size > 0) {
    const words = unit.queues.get(word(1));
    if (words === undefined) return [code | 0x80, illegalAddress];
    return [code, 0, 2 + 2 * words.length, 0, words.length, ...split(words)];
  }
  if (code === 20 && unit.files.size > 0) {
    const file = unit.files.get(word(3));
    const words = file?.slice(word(5), word(5) + word(7));
    if (words === undefined || words.length < word(7)) return [code | 0x80, illegalAddress];
    return [code, 2 + 2 * words.length, 1 + 2 * words.length, 6, ...split(words)];
  }
  if (code === 21 && unit.files.size > 0) {
    const file = unit.files.get(word(3));
    if (file === undefined) return [code | 0x80, illegalAddress];
    for (let n = 0; n < word(7); n++) file[word(5) + n] = word(9 + 2 * n);
    return [...pdu];
  }
  return code === 43 && unit.identity.size > 0 ? tellIdentity(unit, pdu) : undefined;
}

/** As many objects of the stream as fit into 60 octets, so that more than one question is needed. */
function tellIdentity({ identity }: LabUnit, pdu: Uint8Array): number[] {
  const stream = pdu[2] ?? 0;
  const last = { 1: 2, 2: 6, 3: 255, 4: 255 }[stream];
  const first = pdu[3] ?? 0;
  if (pdu[1] !== 14 || last === undefined) return [43 | 0x80, illegalValue];
  const ids = [...identity.keys()].filter(id => id >= first && id <= last).sort((a, b) => a - b);
  if (stream === 4 && ids[0] !== first) return [43 | 0x80, illegalAddress];
  const told: number[][] = [];
  while (ids.length > 0 && told.flat().length < 60) {
    const id = ids.shift() ?? 0;
    const text = Array.from(identity.get(id) ?? "", char => char.charCodeAt(0));
    told.push([id, text.length, ...text]);
    if (stream === 4) ids.length = 0;
  }
  return [43, 14, stream, 0x83, ids.length > 0 ? 0xff : 0, ids[0] ?? 0, told.length, ...told.flat()];
}
