// Data information block (EN 13757-3, 6.3): one DIF and up to ten DIFE before a record's value information.
//
//   DIF    ext | storage bit 0 | function (2) | data field (4)
//   DIFE n ext | subunit bit n | tariff bits 2n (2) | storage bits 1+4n (4)

export type RecordFunction = "instantaneous" | "maximum" | "minimum" | "error";

export interface Dib {
  readonly dif: number;
  readonly function: RecordFunction;
  /** Up to 41 bits: still exact as a number. */
  readonly storage: number;
  readonly tariff: number;
  readonly subunit: number;
  /** Low four bits of the DIF: the kind of data. */
  readonly dataField: number;
  /** Octets of the block. */
  readonly octets: number;
}

export type DibFault = "end-in-dif" | "too-many-dife";

const functions: readonly RecordFunction[] = ["instantaneous", "maximum", "minimum", "error"];
export const extensionBit = 0x80;
const difesMax = 10;

/** Most records have one DIF octet: made once, shared by all. */
const singleDibs: readonly Dib[] = Array.from({ length: 128 }, (_, dif) => ({
  dif,
  function: functions[(dif >> 4) & 3] as RecordFunction,
  storage: (dif >> 6) & 1,
  tariff: 0,
  subunit: 0,
  dataField: dif & 0x0f,
  octets: 1,
}));

export function decodeDib(bytes: Uint8Array, at: number, end: number): Dib | DibFault {
  const dif = bytes[at] as number;
  if ((dif & extensionBit) === 0) return singleDibs[dif] as Dib;
  let storage = (dif >> 6) & 1;
  let tariff = 0;
  let subunit = 0;
  let octet = dif;
  let next = at + 1;
  for (let n = 0; (octet & extensionBit) !== 0; n++) {
    if (next >= end) return "end-in-dif";
    if (n === difesMax) return "too-many-dife";
    octet = bytes[next++] as number;
    // Products, not shifts: beyond 32 bits.
    storage += (octet & 0x0f) * 2 ** (1 + 4 * n);
    tariff += ((octet >> 4) & 3) * 4 ** n;
    subunit += ((octet >> 6) & 1) * 2 ** n;
  }
  const kind = functions[(dif >> 4) & 3] as RecordFunction;
  return { dif, function: kind, storage, tariff, subunit, dataField: dif & 0x0f, octets: next - at };
}
