// What goes out on a session, over lost and new streams: messages through the outbox, everything counted for resumption,
// acknowledgements asked for, and a message that the broker cannot bear found and put aside.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { Refusal } from "#contract/faults.ts";
import { ackMs, ackStanzas, outboxBytesMax, stanzaBytesMax } from "#limits.ts";
import { Disconnected } from "./connection.ts";
import { delayed, type Outbox, type StoredMessage } from "./outbox.ts";
import { randomId } from "./requests.ts";
import { askText, createManagement, type Management, type Sent } from "./resume.ts";
import { asStanzaError, decodeError, encodeError, StanzaError, stanzasNs } from "./stanza.ts";
import type { XmlStream } from "./stream.ts";
import { child, type Element, element, format, isElement } from "./xml/element.ts";

export interface TrafficDeps {
  /** Content namespace of the streams: stanzas written for the other kind are put into it. */
  readonly ns: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly outbox: Outbox;
  readonly signal: AbortSignal;
  /** Asks the broker for any answer; for brokers without stream management. */
  readonly roundTrip: () => Promise<unknown>;
  /** An acknowledgement was asked for. */
  readonly asked: () => void;
}

export interface Traffic {
  readonly management: Management;
  /**
   * Any stanza. Throws `Refusal` busy or not-acceptable (too large), and `Disconnected` for questions that can go nowhere;
   * answers and presence that can go nowhere are dropped.
   */
  send(stanza: Element): void;
  /** A stream is bound, or resumed: then what it did not get goes first, then what `greet` sends, then what waits. */
  open(stream: XmlStream, resumed: boolean, jid: string, greet: () => void, stanzaBytes: number): void;
  /** What the broker takes in one stanza. */
  readonly stanzaBytes: number;
  /** The stream is gone; it may be resumed. */
  close(): void;
  acknowledged(stanzas: readonly Sent[]): void;
  /** The old session is gone: messages are to be sent anew. */
  lost(): void;
  /** The broker ended the stream because of something we sent. */
  blamed(): void;
  /** Asks for an acknowledgement of all that was sent. */
  ask(): void;
}

/** A message that waited longer than this says since when. */
const delayShownMs = 10_000;

export function createTraffic({ ns, clock, log, outbox, signal, roundTrip, asked }: TrafficDeps): Traffic {
  const management = createManagement();
  let stream: XmlStream | undefined;
  let jid = "";
  let stanzaBytes = stanzaBytesMax;
  let unasked = 0;
  let asking = false;
  /** Messages on a stream without stream management. */
  let written: number[] = [];
  /** After the broker blamed us, messages go one at a time until all are through: then it is clear which one it was. */
  let careful = false;
  let alone: number | undefined;
  let blamedSeq: number | undefined;

  const transmit = (one: Sent) => {
    stream?.write(one.text);
    management.sent(one);
    if (management.unacknowledgedChars > 2 * outboxBytesMax) {
      if (stream === undefined) lost();
      else stream.destroy("the broker does not acknowledge what is sent");
    }
    if (stream !== undefined && ++unasked >= ackStanzas) ask();
    else askSoon();
  };

  const ask = () => {
    if (stream === undefined || unasked === 0) return;
    unasked = 0;
    if (management.on) {
      stream.write(askText);
      asked();
    } else if (written.length > 0) {
      const covered = written;
      written = [];
      // What was sent before a question was read before its answer was given.
      roundTrip().then(
        () => {
          for (const seq of covered) settled(seq);
        },
        () => {},
      );
    }
  };

  const askSoon = () => {
    if (asking) return;
    asking = true;
    clock.sleep(ackMs, signal).then(
      () => {
        asking = false;
        ask();
      },
      () => {},
    );
  };

  /** Takes from the outbox what the stream may have now. */
  const pump = () => {
    while ((stream !== undefined || management.previous !== undefined) && !(careful && alone !== undefined)) {
      const next = outbox.take();
      if (next === undefined) return;
      if (careful) alone = next.seq;
      if (!management.on) written.push(next.seq);
      transmit({ text: textOf(next), seq: next.seq });
      if (careful) ask();
    }
  };

  const settled = (seq: number) => {
    outbox.done(seq);
    if (!careful) return;
    if (seq === alone) alone = undefined;
    if (outbox.waiting === 0) careful = false;
    pump();
  };

  const textOf = (message: StoredMessage) =>
    clock.now() - message.at > delayShownMs ? delayed(message, jid.split("/", 1)[0] ?? "") : message.text;

  const lost = () => {
    management.forget();
    written = [];
    alone = undefined;
    outbox.rewind();
  };

  return {
    management,
    send(stanza) {
      const named = stanza.attrs.id === undefined && stanza.name !== "presence" ? withId(stanza) : stanza;
      const text = format(named.ns === ns ? named : adopt(named, ns), ns);
      if (text.length > stanzaBytes / 3 && Buffer.byteLength(text) > stanzaBytes) {
        return transmit({ text: format(errorFor(named, ns, stanzaBytes), ns) });
      }
      if (stanza.name === "message") {
        outbox.add(text);
        pump();
      } else if (stream !== undefined || management.previous !== undefined) transmit({ text });
      else if (stanza.name === "iq" && (stanza.attrs.type === "get" || stanza.attrs.type === "set")) {
        throw new Disconnected("there is no connection to the broker");
      }
    },
    open(opened, resumed, address, greet, taken) {
      stream = opened;
      stanzaBytes = taken;
      jid = address;
      unasked = 0;
      if (resumed) {
        for (const one of management.open()) {
          stream.write(one.text);
          unasked++;
        }
        ask();
      }
      greet();
      outbox.setOnline(true);
      pump();
    },
    close() {
      stream = undefined;
      outbox.setOnline(false);
      if (management.previous === undefined) lost();
    },
    acknowledged(stanzas) {
      for (const { seq } of stanzas) if (seq !== undefined) settled(seq);
    },
    lost,
    blamed() {
      const culprit = careful ? alone : undefined;
      if (culprit !== undefined && culprit === blamedSeq) {
        log.error("message-dropped", { why: "the broker ends the stream whenever this message is sent" });
        outbox.done(culprit);
      }
      blamedSeq = culprit;
      careful = true;
      lost();
    },
    ask,
    get stanzaBytes() {
      return stanzaBytes;
    },
  };
}

const withId = (stanza: Element): Element => ({ ...stanza, attrs: { ...stanza.attrs, id: randomId() } });

/** The same stanza in another content namespace; payloads have namespaces of their own and stay. */
const adopt = (stanza: Element, ns: string): Element => ({
  ...stanza,
  ns,
  children: stanza.children.map(one => (isElement(one) && one.ns === stanza.ns ? adopt(one, ns) : one)),
});

/**
 * The broker would end the stream over its size: an answer becomes an error, an error loses its details (who sends ten thousand
 * faults is not told each of them), anything else is refused here.
 */
function errorFor(stanza: Element, ns: string, bytesMax: number): Element {
  const { id, to, from, type } = stanza.attrs;
  const refusal = new Refusal("not-acceptable", `larger than the ${bytesMax} bytes the broker takes`);
  if (stanza.name !== "iq" || (type !== "result" && type !== "error")) throw refusal;
  if (type === "result") return answer(encodeError(asStanzaError(refusal), ns));
  const { type: kind, condition, text } = decodeError(stanza);
  const error = child(stanza, "error");
  const language = error && child(error, "text", stanzasNs)?.attrs["xml:lang"];
  return answer(encodeError(new StanzaError(kind, condition, text), ns, language));

  function answer(payload: Element): Element {
    return element("iq", ns, { type: "error", id, to, from }, [payload]);
  }
}
