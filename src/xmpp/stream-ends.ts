// The two ends of a stream's elements: those that came in and wait for a reader, and the text that waits for the socket.
// Both bounded.

import type { Socket } from "node:net";
import { handshakeElementsMax, streamBufferCharsMax } from "#limits.ts";
import type { Element } from "./xml/element.ts";

/** Elements in order to whoever waits: a handshake's `read`, then a listener. */
export function createReader(overflow: () => void) {
  const unread: Element[] = [];
  let waiting: PromiseWithResolvers<Element> | undefined;
  let opening: PromiseWithResolvers<Element> | undefined;
  let listener: ((node: Element) => void) | undefined;
  let largeListener: ((node: Element, why: string) => void) | undefined;
  let reason: Error | undefined;
  return {
    restart(): Promise<Element> {
      opening = Promise.withResolvers<Element>();
      // Bytes after the element that ended the old stream belong to nobody; a well-behaved broker sends none.
      unread.length = 0;
      listener = undefined;
      largeListener = undefined;
      return opening.promise;
    },
    header(root: Element) {
      opening?.resolve(root);
      opening = undefined;
    },
    element(node: Element) {
      if (listener !== undefined) listener(node);
      else if (waiting === undefined) {
        if (unread.length < handshakeElementsMax) unread.push(node);
        else overflow();
      } else {
        waiting.resolve(node);
        waiting = undefined;
      }
    },
    read(): Promise<Element> {
      const first = unread.shift();
      if (first !== undefined) return Promise.resolve(first);
      if (reason !== undefined) return Promise.reject(reason);
      waiting = Promise.withResolvers<Element>();
      return waiting.promise;
    },
    /** False when nobody listens yet. */
    tooLarge(node: Element, why: string): boolean {
      largeListener?.(node, why);
      return largeListener !== undefined;
    },
    listen(handler: (node: Element) => void, tooLarge: (node: Element, why: string) => void) {
      largeListener = tooLarge;
      for (let node = unread.shift(); node !== undefined; node = unread.shift()) handler(node);
      listener = handler;
    },
    get listening() {
      return listener !== undefined;
    },
    end(why: Error) {
      reason = why;
      waiting?.reject(why);
      opening?.reject(why);
    },
  };
}

/** Joins what is written in one turn of the event loop; holds it back while the socket is full. */
export function createWriter(socket: Socket, overflow: () => void) {
  let pending = "";
  let scheduled = false;
  let full = false;
  const flush = () => {
    scheduled = false;
    if (full || pending === "" || socket.destroyed || !socket.writable) return;
    const text = pending;
    pending = "";
    full = !socket.write(text);
  };
  const onDrain = () => {
    full = false;
    flush();
  };
  socket.on("drain", onDrain);
  return {
    write(text: string) {
      pending += text;
      if (pending.length > streamBufferCharsMax) {
        pending = "";
        overflow();
      } else if (!scheduled && !full) {
        scheduled = true;
        setImmediate(flush);
      }
    },
    flush,
    detach: () => void socket.off("drain", onDrain),
  };
}
