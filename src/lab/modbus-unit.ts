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
    return [code | 0x80, illegalFunction];
  };

  const unit: LabUnit = {
    wordsMax: 125,
    exception: undefined,
    silent: false,
    unknownFunctions: new Set(),
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
