// TCP framing: MBAP header (transaction, protocol 0, length of unit and PDU, unit) and PDU. Modbus Messaging on TCP/IP 1.0b,
// clause 3.1.3. A stream that loses its place cannot find it again: the connection is to be closed then. Pure.

import { concat } from "#base/bytes.ts";

export interface TcpFrame {
  readonly transaction: number;
  readonly unit: number;
  readonly pdu: Uint8Array;
}

export type TcpProblem = "protocol-id" | "length";

/** The length field counts unit and PDU: at least a function code, at most 253 octets of PDU. */
const lengthMin = 2;
const lengthMax = 254;

export function encodeTcp({ transaction, unit, pdu }: TcpFrame): Uint8Array {
  const length = pdu.length + 1;
  return concat(Uint8Array.of(transaction >> 8, transaction & 0xff, 0, 0, length >> 8, length & 0xff, unit), pdu);
}

/** Fed with chunks of any size: several frames may come in one, one in several. After a problem it stays silent. */
export function createTcpReader(): { feed(chunk: Uint8Array): { frames: TcpFrame[]; problem?: TcpProblem } } {
  let buffer: Uint8Array = new Uint8Array();
  let broken: TcpProblem | undefined;
  return {
    feed(chunk) {
      if (broken) return { frames: [], problem: broken };
      buffer = concat(buffer, chunk);
      const frames: TcpFrame[] = [];
      for (;;) {
        const frame = decodeTcp(buffer);
        if (frame === "incomplete") break;
        if (typeof frame === "string") {
          broken = frame;
          return { frames, problem: frame };
        }
        frames.push(frame);
        buffer = buffer.slice(7 + frame.pdu.length);
      }
      return { frames };
    },
  };
}

/** The frame at the beginning of these octets; more may follow it. */
export function decodeTcp(bytes: Uint8Array): TcpFrame | TcpProblem | "incomplete" {
  const word = (at: number) => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  // Told as early as possible: nobody waits for the end of a frame that can only be nonsense.
  if (bytes.length >= 4 && word(2) !== 0) return "protocol-id";
  if (bytes.length < 6) return "incomplete";
  const length = word(4);
  if (length < lengthMin || length > lengthMax) return "length";
  if (bytes.length < 6 + length) return "incomplete";
  return { transaction: word(0), unit: bytes[6] ?? 0, pdu: bytes.slice(7, 6 + length) };
}
