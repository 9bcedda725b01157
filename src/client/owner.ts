// The owner's side: claiming things, seeing what one owns, taking the service's questions and answering them. Discovery and
// Provisioning for owners.

import type { NodeRef, Tag } from "#contract/node.ts";
import * as disco from "#iot/discovery.wire.ts";
import { type Generation, namespace, namespaces } from "#iot/generations.ts";
import { type ClaimUri, decodeUri } from "#iot/iotdisco.ts";
import * as owner from "#iot/provisioning-owner.wire.ts";
import type { Codec } from "#xml/codec.ts";
import { child, type Element, element, elements } from "#xml/element.ts";
import type { Connection } from "#xmpp/connection.ts";
import { domainOf, isDomainJid } from "#xmpp/jid.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import type { Inbox } from "./inbox.ts";
import { type AskedOfOwner, type OwnerRule, questionOfItem, ruleOfItem } from "./owner-lists.ts";
import { type Answer, type OwnerQuestion, questionOf, ruleOf } from "./questions.ts";
import { createVouching } from "./vouching.ts";

export interface OwnedThing {
  readonly jid: string;
  readonly ref: NodeRef;
  readonly tags: readonly Tag[];
}

export interface Owner {
  /** Sends the KEY to the registry the URI names, after that has shown to be one. Resolves with what was claimed. */
  claim(uri: string, isPublic: boolean, signal: AbortSignal): Promise<{ jid: string; ref: NodeRef; isPublic: boolean }>;
  disown(thing: { jid: string; ref: NodeRef }, signal: AbortSignal): Promise<void>;
  /** At that domain; at one's own unless said. */
  things(signal: AbortSignal, domain?: string): Promise<OwnedThing[]>;
  /**
   * Questions as they come, those repeated by the service once, until disposed: those of the service of the device's own
   * domain about something one owns there. `doubted` is told of others, and why they are not believed.
   */
  onQuestion(
    take: (question: OwnerQuestion) => void,
    doubted?: (question: OwnerQuestion, why: string) => void,
  ): Disposable;
  answer(question: OwnerQuestion, answer: Answer, signal: AbortSignal): Promise<void>;
  /** The rules of all one's things; the interfaces have no element for it, so it is an ad-hoc command of the service. */
  rules(signal: AbortSignal, domain?: string): Promise<OwnerRule[]>;
  /** What was asked of one and is not answered, by the service of that domain; one's own unless said. Also an ad-hoc command. */
  asked(signal: AbortSignal, domain?: string): Promise<AskedOfOwner[]>;
  /** Of one thing, or of all at that domain; at one's own unless said. */
  deleteRules(of: { jid?: string; ref?: NodeRef }, signal: AbortSignal, domain?: string): Promise<void>;
}

export interface OwnerDeps {
  readonly connection: Connection;
  readonly inbox: Inbox;
  /** The registry and provisioning services of a domain, found by disco; cached by the maker. */
  readonly services: (domain: string, signal: AbortSignal) => Promise<Services>;
  /** Confirms by disco that a JID is a registry, and in which generations it speaks. */
  readonly registryAt: (jid: string, signal: AbortSignal) => Promise<Service | undefined>;
  /** This registry knew a KEY of ours: of several of that domain it is the one that is meant. Does not reject. */
  readonly trusted?: (registry: string, domain: string, signal: AbortSignal) => Promise<void>;
}

export interface Service {
  readonly jid: string;
  readonly features: ReadonlySet<string>;
}

export interface Services {
  readonly registry?: Service;
  readonly provisioning?: Service;
}

const pageSize = 100;
const nowhere: NodeRef = { nodeId: "", sourceId: "", partition: "" };

export function createOwner(deps: OwnerDeps): Owner {
  const { connection } = deps;
  const ownDomain = () => domainOf(connection.jid);

  const registryOf = async (claim: ClaimUri | undefined, signal: AbortSignal): Promise<Service> => {
    const named = claim?.registry;
    if (named !== undefined && !isDomainJid(named)) throw new Error("the URI names no registry but something else");
    const found =
      named === undefined ? (await deps.services(ownDomain(), signal)).registry : await deps.registryAt(named, signal);
    if (found === undefined) {
      throw new StanzaError(
        "cancel",
        "item-not-found",
        named ? `${named} is no registry` : `no registry at ${ownDomain()}`,
      );
    }
    return found;
  };

  const askRegistry = async <T>(to: Service, type: "get" | "set", codec: Codec<T>, value: T, signal: AbortSignal) =>
    await connection.request(
      type,
      to.jid,
      codec.encode(value, namespace("discovery", generationFor(to, "discovery"))),
      { signal },
    );

  const askService = async <T>(
    service: string,
    generation: Generation,
    type: "get" | "set",
    codec: Codec<T>,
    value: T,
    signal: AbortSignal,
  ) =>
    await connection.request(type, service, codec.encode(value, namespace("provisioningOwner", generation)), {
      signal,
    });

  const provisioning = async (domain: string, signal: AbortSignal): Promise<Service> => {
    const found = (await deps.services(domain, signal)).provisioning;
    if (found === undefined)
      throw new StanzaError("cancel", "item-not-found", `${domain} has no provisioning service that answers`);
    return found;
  };

  /** The items of the form with which the service answers the command. */
  const listed = async (domain: string, node: string, signal: AbortSignal): Promise<Element[]> => {
    const service = await provisioning(domain, signal);
    const command = element("command", commandsNs, { node, action: "execute" });
    const reply = await connection.request("set", service.jid, command, { signal });
    const form = reply === undefined ? undefined : child(reply, "x", "jabber:x:data");
    return form === undefined ? [] : elements(form).filter(one => one.name === "item");
  };

  const things = async (domain: string, signal: AbortSignal): Promise<OwnedThing[]> => {
    const service = await provisioning(domain, signal);
    const all: OwnedThing[] = [];
    for (let more = true; more; ) {
      const value = { offset: all.length, maxCount: pageSize };
      const reply = await askService(
        service.jid,
        generationFor(service, "provisioningOwner"),
        "get",
        owner.getDevices,
        value,
        signal,
      );
      const page = reply === undefined ? { more: false, things: [] } : disco.found.decode(reply);
      all.push(...page.things.map(({ jid, ref, tags }) => ({ jid, ref, tags })));
      more = page.more && page.things.length > 0;
    }
    return all;
  };
  const vouching = createVouching({ services: deps.services, things });

  return {
    async claim(uri, isPublic, signal) {
      const decoded = decodeUri(uri);
      if (decoded.kind !== "claim") throw new StanzaError("modify", "bad-request", "this is no claim: it has no KEY");
      const registry = await registryOf(decoded, signal);
      const mine = (tags: readonly Tag[]) =>
        askRegistry(registry, "set", disco.mine, { ref: nowhere, isPublic, tags }, signal);
      // A URI of another encoder may mean its percent signs (URI-DEC-02).
      const { tags, retryTags = tags } = decoded;
      const reply = await mine(tags)
        .catch(error => (isUnknown(error) && retryTags !== tags ? mine(retryTags) : Promise.reject(error)))
        .catch(error => Promise.reject(isUnknown(error) ? unclaimable() : error));
      if (reply === undefined)
        throw new StanzaError("cancel", "undefined-condition", "the registry did not say what was claimed");
      const claimed = disco.claimed.decode(reply);
      await deps.trusted?.(registry.jid, domainOf(claimed.jid), signal);
      return { jid: claimed.jid, ref: claimed.ref, isPublic: claimed.isPublic ?? isPublic };
    },
    async disown({ jid, ref }, signal) {
      const found = (await deps.services(domainOf(jid), signal)).registry;
      if (found === undefined) throw new StanzaError("cancel", "item-not-found", `no registry at ${domainOf(jid)}`);
      await askRegistry(found, "set", disco.disown, { jid, ref }, signal);
    },
    things(signal, domain = ownDomain()) {
      const owned = things(domain, signal);
      vouching.learn(domain, owned);
      return owned;
    },
    onQuestion(take, doubted) {
      const seen = new Set<string>();
      const life = new AbortController();
      const judge = async (question: OwnerQuestion, known: string) => {
        const why = await vouching.doubt(question, life.signal);
        if (life.signal.aborted) return;
        if (why === undefined) return take(question);
        // Sent again it is judged again: what was doubted may have been a service that did not answer.
        seen.delete(known);
        doubted?.(question, why);
      };
      const subscriptions = namespaces("provisioningOwner").flatMap(ns =>
        (["isFriend", "canRead", "canControl"] as const).map(kind =>
          deps.inbox.onMessage(ns, kind, message => {
            const question = questionOf(kind, message);
            if (question === undefined) return;
            const known = `${question.service} ${question.key}`;
            if (seen.has(known)) return;
            seen.add(known);
            void judge(question, known);
          }),
        ),
      );
      return {
        [Symbol.dispose]() {
          for (const one of subscriptions) one[Symbol.dispose]();
          life.abort();
        },
      };
    },
    async answer(question, answer, signal) {
      // The rule goes to the service of the device's own domain, found by disco, never merely to who sent the question
      // (PROVO-Q-08, PROVO-THR-01).
      const service = await provisioning(domainOf(question.device), signal);
      if (service.jid !== question.service)
        throw new StanzaError("auth", "forbidden", `${question.service} may not ask about ${question.device}`);
      const rule = ruleOf(question, answer);
      await connection.request("set", service.jid, rule, { signal });
    },
    rules: async (signal, domain = ownDomain()) => (await listed(domain, "rules", signal)).map(ruleOfItem),
    asked: async (signal, domain = ownDomain()) => (await listed(domain, "questions", signal)).map(questionOfItem),
    async deleteRules({ jid, ref }, signal, domain = ownDomain()) {
      const service = await provisioning(jid === undefined ? domain : domainOf(jid), signal);
      await askService(
        service.jid,
        generationFor(service, "provisioningOwner"),
        "set",
        owner.deleteRules,
        { jid, ref: ref ?? nowhere },
        signal,
      );
    },
  };
}

const isUnknown = (error: unknown): boolean => error instanceof StanzaError && error.condition === "item-not-found";

const unclaimable = (): StanzaError => {
  const why =
    "nothing that can be claimed has this code: it was claimed before, or the code is not exactly that of the label";
  return new StanzaError("cancel", "item-not-found", why);
};

const generationFor = (service: Service, family: "discovery" | "provisioningOwner"): Generation =>
  (["nf", "nfi", "ieee"] as const).find(one => service.features.has(namespace(family, one))) ?? "nf";

/** XEP-0050. */
const commandsNs = "http://jabber.org/protocol/commands";
