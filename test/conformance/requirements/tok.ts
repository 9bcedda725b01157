// TOK: identity tokens, an option.

import type { Family } from "./family.ts";

export const tok: Family = {
  name: "TOK",
  title: "Identity tokens",
  requirements: {
    "TOK-FMT-01 Y": "A token is its issuer and a part that cannot be guessed.",
    "TOK-GET-01 Y": "A token is given to who can decrypt for a valid certificate.",
    "TOK-GET-02 Y": "A challenge belongs to its asker, once and for a while.",
    "TOK-GET-03 Y": "The same certificate has the same token, until it ends.",
    "TOK-CERT-01 Y": "Certificates are public, in either form of the question.",
    "TOK-CHAL-01 Y": "A token is challenged at first sight and dropped if it fails.",
    "TOK-CHAL-02 Y": "A holder answers only for what he has just sent there.",
    "TOK-CHAL-03 Y": "Who stands between hands challenges on, a few times.",
    "TOK-CHAL-04 Y": "The keys of tokens serve nothing else.",
    "TOK-FWD-01 Y": "Tokens are handed on unchanged.",
    "TOK-FWD-02 Y": "Only checked tokens count in rules.",
    "TOK-THR-01 Y": "A stolen token widens nothing.",
  },
};
