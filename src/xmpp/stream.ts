// One XML stream over one socket (RFC 6120 section 4): header, elements in and out, stream errors, the end. Elements come in
// through the strict parser with its bounds; text goes out in one write per turn of the event loop. What elements mean is
// not known here.

import type { Socket } from "node:net";
import type { Clock } from "#base/clock.ts";
import { attributesMax, stanzaBytesMax, stanzaDepthMax, stanzaElementsMax, streamCloseMs } from "#limits.ts";
import { createReader, createWriter } from "./stream-ends.ts";
import { type Element, elements, escapeAttribute, textOf } from "./xml/element.ts";
import { createParser, type XmlLimits, type XmlParser } from "./xml/parser.ts";
import { XmlError } from "./xml/tags.ts";

export const streamsNs = "http://etherx.jabber.org/streams";
export const streamErrorsNs = "urn:ietf:params:xml:ns:xmpp-streams";

/** The stream is over. The message is a sentence for people. */
export class StreamEnded extends Error {
  override name = "StreamEnded";
  /** RFC 6120 section 4.9.3 when a stream error ended it; undefined when the connection just went away or was closed. */
  readonly condition: string | undefined;
  readonly byPeer: boolean;
  constructor(message: string, condition?: string, byPeer = false) {
    super(message);
    this.condition = condition;
    this.byPeer = byPeer;
  }
}

export interface StreamOptions {
  /** Content namespace: jabber:client or jabber:component:accept. */
  readonly ns: string;
  readonly to: string;
  /** Between servers. */
  readonly from?: string;
  /** Version 1.0 streams have features; XEP-0114 streams have none. */
  readonly version?: "1.0";
  readonly language?: string;
  readonly limits?: Partial<XmlLimits>;
}

export interface XmlStream {
  /** Sends a header (anew after log-in) and resolves with the peer's. Rejects with `StreamEnded`. */
  restart(): Promise<Element>;
  /** The next element, for handshakes. Rejects with `StreamEnded`. One reader at a time. */
  read(): Promise<Element>;
  /**
   * From now on elements go to the handler at once, those not yet read first. `tooLarge` gets those that were larger than
   * a limit, without their content: anybody may have sent them through the broker, so they must not cost the stream.
   */
  listen(handler: (node: Element) => void, tooLarge: (node: Element, why: string) => void): void;
  /** Leaves in the same turn of the event loop, together with whatever else is written in it. */
  write(text: string): void;
  /** Closes both halves, waiting for the peer at most `streamCloseMs`. */
  close(): Promise<void>;
  /** Tells the peer what is wrong and ends the stream. */
  fail(condition: string, message: string): void;
  /** Ends at once without a word: for links that are dead. */
  destroy(message: string): void;
  /** Lets go of the socket, for TLS to take it over; what was not read is forgotten. */
  detach(): Socket;
  /** Resolves, never rejects, when it is over. */
  readonly ended: Promise<StreamEnded>;
  readonly over: StreamEnded | undefined;
  /** Monotonic time of the last sign of life. */
  readonly heardAt: number;
}

const standardLimits: XmlLimits = {
  charsMax: stanzaBytesMax,
  depthMax: stanzaDepthMax,
  elementsMax: stanzaElementsMax,
  attributesMax,
};

export function createStream(socket: Socket, options: StreamOptions, clock: Clock): XmlStream {
  const limits = { ...standardLimits, ...options.limits };
  const reader = createReader(() => fail("policy-violation", "the broker sent too much before log-in"));
  const finished = Promise.withResolvers<StreamEnded>();
  let over: StreamEnded | undefined;
  let closing = false;
  let heardAt = clock.monotonic();
  let parser: XmlParser | undefined;
  let decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const writer = createWriter(socket, () => end(new StreamEnded("the broker does not take what is sent")));

  const end = (reason: StreamEnded) => {
    if (over !== undefined) return;
    over = reason;
    reader.end(reason);
    finished.resolve(reason);
    if (!closing) socket.destroy();
  };

  const handler = {
    opened(root: Element) {
      if (root.name !== "stream" || root.ns !== streamsNs) return fail("invalid-namespace", "no XMPP stream");
      reader.header(root);
    },
    element(node: Element) {
      if (over !== undefined) return;
      if (node.ns === streamsNs && node.name === "error") end(peerError(node));
      else reader.element(node);
    },
    tooLarge(node: Element, why: string) {
      if (over === undefined && !reader.tooLarge(node, why)) fail("policy-violation", `the broker sent ${why}`);
    },
    closed() {
      if (!closing) writer.write("</stream:stream>");
      writer.flush();
      closing = true;
      end(new StreamEnded("the broker closed the stream", undefined, true));
      socket.end();
    },
  };

  const fail = (condition: string, message: string) => {
    if (over !== undefined) return;
    writer.write(`<stream:error><${condition} xmlns='${streamErrorsNs}'/></stream:error></stream:stream>`);
    writer.flush();
    closing = true;
    end(new StreamEnded(message, condition));
    socket.end();
    destroyLater();
  };

  const destroyLater = async () => {
    const timer = new AbortController();
    const gone = () => timer.abort();
    socket.once("close", gone);
    if (!socket.destroyed) await clock.sleep(streamCloseMs, timer.signal).catch(() => {});
    socket.off("close", gone);
    socket.destroy();
  };

  const onData = (chunk: Uint8Array) => {
    heardAt = clock.monotonic();
    if (over !== undefined) return;
    try {
      parser?.write(decoder.decode(chunk, { stream: true }));
      // The rest of a long stanza waits, where the broker leaves Nagle's delay on, until what came is confirmed, which our kernel
      // puts off for 40 ms unless something goes out. A blank goes out.
      if (parser?.midway && reader.listening) writer.write(" ");
    } catch (error) {
      if (error instanceof XmlError)
        fail(conditions[error.kind], `the broker sent XML we do not accept: ${error.message}`);
      else if (error instanceof TypeError && "code" in error) fail("unsupported-encoding", "the broker sent no UTF-8");
      else throw error;
    }
  };
  const onError = (error: NodeJS.ErrnoException) =>
    end(new StreamEnded(`the connection was lost (${error.code ?? error.message})`));
  const onClose = () => end(new StreamEnded("the connection was lost"));
  socket.setNoDelay(true);
  socket.on("data", onData).on("error", onError).on("close", onClose).on("end", onClose);
  if (socket.destroyed) onClose();

  return {
    restart() {
      if (over !== undefined) return Promise.reject(over);
      decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
      parser = createParser(handler, limits, 1);
      const answer = reader.restart();
      writer.write(header(options));
      return answer;
    },
    read: reader.read,
    listen: reader.listen,
    write: writer.write,
    async close() {
      if (over === undefined) {
        closing = true;
        writer.write("</stream:stream>");
        writer.flush();
        const late = new AbortController();
        await Promise.race([finished.promise, clock.sleep(streamCloseMs, late.signal).catch(() => {})]);
        late.abort();
        end(new StreamEnded("we closed the stream"));
      }
      socket.destroy();
    },
    fail,
    destroy(message) {
      end(new StreamEnded(message));
      socket.destroy();
    },
    detach() {
      socket.off("data", onData).off("error", onError).off("close", onClose).off("end", onClose);
      writer.detach();
      // Between this owner and the next an error would otherwise be nobody's and end the process.
      socket.on("error", () => {});
      return socket;
    },
    ended: finished.promise,
    get over() {
      return over;
    },
    get heardAt() {
      return heardAt;
    },
  };
}

const conditions = {
  "not-well-formed": "not-well-formed",
  "restricted-xml": "restricted-xml",
  limit: "policy-violation",
} as const;

const header = ({ ns, to, from, version, language = "en" }: StreamOptions): string =>
  `<?xml version='1.0'?><stream:stream xmlns='${ns}' xmlns:stream='${streamsNs}' to='${escapeAttribute(to)}'` +
  `${from === undefined ? "" : ` from='${escapeAttribute(from)}'`}` +
  `${version === undefined ? "" : ` version='${version}' xml:lang='${language}'`}>`;

function peerError(node: Element): StreamEnded {
  const parts = elements(node).filter(one => one.ns === streamErrorsNs);
  const condition = parts.find(one => one.name !== "text")?.name ?? "undefined-condition";
  const text = parts.find(one => one.name === "text");
  const words = text === undefined ? "" : `: ${textOf(text).slice(0, 200)}`;
  return new StreamEnded(`the broker ended the stream (${condition}${words})`, condition, true);
}
