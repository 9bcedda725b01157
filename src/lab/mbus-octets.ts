// Frames and numbers of M-Bus as a slave reads and writes them (EN 13757-2, -3): the simulators' own, apart from the driver's.

export interface MeterIdentity {
  /** Eight digits. */
  readonly id: string;
  /** Three letters. */
  readonly manufacturer: string;
  readonly version: number;
  readonly medium: number;
  /** Eight digits: answers to enhanced selection only where it is given. */
  readonly fabrication?: string;
}

export interface Request {
  readonly c: number;
  readonly address: number;
  readonly ci?: number;
  readonly data: Uint8Array;
}

/** A request with a sound checksum, or nothing: a slave does not answer what it cannot read. */
export function readRequest(octets: Uint8Array): Request | undefined {
  const [start, second = 0, third = 0] = octets;
  if (start === 0x10 && octets.length === 5) {
    const isSound = octets[3] === ((second + third) & 0xff) && octets[4] === 0x16;
    return isSound ? { c: second, address: third, data: new Uint8Array() } : undefined;
  }
  if (start !== 0x68 || second !== third || octets.length !== second + 6) return undefined;
  const body = octets.subarray(4, -2);
  const sum = body.reduce((total, octet) => (total + octet) & 0xff, 0);
  if (octets.at(-2) !== sum || octets.at(-1) !== 0x16) return undefined;
  return { c: body[0] ?? 0, address: body[1] ?? 0, ci: body[2] ?? 0, data: body.subarray(3) };
}

/** Octets of the frame at the beginning, 1 for what is none, undefined while that is not known. */
export function requestLength(held: Uint8Array): number | undefined {
  if (held.length === 0) return undefined;
  if (held[0] === 0x10) return 5;
  if (held[0] !== 0x68) return 1;
  return held.length < 2 ? undefined : (held[1] ?? 0) + 6;
}

/** Does the select mean this meter? Nibbles F of the number are any, the rest as a whole. */
export function isMeant(identity: MeterIdentity, select: Uint8Array): boolean {
  const own = identityOctets(identity);
  if (select.length < 8 || !nibblesFit(select.subarray(0, 4), own)) return false;
  const anyMaker = select[4] === 255 && select[5] === 255;
  const maker = anyMaker || (select[4] === own[4] && select[5] === own[5]);
  if (!maker || ![6, 7].every(at => select[at] === 255 || select[at] === own[at])) return false;
  if (select.length === 8) return true;
  // Enhanced selection: 0C 78 and the fabrication number; a meter without one does not know what is meant.
  if (select.length !== 14 || select[8] !== 0x0c || select[9] !== 0x78 || identity.fabrication === undefined)
    return false;
  return nibblesFit(select.subarray(10), Uint8Array.from(bcd(Number(identity.fabrication), 4)));
}

const nibblesFit = (wanted: Uint8Array, have: Uint8Array): boolean =>
  wanted.every((octet, at) => {
    const own = have[at] ?? 0;
    return (octet >> 4 === 15 || octet >> 4 === own >> 4) && ((octet & 15) === 15 || (octet & 15) === (own & 15));
  });

export function identityOctets({ id, manufacturer, version, medium }: MeterIdentity): Uint8Array {
  const maker = [...manufacturer].reduce((code, letter) => code * 32 + letter.charCodeAt(0) - 64, 0);
  return Uint8Array.of(...bcd(Number(id), 4), maker & 0xff, maker >> 8, version, medium);
}

/** 68 L L 68 C A CI data CS 16 */
export function frameOf(c: number, address: number, ci: number, data: readonly number[]): Uint8Array {
  const body = [c, address, ci, ...data];
  const sum = body.reduce((total, octet) => (total + octet) & 0xff, 0);
  return Uint8Array.of(0x68, body.length, body.length, 0x68, ...body, sum, 0x16);
}

/** Least significant octet first. */
export function bcd(value: number, octets: number): number[] {
  const digits = String(Math.trunc(value))
    .padStart(2 * octets, "0")
    .slice(-2 * octets);
  return (digits.match(/../g) ?? []).map(pair => Number.parseInt(pair, 16)).reverse();
}

export const int = (value: number, octets: number): number[] =>
  Array.from({ length: octets }, (_, at) => Math.floor(value / 256 ** at) & 0xff);
