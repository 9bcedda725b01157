// A name server for a few domains that exist only on this machine (RFC 1035, RFC 2782): it knows where their XMPP servers
// are, says of everything else that it does not exist, and asks nobody.

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { loopback } from "./ports.ts";

export interface NameServer extends AsyncDisposable {
  /** UDP, on the loopback interface. */
  readonly port: number;
}

const typeSrv = 33;
const headerBytes = 12;
/** An authoritative answer that says yes to recursion: Erlang takes no other where it asked for it. */
const flagsFound = 0x8580;
const flagsNotFound = 0x8583;
const lifeSeconds = 60;

/** `servers`: by domain the port of its XMPP server, which is on "localhost". */
export async function startNameServer(servers: Readonly<Record<string, number>>): Promise<NameServer> {
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address }) => {
    const answer = answerTo(query, servers);
    if (answer !== undefined) socket.send(answer, port, address);
  });
  socket.bind(0, loopback);
  await once(socket, "listening");
  return {
    port: socket.address().port,
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, "close");
    },
  };
}

function answerTo(query: Buffer, servers: Readonly<Record<string, number>>): Buffer | undefined {
  const question = questionIn(query);
  if (question === undefined) return undefined;
  const [, domain = ""] = /^_xmpp-server\._tcp\.(.+)$/i.exec(question.name) ?? [];
  const port = question.type === typeSrv ? servers[domain.toLowerCase()] : undefined;
  const header = Buffer.alloc(headerBytes);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(port === undefined ? flagsNotFound : flagsFound, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(port === undefined ? 0 : 1, 6);
  const asked = query.subarray(headerBytes, question.end);
  return Buffer.concat([header, asked, ...(port === undefined ? [] : [serviceRecord(port)])]);
}

/** The first question; undefined for what is none. */
function questionIn(query: Buffer): { name: string; type: number; end: number } | undefined {
  const labels: string[] = [];
  let at = headerBytes;
  for (;;) {
    const length = query[at];
    if (length === undefined || length > 63) return undefined;
    at += 1;
    if (length === 0) break;
    labels.push(query.toString("latin1", at, at + length));
    at += length;
  }
  return at + 4 > query.length ? undefined : { name: labels.join("."), type: query.readUInt16BE(at), end: at + 4 };
}

/** Of the name in the question, to which it points back. */
function serviceRecord(port: number): Buffer {
  const target = Buffer.from("\x09localhost\x00", "latin1");
  const fixed = Buffer.alloc(18);
  fixed.writeUInt16BE(0xc000 | headerBytes, 0);
  fixed.writeUInt16BE(typeSrv, 2);
  fixed.writeUInt16BE(1, 4);
  fixed.writeUInt32BE(lifeSeconds, 6);
  fixed.writeUInt16BE(6 + target.length, 10);
  fixed.writeUInt16BE(port, 16);
  return Buffer.concat([fixed, target]);
}
