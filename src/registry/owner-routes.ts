// Provisioning for owners: answers to questions, and management of what was answered (provisioning-owner.md, sections 2
// and 3), in every generation, as iq or, for rules and clearing, as a message that gets no answer.

import { categoryMask } from "#contract/field.ts";
import { inEveryGeneration, namespace, sibling } from "#iot/generations.ts";
import * as device from "#iot/provisioning-device.wire.ts";
import * as wire from "#iot/provisioning-owner.wire.ts";
import type { Codec } from "#xml/codec.ts";
import { type Element, element } from "#xml/element.ts";
import { type InboundMessage, type MessageRoute, type Route, route } from "#xmpp/router.ts";
import { componentNs, StanzaError } from "#xmpp/stanza.ts";
import { decideFriend } from "./decisions.ts";
import type { Answer, AnswerOrigin } from "./rules.ts";
import { foundElement, page } from "./search-routes.ts";
import type { Service } from "./service.ts";

/** Changes what the owner says; the result is what remains to be done once he has his answer. */
type Act<T> = (value: T, owner: string) => Promise<() => Promise<void>>;

interface Deed<T> {
  readonly codec: Codec<T>;
  readonly act: Act<T>;
}

// biome-ignore lint/suspicious/noExplicitAny: deeds differ in the type of their element; each codec feeds its own act.
const deeds = (service: Service): readonly Deed<any>[] => [
  deed(wire.isFriendRule, ({ range, ...said }, owner) =>
    answer(service, owner, { ...about(said), kind: "friend", origin: { kind: ranges[range] }, limit: undefined }),
  ),
  deed(wire.canReadRule, ({ node, partial, origin, ...said }, owner) => {
    const limit = partial && { categories: categoryMask(partial.categories), ...named(partial.names) };
    return answer(service, owner, { ...about(said), kind: "read", node, limit, origin: originOf(origin) });
  }),
  deed(wire.canControlRule, ({ node, partial, origin, ...said }, owner) =>
    answer(service, owner, {
      ...about(said),
      kind: "control",
      node,
      limit: partial && named(partial.names),
      origin: originOf(origin),
    }),
  ),
  deed(wire.clearCache, ({ jid, ref }, owner) => clear(service, owner, jid, ref, false)),
  deed(wire.deleteRules, ({ jid, ref }, owner) => clear(service, owner, jid, ref, true)),
];

const deed = <T>(codec: Codec<T>, act: Act<T>): Deed<T> => ({ codec, act });

export const ownerRoutes = (service: Service): Route[] =>
  inEveryGeneration("provisioningOwner", ns => [
    ...deeds(service).map(({ codec, act }) =>
      route(["set"], ns, codec, async (value, request) => {
        const rest = await act(value, request.fromBare);
        service.after(request, codec.name, rest);
        return undefined;
      }),
    ),
    route(["get"], ns, wire.getDevices, async ({ offset, maxCount }, request) => {
      const { rows, count } = page(maxCount);
      const things = await service.store.thingsOwned(request.fromBare, offset, rows);
      // Who looks at his things is there to be asked (PROVO-Q-06).
      service.after(request, "questions", () => service.questions.resend(request.fromBare, 0));
      return foundElement(service, things, count, sibling(ns, "provisioningOwner", "discovery"));
    }),
  ]);

export const ownerMessages = (service: Service): MessageRoute[] =>
  inEveryGeneration("provisioningOwner", ns =>
    deeds(service).map(({ codec, act }) => ({
      ns,
      name: codec.name,
      handle: async ({ payload, fromBare }: InboundMessage) => {
        const rest = await act(codec.decode(payload), fromBare);
        service.background(codec.name, rest);
      },
    })),
  );

async function answer(service: Service, owner: string, said: Answer): Promise<() => Promise<void>> {
  const thing = await service.rules.answer(owner, said).catch(error => {
    // Somebody guesses keys (PROVO-THR-05).
    if (error instanceof StanzaError && error.type === "wait")
      service.log.warning("RateLimited", { sender: owner, element: "rule" });
    throw error;
  });
  return async () => {
    if (said.kind === "friend") await tellFriendship(service, thing.jid, said);
    await service.pushes.deliver(thing.jid);
  };
}

async function clear(
  service: Service,
  owner: string,
  jid: string | undefined,
  ref: Parameters<Service["rules"]["clear"]>[2],
  forget: boolean,
): Promise<() => Promise<void>> {
  const devices = await service.rules.clear(owner, jid, ref, forget);
  return async () => {
    for (const one of devices) service.background("clear", () => service.pushes.deliver(one));
  };
}

/** Who was asked about and is refused may be a friend now, which a cleared cache alone does not end (PROVO-RULE-09). */
async function tellFriendship(service: Service, thing: string, { allow, remote }: Answer): Promise<void> {
  if (allow && !service.options.friendOnAccept) return;
  // What was said of many may be overruled by what was said of him.
  const { result } = await decideFriend(service.store, thing, remote);
  if (result !== allow) return;
  const ns = namespace("provisioningDevice", await service.peers.generation(thing));
  const payload = (allow ? device.friend : device.unfriend).encode({ jid: remote }, ns);
  service.connection.send(message(service.options.jid, thing, payload));
}

const message = (from: string, to: string, payload: Element): Element =>
  element("message", componentNs, { from, to }, [payload, element("store", "urn:xmpp:hints")]);

interface Said {
  readonly jid: string;
  readonly remoteJid: string;
  readonly key: string;
  readonly result: boolean;
}

const about = ({ jid, remoteJid, key, result }: Said) => ({
  device: jid,
  remote: remoteJid,
  key,
  allow: result,
  node: undefined,
});

const named = (names: readonly string[]) => ({ names: names.length === 0 ? undefined : names });

const ranges = { Caller: "caller", Domain: "domain", All: "all" } as const;

function originOf(origin: wire.Origin): AnswerOrigin {
  switch (origin.kind) {
    case "fromJid":
      return { kind: "caller" };
    case "fromDomain":
      return { kind: "domain" };
    case "all":
      return { kind: "all" };
    case "fromService":
      return { kind: "service", token: origin.token };
    case "fromDevice":
      return { kind: "device", token: origin.token };
    case "fromUser":
      return { kind: "user", token: origin.token };
  }
}
