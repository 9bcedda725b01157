// Cuts a readout into `resp` elements below a byte bound (COM-STZ-09, SD-RESP-02, -05, -06). Each piece stands by itself:
// `nd` and `ts` are opened anew in it, grouped by node and oldest first.

import type { Reading } from "#contract/field.ts";
import { nodeKey } from "#contract/node.ts";
import type { Part } from "#xml/codec.ts";
import { type Element, element, noAttributes } from "#xml/element.ts";
import { formattedBytes } from "#xml/size.ts";
import { nodeAttributes } from "./address.wire.ts";
import { encodeErr, encodeField, encodeTimestamp } from "./fields.wire.ts";

export interface Fragments {
  /** Takes one reading. Returns the pieces that became full by it; they are followed by more. */
  add(reading: Reading): Element[];
  /** An error of the readout as a whole, belonging to no node; never in one piece with nodes (SD-RESP-05). */
  fail(at: number, message: string): Element[];
  /** Nothing is waiting in the piece at hand. */
  readonly isEmpty: boolean;
  /** The piece at hand, perhaps empty, and begins a new one. */
  take(more: boolean): Element;
}

interface Pending {
  readonly attrs: Readonly<Record<string, string>>;
  readonly samples: Map<number, Element[]>;
}

/** Where something said belongs: a node at a time. */
interface Place {
  readonly key: string;
  readonly attrs: Readonly<Record<string, string>>;
  readonly at: number;
  readonly nodeBytes: number;
}

/** `<ts v='2031-03-02T05:00:00.000Z'></ts>`, and room for years that do not have four digits. */
const timestampBytes = 48;

/** `bytesMax` bounds the UTF-8 length of each piece as it is written inside a stanza of another namespace. */
export function createFragments(id: string, ns: string, bytesMax: number): Fragments {
  const emptyBytes = formattedBytes(element("resp", ns, { id, more: "true" }));
  const nodes = new Map<string, Pending>();
  let loose: Element[] = [];
  let bytes = emptyBytes;

  const isEmpty = () => nodes.size === 0 && loose.length === 0;

  const take = (more: boolean): Element => {
    const children = loose;
    for (const { attrs, samples } of nodes.values()) {
      const inOrder = samples.size === 1 ? samples : [...samples].sort(([a], [b]) => a - b);
      const timestamps: Element[] = [];
      for (const [at, items] of inOrder) timestamps.push(encodeTimestamp(at, ns, items));
      children.push({ name: "nd", ns, attrs, children: timestamps });
    }
    nodes.clear();
    loose = [];
    bytes = emptyBytes;
    return element("resp", ns, { id, more: more ? "true" : undefined }, children);
  };

  /** False when it is too long for any piece. */
  const put = (place: Place, item: Element, full: Element[]): boolean => {
    const { key, attrs, at } = place;
    const size = formattedBytes(item, ns);
    const alone = size + timestampBytes + place.nodeBytes;
    if (emptyBytes + alone > bytesMax) return false;
    let node = nodes.get(key);
    const cost = node === undefined ? alone : node.samples.has(at) ? size : size + timestampBytes;
    const fits = bytes + cost <= bytesMax;
    if (!fits) {
      full.push(take(true));
      node = undefined;
    }
    if (node === undefined) nodes.set(key, (node = { attrs, samples: new Map() }));
    const items = node.samples.get(at);
    if (items === undefined) node.samples.set(at, [item]);
    else items.push(item);
    bytes += fits ? cost : alone;
    return true;
  };

  const placeOf = ({ node, at }: Reading): Place => {
    const attrs = attributesOf(nodeAttributes, node);
    return { key: nodeKey(node), attrs, at, nodeBytes: formattedBytes({ name: "nd", ns, attrs, children: [] }, ns) };
  };

  return {
    add(reading) {
      const full: Element[] = [];
      const place = placeOf(reading);
      if (reading.kind === "fault") {
        put(place, encodeErr(reading.message.slice(0, errorCharsMax), ns), full);
        return full;
      }
      for (const field of reading.fields) {
        const item = encodeField(field, ns);
        if (!put(place, item, full)) {
          const name = field.name.slice(0, nameCharsMax);
          put(place, encodeErr(`${name}: the value is too long to be sent`, ns), full);
        }
      }
      return full;
    },
    fail(at, message) {
      const full = nodes.size > 0 ? [take(true)] : [];
      const item = encodeTimestamp(at, ns, [encodeErr(message.slice(0, errorCharsMax), ns)]);
      loose.push(item);
      bytes += formattedBytes(item, ns);
      return full;
    },
    get isEmpty() {
      return isEmpty();
    },
    take,
  };
}

const errorCharsMax = 1024;
const nameCharsMax = 256;

const attributesOf = <T>(part: Part<T>, value: T): Record<string, string> => {
  const draft = { attrs: noAttributes(), children: [] };
  part.write(value, draft, "");
  return draft.attrs;
};
