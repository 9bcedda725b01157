// The broker's end of a component's stream (XEP-0114) and nothing behind it: stanzas as text go straight to the component and
// its answers straight back, so that what is measured is the component and not the broker.

import { createServer, type Socket } from "node:net";

export interface Wire extends AsyncDisposable {
  readonly port: number;
  /** Sends an iq; resolves with the whole answer as text. `payload` is its content. */
  ask(type: "get" | "set", from: string, payload: string): Promise<string>;
  readonly connected: Promise<void>;
}

/** `jid`: of the component. */
export async function startWire(jid: string): Promise<Wire> {
  const waiting = new Map<string, (answer: string) => void>();
  const connected = Promise.withResolvers<void>();
  let socket: Socket | undefined;
  let out: string[] = [];
  let ids = 0;

  const flush = () => {
    const text = out.join("");
    out = [];
    socket?.write(text);
  };
  const send = (text: string) => {
    if (out.push(text) === 1) setImmediate(flush);
  };
  const take = (stanza: string) => {
    const id = /^<iq [^>]*\bid=['"]([^'"]*)['"]/.exec(stanza)?.[1];
    if (id === undefined) return;
    const resolve = waiting.get(id);
    waiting.delete(id);
    if (resolve !== undefined) return resolve(stanza);
    // The component asks itself through the broker whether the link lives.
    if (stanza.includes("urn:xmpp:ping")) send(`<iq type='result' from='${jid}' to='${jid}' id='${id}'/>`);
    else send(`<iq type='error' from='${jid}' to='${jid}' id='${id}'><error type='cancel'/></iq>`);
  };

  const server = createServer(peer => {
    socket = peer;
    peer.setNoDelay(true).setEncoding("utf8");
    let rest = "";
    let isOpen = false;
    peer.on("data", (chunk: string) => {
      rest += chunk;
      if (!isOpen && rest.includes("<stream:stream") && rest.endsWith(">")) {
        isOpen = true;
        rest = "";
        peer.write(
          `<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' from='${jid}' id='bench'>`,
        );
        return;
      }
      if (rest.includes("</handshake>")) {
        rest = rest.slice(rest.indexOf("</handshake>") + "</handshake>".length);
        peer.write("<handshake/>");
        connected.resolve();
      }
      rest = eachStanza(rest, take);
    });
    peer.on("error", () => {});
  });
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));

  return {
    port: (server.address() as { port: number }).port,
    connected: connected.promise,
    ask: (type, from, payload) =>
      new Promise(resolve => {
        const id = `b${++ids}`;
        waiting.set(id, resolve);
        send(`<iq type='${type}' from='${from}' to='${jid}' id='${id}'>${payload}</iq>`);
      }),
    async [Symbol.asyncDispose]() {
      socket?.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

/** Calls `take` with each whole stanza; what is left over is the beginning of the next. Our own output is simple enough for it. */
function eachStanza(text: string, take: (stanza: string) => void): string {
  let at = 0;
  for (;;) {
    const start = text.indexOf("<", at);
    if (start < 0) return "";
    const name = /^<(iq|message|presence)\b/.exec(text.slice(start, start + 12))?.[1];
    const tagEnd = text.indexOf(">", start);
    if (name === undefined || tagEnd < 0) return text.slice(start);
    const isEmpty = text[tagEnd - 1] === "/";
    const close = `</${name}>`;
    const end = isEmpty ? tagEnd + 1 : text.indexOf(close, tagEnd) + close.length;
    if (!isEmpty && end < tagEnd) return text.slice(start);
    take(text.slice(start, end));
    at = end;
  }
}
