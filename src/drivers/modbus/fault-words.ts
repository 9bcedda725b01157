// Why octets are not taken for an answer, as a person says it. The short words are those of the test vectors and of `--json`.

import type { Reject } from "./framing.ts";

const words: Readonly<Record<Reject | "protocol-id" | "stale-transaction" | "function" | "hex" | "json", string>> = {
  crc: "its check sum (CRC) is wrong",
  lrc: "its check sum (LRC) is wrong",
  character: "it has characters that do not belong there",
  incomplete: "it ends too early",
  length: "its length is wrong",
  "protocol-id": "it is not the Modbus protocol",
  "unit-mismatch": "it comes from another unit",
  "function-mismatch": "it answers another function",
  "byte-count-mismatch": "it has another number of values than were asked for",
  "write-echo-mismatch": "it names another address or value than was written",
  "stale-transaction": "it answers another transaction",
  function: "its function is unknown",
  hex: "it is not hexadecimal",
  json: "it is not JSON",
};

export const faultWords = (reason: string): string => words[reason as keyof typeof words] ?? reason;
