// Tokens on the side of who has them: getting one for a certificate, showing it with each request to a thing, and answering
// whoever asks for the proof. The key is used for nothing else, and answers nobody it was not shown to (TOK-CHAL-02, -04).

import { type Generation, namespace, namespaces } from "#iot/generations.ts";
import * as wire from "#iot/provisioning-tokens.wire.ts";
import { challengeBytesMax, challengeBytesMin, tokenSentMs, tokensSentMax } from "#limits.ts";
import type { Element } from "#xml/element.ts";
import type { Connection } from "#xmpp/connection.ts";
import { normalJid } from "#xmpp/jid.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { decodeAs } from "./asking.ts";
import type { Inbox } from "./inbox.ts";

/** Reads what was encrypted for one key; rejects when it cannot. */
export type Decrypt = (data: Uint8Array) => Promise<Uint8Array>;

/** `pkcs8`: the private key in DER. OAEP with SHA-1 as deployed software has it, then with SHA-256 (TOK-GET-01). */
export async function decryptWith(pkcs8: Uint8Array): Promise<Decrypt> {
  const keys = await Promise.all(
    ["SHA-1", "SHA-256"].map(hash =>
      crypto.subtle.importKey("pkcs8", Uint8Array.from(pkcs8), { name: "RSA-OAEP", hash }, false, ["decrypt"]),
    ),
  );
  return async data => {
    for (const key of keys) {
      const plain = await crypto.subtle
        .decrypt({ name: "RSA-OAEP" }, key, Uint8Array.from(data))
        .catch(() => undefined);
      if (plain !== undefined) return new Uint8Array(plain);
    }
    throw new StanzaError("cancel", "forbidden");
  };
}

/** Nothing is read out that could be another message: challenges are of these lengths (TOK-CHAL-04). */
async function readChallenge(decrypt: Decrypt, data: Uint8Array): Promise<Uint8Array> {
  const plain = await decrypt(data);
  if (plain.length < challengeBytesMin || plain.length > challengeBytesMax)
    throw new StanzaError("cancel", "forbidden");
  return plain;
}

export interface TokenService {
  readonly jid: string;
  readonly generation: Generation;
}

/** The token of a certificate (DER) whose key `decrypt` has. Throws `StanzaError`. */
export async function getToken(
  connection: Pick<Connection, "request">,
  { jid, generation }: TokenService,
  certificate: Uint8Array,
  decrypt: Decrypt,
  signal: AbortSignal,
): Promise<string> {
  const ns = namespace("provisioningTokens", generation);
  const begun = await connection.request("get", jid, wire.getToken.encode(certificate, ns), { signal });
  const { seqnr, data } = decodeAs(wire.getTokenChallenge, begun);
  const answer = { seqnr, data: await readChallenge(decrypt, data) };
  const done = await connection.request("get", jid, wire.getTokenChallengeResponse.encode(answer, ns), { signal });
  return decodeAs(wire.getTokenResponse, done).token;
}

/** The certificate (DER) of a token, as its issuer knows it. Throws `StanzaError`. */
export async function getCertificate(
  connection: Pick<Connection, "request">,
  { jid, generation }: TokenService,
  token: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const ns = namespace("provisioningTokens", generation);
  const reply = await connection.request("get", jid, wire.getCertificate.encode({ token }, ns), { signal });
  return decodeAs(wire.certificate, reply);
}

export interface HeldToken {
  readonly token: string;
  readonly kind: wire.TokenKind;
  readonly decrypt: Decrypt;
}

/** Where tokens are shown: the interfaces of things, and nobody else. */
const shownTo: ReadonlySet<string> = new Set(
  (["concentrator", "sensorData", "events", "control"] as const).flatMap(family => namespaces(family)),
);

/**
 * A connection that shows these tokens to things, and answers their challenges. `now`: milliseconds of a clock that only
 * goes forward.
 */
export function withTokens(
  connection: Connection,
  inbox: Inbox,
  held: readonly HeldToken[],
  now: () => number,
): Connection {
  if (held.length === 0) return connection;
  const sent = new Map<string, number>();
  const key = (token: string, jid: string) => `${token}\n${jid}`;
  const shown = (payload: Element): Element => {
    if (!shownTo.has(payload.ns)) return payload;
    const attrs: Record<string, string> = {};
    for (const { kind, token } of held) {
      const name = wire.tokenAttributes[kind];
      attrs[name] = attrs[name] === undefined ? token : `${attrs[name]} ${token}`;
    }
    return { ...payload, attrs: Object.assign(Object.create(null), payload.attrs, attrs) };
  };
  for (const ns of namespaces("provisioningTokens")) {
    inbox.serve(ns, wire.tokenChallenge.name, async (from, payload) => {
      const { token, data } = wire.tokenChallenge.decode(payload);
      const one = held.find(those => those.token === token);
      const at = sent.get(key(token, from));
      if (one === undefined || at === undefined || now() - at >= tokenSentMs)
        throw new StanzaError("cancel", "forbidden");
      return wire.tokenChallengeResponse.encode(await readChallenge(one.decrypt, data), ns);
    });
  }
  return {
    get jid() {
      return connection.jid;
    },
    get online() {
      return connection.online;
    },
    send: stanza => connection.send(stanza),
    request(type, to, payload, how) {
      const full = normalJid(to);
      if (full === undefined || !shownTo.has(payload.ns)) return connection.request(type, to, payload, how);
      for (const { token } of held) {
        sent.delete(key(token, full));
        sent.set(key(token, full), now());
      }
      for (const oldest of [...sent.keys()].slice(0, Math.max(0, sent.size - tokensSentMax))) sent.delete(oldest);
      return connection.request(type, to, shown(payload), how);
    },
  };
}
