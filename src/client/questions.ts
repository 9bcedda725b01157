// Questions of a provisioning service to an owner, and his answers as rules. Provisioning for owners, sections 1 and 2.

import { noTokens, type Tokens } from "#contract/caller.ts";
import { type Categories, noCategories } from "#contract/field.ts";
import { type NodeRef, rootRef } from "#contract/node.ts";
import { type Generation, generationOf, namespace } from "#iot/generations.ts";
import * as owner from "#iot/provisioning-owner.wire.ts";
import type { Element } from "#xml/element.ts";
import { bareJid, isDomainJid } from "#xmpp/jid.ts";
import type { ClientMessage } from "./inbox.ts";

/** What somebody wants of a thing of ours. */
export interface OwnerQuestion {
  readonly kind: "isFriend" | "canRead" | "canControl";
  readonly key: string;
  /** The device, bare JID. */
  readonly device: string;
  /** Who asks, bare JID. Hostile input: show it whole, escaped. */
  readonly remote: string;
  readonly node: NodeRef;
  readonly categories: Categories;
  /** Fields or parameters asked for; empty = all. */
  readonly names: readonly string[];
  /** Whose keys were proven, as the service says; each can be what the answer rests on. */
  readonly tokens: Tokens;
  /** The service that asked and that gets the answer; validated by `accepts`. */
  readonly service: string;
  readonly generation: Generation;
}

/** Everybody who proves to have the key of this token. */
export interface TokenRange {
  readonly kind: keyof Tokens;
  readonly token: string;
}

export interface Answer {
  readonly allow: boolean;
  /** Whom the answer is for, beside the caller himself. Never preselect more than "caller". */
  readonly range: "caller" | "domain" | "all" | TokenRange;
  /** Limits: empty names = all names; undefined categories = all categories. */
  readonly names: readonly string[];
  readonly categories?: Categories;
}

/** The question of a message, or undefined when it is none or does not come from a service (a domain JID). */
export function questionOf(kind: OwnerQuestion["kind"], { from, payload }: ClientMessage): OwnerQuestion | undefined {
  const generation = generationOf("provisioningOwner", payload.ns);
  const service = bareJid(from);
  if (generation === undefined || service === undefined || !isDomainJid(from)) return undefined;
  const base = { kind, service, generation, node: rootRef, categories: noCategories, names: [], tokens: noTokens };
  if (kind === "isFriend") {
    const said = owner.isFriendQuestion.decode(payload);
    return { ...base, key: said.key, device: said.jid, remote: said.remoteJid };
  }
  if (kind === "canRead") {
    const said = owner.canReadQuestion.decode(payload);
    return {
      ...base,
      key: said.key,
      device: said.jid,
      remote: said.remoteJid,
      node: said.nodes[0] ?? rootRef,
      categories: said.categories,
      names: said.names,
      tokens: said.tokens,
    };
  }
  const said = owner.canControlQuestion.decode(payload);
  return {
    ...base,
    key: said.key,
    device: said.jid,
    remote: said.remoteJid,
    node: said.nodes[0] ?? rootRef,
    names: said.parameters.names,
    tokens: said.tokens,
  };
}

const friendRanges = { caller: "Caller", domain: "Domain", all: "All" } as const;
const origins = { caller: "fromJid", domain: "fromDomain", all: "all" } as const;
const tokenOrigins = { service: "fromService", device: "fromDevice", user: "fromUser" } as const;

const originOf = (range: Answer["range"]): owner.Origin =>
  typeof range === "string" ? { kind: origins[range] } : { kind: tokenOrigins[range.kind], token: range.token };

/** The rule that answers a question. */
export function ruleOf(question: OwnerQuestion, answer: Answer): Element {
  const ns = namespace("provisioningOwner", question.generation);
  const about = { jid: question.device, remoteJid: question.remote, key: question.key, result: answer.allow };
  if (question.kind === "isFriend") {
    // Friendship is with a JID: nobody shows tokens when he asks for presence.
    const range = typeof answer.range === "string" ? friendRanges[answer.range] : "Caller";
    return owner.isFriendRule.encode({ ...about, range }, ns);
  }
  const node = question.node.nodeId === "" ? undefined : question.node;
  const origin = originOf(answer.range);
  const limited = answer.allow && (answer.names.length > 0 || answer.categories !== undefined);
  if (question.kind === "canControl") {
    return owner.canControlRule.encode(
      { ...about, node, partial: limited ? { names: answer.names } : undefined, origin },
      ns,
    );
  }
  const partial = limited ? { categories: answer.categories ?? noCategories, names: answer.names } : undefined;
  return owner.canReadRule.encode({ ...about, node, partial, origin }, ns);
}
