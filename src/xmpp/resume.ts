// Stream management (XEP-0198): both sides count stanzas, so that after a lost connection each sends again exactly what the
// other did not get. Counters and the queue of what is unacknowledged; the session writes and reads.

import { type Element, element, format } from "./xml/element.ts";

export const smNs = "urn:xmpp:sm:3";

/** A stanza that was sent, or would have been while the stream was away. */
export interface Sent {
  readonly text: string;
  /** The outbox's number when it is a message. */
  readonly seq?: number;
}

/** The broker acknowledges what was never sent: the stream's count is broken and with it the stream. */
export class CountError extends Error {
  override name = "CountError";
}

export interface Management {
  /** True between `enabled` and `forget`: stanzas are counted and the stream may be resumed. */
  readonly on: boolean;
  /** What to ask for after a loss; undefined when there is nothing to resume. */
  readonly previous: string | undefined;
  readonly handled: number;
  readonly unacknowledged: number;
  readonly unacknowledgedChars: number;
  /** `id` is absent when the broker does not let us resume. */
  enabled(id: string | undefined): void;
  sent(one: Sent): void;
  received(): void;
  /** What `h` newly covers, in order. Throws `CountError`. */
  acknowledge(h: string | undefined): Sent[];
  /** All that is still open, in order, and forgets the stream. */
  forget(): Sent[];
  /** For writing again on a resumed stream. */
  open(): readonly Sent[];
}

const counterModulus = 2 ** 32;

export function createManagement(): Management {
  let on = false;
  let previous: string | undefined;
  let handled = 0;
  let acknowledged = 0;
  let chars = 0;
  let queue: Sent[] = [];
  // Acknowledged ones at the head are cut off together: shifting one by one would move the whole queue each time.
  return {
    get on() {
      return on;
    },
    get previous() {
      return previous;
    },
    get handled() {
      return handled;
    },
    get unacknowledged() {
      return queue.length;
    },
    get unacknowledgedChars() {
      return chars;
    },
    enabled(id) {
      on = true;
      previous = id;
      handled = 0;
      acknowledged = 0;
    },
    sent(one) {
      if (!on) return;
      queue.push(one);
      chars += one.text.length;
    },
    received() {
      if (on) handled = (handled + 1) % counterModulus;
    },
    acknowledge(h) {
      const value = h !== undefined && /^\d{1,10}$/.test(h) ? Number(h) : Number.NaN;
      const count = (value - acknowledged + counterModulus) % counterModulus;
      if (!(value < counterModulus && count <= queue.length))
        throw new CountError("the broker acknowledges what was never sent");
      acknowledged = value;
      const covered = queue.splice(0, count);
      for (const { text } of covered) chars -= text.length;
      return covered;
    },
    forget() {
      const left = queue;
      on = false;
      previous = undefined;
      queue = [];
      chars = 0;
      return left;
    },
    open: () => queue,
  };
}

export const enableText: string = format(element("enable", smNs, { resume: "true" }));
export const askText: string = format(element("r", smNs));
export const answerText = (handled: number): string => `<a xmlns='${smNs}' h='${handled}'/>`;
export const resumeText = (previous: string, handled: number): string =>
  format(element("resume", smNs, { previd: previous, h: String(handled) }));

export const isManagement = (node: Element, name: string): boolean => node.ns === smNs && node.name === name;
