// Any bytes at all, fed to the stream's parser and what comes out of it to the router of a whole appliance: each stanza ends in
// one reply or, where nobody could be told, in silence; nothing throws, nothing is our fault, and nothing else changes.

import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { attributesMax, stanzaBytesMax, stanzaDepthMax, stanzaElementsMax } from "#limits.ts";
import { type Element, format } from "#xml/element.ts";
import { createParser } from "#xml/parser.ts";
import { XmlError } from "#xml/tags.ts";
import {
  type Appliance,
  applianceJid,
  bareOf,
  contact,
  owner,
  registry,
  startAppliance,
  stranger,
  tenant,
} from "../bad-input/appliance.ts";
import { namespacesOf, operations, requestOf } from "../bad-input/operations.ts";

let appliance: Appliance;
beforeAll(async () => {
  appliance = await startAppliance();
});
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]();
});

const limits = {
  charsMax: stanzaBytesMax,
  depthMax: stanzaDepthMax,
  elementsMax: stanzaElementsMax,
  attributesMax,
};

/** What a stream takes of these bytes, as the session does; the end of the stream is where it ends. */
function stanzas(bytes: Uint8Array): Element[] {
  const found: Element[] = [];
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const parser = createParser({ element: node => void found.push(node), tooLarge() {} }, limits, 1);
  parser.write("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>");
  try {
    for (let at = 0; at < bytes.length; at += 512) {
      parser.write(decoder.decode(bytes.subarray(at, at + 512), { stream: true }));
    }
  } catch (error) {
    if (!(error instanceof XmlError) && !(error instanceof TypeError)) throw error;
  }
  return found;
}

const people = [owner, tenant, contact, stranger, ""];
/** Whose word takes owners and contacts away: after theirs most is refused. */
const authorities = [registry, bareOf(applianceJid)];
const requests = operations.flatMap(one => namespacesOf(one).map(ns => requestOf(one, ns)));
const iqFrom = (senders: readonly string[]) =>
  fc
    .tuple(
      fc.constantFrom("get", "get", "set", "set", "result", "error", "put"),
      fc.constantFrom(...senders),
      fc.constantFrom(...requests),
      fc.string({ maxLength: 4 }).filter(id => !/[<>&'"]/.test(id)),
    )
    .map(
      ([type, from, payload, id]) =>
        `<iq type='${type}' from='${from}' to='${applianceJid}' id='${id}'>${payload}</iq>`,
    );
const messageFrom = (senders: readonly string[]) =>
  fc
    .tuple(fc.constantFrom(...senders), fc.constantFrom(...requests))
    .map(([from, payload]) => `<message from='${from}'>${payload}</message>`);

/** Requests with something cut out, put in, doubled or replaced: nearly right is worse than wrong. */
const piece = fc.constantFrom(
  ..."' \" < > / = & ; ]]> <![CDATA[ </iq> <iq> xmlns='' xmlns='urn:nf:iot:sd:1.0' id='' id='own' &#0; &#x41; <nd/> <x/> \u0000 é".split(
    " ",
  ),
  "<x xmlns='jabber:x:data' type='submit'/>",
  "<field var=''><value/></field>",
  "x".repeat(1_025),
  "9".repeat(400),
);
const damages = fc.array(fc.tuple(fc.nat(), fc.nat(12), fc.option(piece, { nil: "" })), { maxLength: 4 });
const damagedFrom = (senders: readonly string[]) =>
  fc
    .tuple(
      fc.oneof(iqFrom(senders), messageFrom(senders)),
      fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: damages }),
    )
    .map(([text, each]) =>
      each.reduce((now, [where, length, put]) => {
        const at = where % (now.length + 1);
        return now.slice(0, at) + put + now.slice(at + length);
      }, text),
    );
/** Attributes and values that are well formed and mean nothing: these reach the router. */
const misreadFrom = (senders: readonly string[]) =>
  fc
    .tuple(
      iqFrom(senders),
      fc.nat(),
      fc.constantFrom("", "own", "0", "true", "-1", "P1Y", "2031-03-02T05:00:00Z", "x".repeat(1_025), "urn:x"),
    )
    .map(([text, which, value]) => {
      const places = [...text.matchAll(/='[^']*'/g)];
      const place = places[which % places.length];
      return place === undefined
        ? text
        : `${text.slice(0, place.index)}='${value}'${text.slice(place.index + place[0].length)}`;
    });
const bytesFrom = (senders: readonly string[]) =>
  fc.oneof(
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
    {
      weight: 8,
      arbitrary: fc
        .array(fc.oneof(damagedFrom(senders), misreadFrom(senders)), { minLength: 1, maxLength: 3 })
        .map(all => new TextEncoder().encode(all.join(""))),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(damagedFrom(senders), fc.nat(), fc.integer({ min: 0, max: 255 }))
        .map(([text, where, octet]) => {
          const all = new TextEncoder().encode(text);
          all[where % all.length] = octet;
          return all;
        }),
    },
  );

it.for([
  ["people", people, 4_000, 100],
  ["those who may take everything from them", authorities, 600, 10],
] as const)(
  "COM-STZ-04, COM-LEX-07: any bytes of %s end in one reply or in silence, never in a throw",
  { timeout: 300_000 },
  async ([, senders, numRuns, wanted]) => {
    const outcomes = { replies: 0, silences: 0, results: 0 };
    const answered = async (stanza: Element): Promise<void> => {
      appliance.replies.clear();
      let over = stanza.name !== "iq" && stanza.name !== "message";
      const working = over ? undefined : appliance.router[stanza.name as "iq" | "message"](stanza);
      void working?.then(() => {
        over = true;
      });
      for (let waited = 0; !over && waited < 30_000; waited += 1_000) await appliance.clock.advance(1_000);
      await working;
      const replies = [...appliance.replies.values()].flat();
      const { type, id } = stanza.attrs;
      const isAnswered = stanza.name === "iq" && type !== "result" && type !== "error" && id !== undefined;
      expect(replies.length, format(stanza)).toBe(isAnswered ? 1 : 0);
      for (const { attrs } of replies) expect([attrs.id, attrs.to]).toEqual([id, stanza.attrs.from]);
      outcomes.replies += replies.length;
      outcomes.silences += replies.length === 0 ? 1 : 0;
      outcomes.results += replies.filter(({ attrs }) => attrs.type === "result").length;
    };
    await fc.assert(
      fc.asyncProperty(bytesFrom(senders), async all => {
        for (const stanza of stanzas(all)) await answered(stanza);
      }),
      { numRuns, seed: 20_261_120 },
    );
    // Else it would be a property of refusals alone, or of nothing.
    expect(Math.min(outcomes.replies, outcomes.silences, outcomes.results), JSON.stringify(outcomes)).toBeGreaterThan(
      wanted,
    );
    // It is still an appliance, and nothing that happened was a fault of ours.
    const faults = appliance.events.filter(({ event }) =>
      ["request-failed", "agenda-work-failed", "inbound-failed"].includes(event),
    );
    expect(faults).toEqual([]);
    const stamped = await appliance.ask("get", "<ping xmlns='urn:xmpp:ping'/>", bareOf(applianceJid));
    expect(stamped.name).toBe("result");
  },
);
