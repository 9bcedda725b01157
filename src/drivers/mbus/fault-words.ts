// Why octets are no telegram, as a person says it. The short words are those of the test vectors and of `--json`.

import type { TelegramFault } from "./telegram.ts";

const words: Readonly<Record<TelegramFault | "noise", string>> = {
  start: "it does not begin like a frame",
  "length-mismatch": "its two lengths differ",
  start2: "its second start octet is wrong",
  length: "its length is too short for a frame",
  checksum: "its checksum is wrong",
  stop: "its stop octet is wrong",
  incomplete: "it ends too early",
  trailing: "octets follow its end",
  direction: "it says neither that it comes from a meter nor from a master",
  "end-in-dif": "it ends within a record",
  "end-in-vif": "it ends within a record",
  "end-in-data": "it ends within a record",
  "too-many-dife": "a record has too many extensions (DIFE)",
  "too-many-vife": "a record has too many extensions (VIFE)",
  ci: "its kind (CI) is unknown",
  "short-header": "its header is cut short",
  "fixed-length": "it has not the length of its kind",
  "decrypt-check": "the decryption key is wrong",
  noise: "it is noise",
};

export const faultWords = (reason: string): string => words[reason as keyof typeof words] ?? reason;
