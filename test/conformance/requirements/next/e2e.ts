// E2E: encryption from one end to the other, an option that is not built.

import type { Family } from "../family.ts";

export const e2e: Family = {
  name: "E2E",
  title: "End-to-end encryption",
  requirements: {
    "E2E-PUB-01 Y": "Keys are in each available presence.",
    "E2E-PUB-02 Y": "The ciphers are named, each.",
    "E2E-PUB-03 Y": "Keys are fresh with each connection, and change.",
    "E2E-PUB-04 Y": "Keys of others are kept per session, weak ones not.",
    "E2E-SYNC-01 Y": "Keys are exchanged on demand, with contacts.",
    "E2E-ENC-01 Y": "A message is encrypted whole, of a request the content.",
    "E2E-ENC-02 Y": "The shared key is the digest of the shared point.",
    "E2E-ENC-03 Y": "The initial vector is made of the stanza's addresses and a counter.",
    "E2E-ENC-04 Y": "AES: the length goes before what is encrypted.",
    "E2E-ENC-05 Y": "ChaCha20, with or without authentication.",
    "E2E-ENC-06 Y": "A signature is demanded where the key can sign.",
    "E2E-ENC-07 Y": "Nothing is trusted that is neither signed nor authenticated.",
    "E2E-ENC-08 Y": "A counter never comes again.",
    "E2E-DEC-01 Y": "What cannot be decrypted is refused, and tried once more.",
    "E2E-DEC-02 Y": "What was seen is not taken again.",
    "E2E-DEC-03 Y": "What was encrypted is judged as what was not, and answered as it came.",
    "E2E-DEC-04 Y": "Registry and decisions are in plain.",
    "E2E-SEC-01 Y": "Keys are trusted as far as they are known.",
    "E2E-NO-01 M": "Without the option whoever asks for it is told so, and no key is published.",
  },
};
