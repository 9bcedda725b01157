// As much of DNS as it takes to ask the local network for a service (RFC 1035, RFC 6762, RFC 6763): one question, and the
// records of its answers. What comes in is from anybody in the house.

import { dnsRecordsMax } from "#limits.ts";

const types = { a: 1, ptr: 12, txt: 16, aaaa: 28, srv: 33 } as const;
const internet = 1;

export type DnsRecord = { readonly name: string } & (
  | { readonly type: "ptr"; readonly target: string }
  | { readonly type: "srv"; readonly target: string; readonly port: number; readonly priority: number }
  | { readonly type: "txt"; readonly texts: readonly string[] }
  | { readonly type: "address"; readonly address: string }
);

/** A question for pointers, to be answered to where it came from. */
export function encodePointerQuestion(name: string): Buffer {
  const labels = name.split(".").map(one => Buffer.from(one));
  const encoded = labels.map(one => Buffer.concat([Buffer.from([one.length]), one]));
  const header = Buffer.alloc(12);
  header.writeUInt16BE(1, 4);
  const tail = Buffer.alloc(5);
  tail.writeUInt16BE(types.ptr, 1);
  // The topmost bit: answer to me, not to everybody.
  tail.writeUInt16BE(0x8000 | internet, 3);
  return Buffer.concat([header, ...encoded, tail]);
}

/** The records of an answer that we know; undefined when it is no answer, or damaged. */
export function decodeAnswer(message: Uint8Array): readonly DnsRecord[] | undefined {
  const bytes = Buffer.from(message);
  if (bytes.length < 12 || (bytes.readUInt16BE(2) & 0x8000) === 0) return undefined;
  const [questions, ...sections] = [4, 6, 8, 10].map(at => bytes.readUInt16BE(at));
  const count = sections.reduce((sum, one) => sum + one, 0);
  if (count > dnsRecordsMax || (questions ?? 0) > dnsRecordsMax) return undefined;
  try {
    let at = 12;
    for (let n = 0; n < (questions ?? 0); n++) at = nameAt(bytes, at).next + 4;
    const records: DnsRecord[] = [];
    for (let n = 0; n < count; n++) {
      const { name, next } = nameAt(bytes, at);
      const [type, length] = [bytes.readUInt16BE(next), bytes.readUInt16BE(next + 8)];
      const from = next + 10;
      at = from + length;
      if (at > bytes.length) return undefined;
      const record = recordOf(bytes, type, from, length);
      if (record !== undefined) records.push({ name: name.toLowerCase(), ...record });
    }
    return records;
  } catch (error) {
    // Reading behind the end, which `Buffer` refuses.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

type Content = DnsRecord extends infer R ? (R extends DnsRecord ? Omit<R, "name"> : never) : never;

function recordOf(bytes: Buffer, type: number, from: number, length: number): Content | undefined {
  switch (type) {
    case types.ptr:
      return { type: "ptr", target: nameAt(bytes, from).name.toLowerCase() };
    case types.srv:
      return {
        type: "srv",
        priority: bytes.readUInt16BE(from),
        port: bytes.readUInt16BE(from + 4),
        target: nameAt(bytes, from + 6).name.toLowerCase(),
      };
    case types.txt:
      return { type: "txt", texts: textsIn(bytes.subarray(from, from + length)) };
    case types.a:
      return length === 4 ? { type: "address", address: bytes.subarray(from, from + 4).join(".") } : undefined;
    default:
      return undefined;
  }
}

function textsIn(bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; at += 1 + (bytes[at] ?? 0))
    texts.push(bytes.subarray(at + 1, at + 1 + (bytes[at] ?? 0)).toString("utf8"));
  return texts;
}

/** A name may end in a pointer back, and may not be longer than 255 octets: so it ends, whatever was sent. Throws `RangeError`. */
function nameAt(bytes: Buffer, start: number): { name: string; next: number } {
  const labels: string[] = [];
  let at = start;
  let next: number | undefined;
  let octets = 0;
  for (;;) {
    const length = bytes.readUInt8(at);
    if (length === 0) return { name: labels.join("."), next: next ?? at + 1 };
    if (length >= 0xc0) {
      next ??= at + 2;
      at = bytes.readUInt16BE(at) & 0x3fff;
      octets += 2;
    } else {
      labels.push(bytes.toString("utf8", at + 1, at + 1 + length));
      at += 1 + length;
      octets += 1 + length;
    }
    if (octets > 255 || (length > 63 && length < 0xc0)) throw new RangeError("no name");
  }
}
