// Requests read back from their octets, for traces: the other direction of pdu.ts. Modbus Application Protocol 1.1b3, clause 6.
// Pure.

import { encodeRequest, type FilePart, type Request } from "./pdu.ts";

/** Undefined for octets that are not a whole request of a function we know. */
export function decodeRequest(pdu: Uint8Array): Request | undefined {
  const request = layoutOf(pdu);
  if (request === undefined) return undefined;
  try {
    // Encoding it again checks quantities, byte counts and the length at once.
    const again = encodeRequest(request);
    return again.length === pdu.length && again.every((byte, n) => byte === pdu[n]) ? request : undefined;
  } catch {
    return undefined;
  }
}

function layoutOf(pdu: Uint8Array): Request | undefined {
  const code = pdu[0];
  const word = (at: number) => ((pdu[at] ?? 0) << 8) | (pdu[at + 1] ?? 0);
  const words = (at: number, count: number) => Array.from({ length: Math.min(count, 125) }, (_, n) => word(at + 2 * n));
  switch (code) {
    case 1:
    case 2:
    case 3:
    case 4:
      return { function: code, address: word(1), quantity: word(3) };
    case 5:
      return { function: 5, address: word(1), value: pdu[3] === 0xff };
    case 6:
      return { function: 6, address: word(1), value: word(3) };
    case 8:
      return { function: 8, sub: word(1), data: word(3) };
    case 15: {
      const count = Math.min(word(3), 1968);
      const bits = Array.from({ length: count }, (_, n) => (((pdu[6 + (n >> 3)] ?? 0) >> (n & 7)) & 1) === 1);
      return { function: 15, address: word(1), bits };
    }
    case 16:
      return { function: 16, address: word(1), values: words(6, word(3)) };
    case 17:
      return { function: 17 };
    case 20:
      return { function: 20, parts: fileParts(pdu).map(({ at: _at, ...part }) => part) };
    case 21:
      return {
        function: 21,
        parts: fileParts(pdu, true).map(({ at, file, record, count }) => ({ file, record, values: words(at, count) })),
      };
    case 22:
      return { function: 22, address: word(1), and: word(3), or: word(5) };
    case 23:
      return {
        function: 23,
        readAddress: word(1),
        readQuantity: word(3),
        writeAddress: word(5),
        values: words(10, word(7)),
      };
    case 24:
      return { function: 24, address: word(1) };
    case 43: {
      const stream = pdu[2];
      const known = stream === 1 || stream === 2 || stream === 3 || stream === 4;
      return pdu[1] === 14 && known ? { function: 43, code: stream, object: pdu[3] ?? 0 } : undefined;
    }
    default:
      return undefined;
  }
}

/** Parts of a request of file records; `written`: words follow each. `at` is where those begin. */
function fileParts(pdu: Uint8Array, written = false): (FilePart & { readonly at: number })[] {
  const word = (at: number) => ((pdu[at] ?? 0) << 8) | (pdu[at + 1] ?? 0);
  const parts: (FilePart & { readonly at: number })[] = [];
  for (let at = 2; at + 7 <= pdu.length; ) {
    const part = { file: word(at + 1), record: word(at + 3), count: word(at + 5), at: at + 7 };
    parts.push(part);
    at += 7 + (written ? 2 * part.count : 0);
  }
  return parts;
}

/** A request that this answer could be to, where the answer alone shows it; for answers seen without their request. */
export function requestBehind(pdu: Uint8Array): Request | undefined {
  const code = (pdu[0] ?? 0) & 0x7f;
  const count = pdu[1] ?? 0;
  const word = (at: number) => ((pdu[at] ?? 0) << 8) | (pdu[at + 1] ?? 0);
  switch (code) {
    case 1:
    case 2:
      return { function: code, address: 0, quantity: count * 8 };
    case 3:
    case 4:
      return { function: code, address: 0, quantity: count >> 1 };
    case 15:
      return { function: 15, address: word(1), bits: new Array<boolean>(counted(word(3), 1968)).fill(false) };
    case 16:
      return { function: 16, address: word(1), values: new Array<number>(counted(word(3), 123)).fill(0) };
    case 23:
      return { function: 23, readAddress: 0, readQuantity: count >> 1, writeAddress: 0, values: [0] };
    case 20:
      return { function: 20, parts: answeredParts(pdu) };
    case 24:
      return { function: 24, address: 0 };
    case 43: {
      const stream = pdu[2];
      return stream === 1 || stream === 2 || stream === 3 || stream === 4
        ? { function: 43, code: stream, object: 0 }
        : undefined;
    }
    default:
      return pdu[0] === code ? decodeRequest(pdu) : { function: 3, address: 0, quantity: 1 };
  }
}

/** A request of that many there can be; an answer that says another number is none to it. */
const counted = (quantity: number, max: number): number => Math.max(1, Math.min(quantity, max));

function answeredParts(pdu: Uint8Array): FilePart[] {
  const parts: FilePart[] = [];
  for (let at = 2; at < pdu.length; at += 1 + (pdu[at] ?? 0)) {
    parts.push({ file: 1, record: 0, count: Math.max(0, ((pdu[at] ?? 0) - 1) >> 1) });
  }
  return parts;
}
