// A server that speaks XMPP by a script: real TLS, real bytes, but it can be as wrong, stubborn or modern as a test wants.
// Where Prosody can play the part, Prosody plays it.

import { createHash, createHmac, pbkdf2Sync, randomBytes, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type TLSSocket } from "node:tls";
import type { Certificate } from "#lab/certificates.ts";

export interface Line {
  /** Waits for text that matches, since the last match. */
  expect(pattern: RegExp): Promise<RegExpExecArray>;
  send(text: string): void;
  /** Waits for a stream header and answers it, with these features. */
  header(features: string): Promise<void>;
  readonly socket: TLSSocket;
  /** All that was heard. */
  readonly heard: string;
}

export interface ScriptedServer extends AsyncDisposable {
  readonly port: number;
  readonly errors: unknown[];
}

/** Plays the script once a connection. */
export async function startScriptedServer(
  certificate: Certificate,
  script: (line: Line, connection: number) => Promise<void>,
): Promise<ScriptedServer> {
  const errors: unknown[] = [];
  const sockets = new Set<TLSSocket>();
  let connections = 0;
  const server = createServer(
    {
      cert: readFileSync(certificate.certificatePath),
      key: readFileSync(certificate.keyPath),
      ALPNProtocols: ["xmpp-client"],
    },
    socket => {
      sockets.add(socket);
      socket.on("error", () => {});
      script(createLine(socket), ++connections).catch(error => errors.push(error));
    },
  );
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    errors,
    async [Symbol.asyncDispose]() {
      for (const one of sockets) one.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

function createLine(socket: TLSSocket): Line {
  let heard = "";
  let from = 0;
  let wake = () => {};
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    heard += chunk;
    if (chunk.includes("</stream:stream>")) socket.end("</stream:stream>");
    wake();
  });
  const line: Line = {
    socket,
    get heard() {
      return heard;
    },
    send: text => void socket.write(text),
    async expect(pattern) {
      for (;;) {
        const found = pattern.exec(heard.slice(from));
        if (found !== null) {
          from += found.index + found[0].length;
          return found;
        }
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      }
    },
    async header(features) {
      await line.expect(/<stream:stream[^>]*>/);
      line.send(
        `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='isthmus.localhost' id='s1' version='1.0'><stream:features>${features}</stream:features>`,
      );
    },
  };
  return line;
}

export const mechanismsOf = (names: readonly string[], bindings: readonly string[] = []): string =>
  `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${names.map(one => `<mechanism>${one}</mechanism>`).join("")}</mechanisms>` +
  (bindings.length === 0
    ? ""
    : `<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>${bindings.map(one => `<channel-binding type='${one}'/>`).join("")}</sasl-channel-binding>`);

export const sessionFeatures = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm xmlns='urn:xmpp:sm:3'/>";

const sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
const base64 = (text: string | Buffer): string => Buffer.from(text).toString("base64");

export interface ScramScript {
  readonly password: string;
  readonly iterations?: number;
  /** What to change in the honest exchange. */
  readonly nonce?: (clientNonce: string) => string;
  readonly signature?: (honest: string) => string;
  readonly signatureInChallenge?: boolean;
}

export interface ScramHeard {
  readonly mechanism: string;
  readonly gs2: string;
  /** Whether proof and channel binding were right. */
  readonly right: boolean;
}

/** The server's half of SCRAM, written from RFC 5802 for the tests. Sends success or failure. */
export async function playScram(line: Line, how: ScramScript): Promise<ScramHeard> {
  const { iterations = 4096 } = how;
  const [, mechanism = "", first = ""] = await line.expect(/<auth [^>]*mechanism='([^']*)'[^>]*>([^<]*)<\/auth>/);
  const hash = mechanism.includes("256") ? "sha256" : "sha1";
  const [, gs2 = "", bare = ""] = /^([^,]*,[^,]*,)(.*)$/s.exec(Buffer.from(first, "base64").toString()) ?? [];
  const clientNonce = /r=(.*)$/.exec(bare)?.[1] ?? "";
  const nonce = (how.nonce ?? (one => `${one}${randomBytes(9).toString("base64")}`))(clientNonce);
  const salt = randomBytes(12);
  const serverFirst = `r=${nonce},s=${base64(salt)},i=${iterations}`;
  line.send(`<challenge xmlns='${sasl}'>${base64(serverFirst)}</challenge>`);
  const [, response = ""] = await line.expect(/<response [^>]*>([^<]*)<\/response>/);
  const final = Buffer.from(response, "base64").toString();
  const [, withoutProof = "", proof = ""] = /^(.*),p=(.*)$/s.exec(final) ?? [];
  const salted = pbkdf2Sync(how.password, salt, iterations, hash === "sha256" ? 32 : 20, hash);
  const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest();
  const message = `${bare},${serverFirst},${withoutProof}`;
  const clientKey = hmac(salted, "Client Key");
  const signature = hmac(createHash(hash).update(clientKey).digest(), message);
  const given = Buffer.from(proof, "base64");
  const proved = clientKey.every((byte, index) => byte === ((given[index] ?? 0) ^ (signature[index] ?? 0)));
  const bound = Buffer.concat([Buffer.from(gs2), bindingData(line.socket, gs2)]);
  const right = proved && withoutProof.startsWith(`c=${base64(bound)},`);
  const honest = `v=${base64(hmac(hmac(salted, "Server Key"), message))}`;
  const said = base64((how.signature ?? (one => one))(honest));
  if (!right) line.send(`<failure xmlns='${sasl}'><not-authorized/></failure>`);
  else if (how.signatureInChallenge) {
    line.send(`<challenge xmlns='${sasl}'>${said}</challenge>`);
    await line.expect(/<response [^>]*?(\/>|><\/response>)/);
    line.send(`<success xmlns='${sasl}'/>`);
  } else line.send(`<success xmlns='${sasl}'>${said}</success>`);
  return { mechanism, gs2, right };
}

function bindingData(socket: TLSSocket, gs2: string): Buffer {
  if (gs2.startsWith("p=tls-exporter")) {
    return socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0));
  }
  if (!gs2.startsWith("p=tls-server-end-point")) return Buffer.alloc(0);
  const own = socket.getCertificate();
  // The lab's certificates are signed with ECDSA and SHA-256.
  const raw = own !== null && "raw" in own ? (own.raw as Buffer) : Buffer.alloc(0);
  return createHash("sha256").update(new X509Certificate(raw).raw).digest();
}

/** Answers the bind and, when asked, enables stream management. */
export async function playBind(line: Line): Promise<void> {
  const [, id = ""] = await line.expect(/<iq [^>]*id='([^']*)'[^>]*><bind/);
  line.send(
    `<iq type='result' id='${id}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>edge@isthmus.localhost/r1</jid></bind></iq>`,
  );
  await line.expect(/<enable /);
  line.send("<enabled xmlns='urn:xmpp:sm:3' id='sm1' resume='true'/>");
}
