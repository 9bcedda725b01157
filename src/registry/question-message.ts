// How a question looks on its way to the owner (PROVO-Q): the element for programs, one sentence for people, and the hint
// that makes a broker keep it for an owner who is away.

import { categoriesOfMask } from "#contract/field.ts";
import { nodeKey, rootRef } from "#contract/node.ts";
import { type Generation, namespace } from "#iot/generations.ts";
import * as owner from "#iot/provisioning-owner.wire.ts";
import { questionTextCharsMax } from "#limits.ts";
import { type Element, element } from "#xml/element.ts";
import { shownJid } from "#xmpp/shown-jid.ts";
import { componentNs } from "#xmpp/stanza.ts";
import type { Question, Thing } from "./store.ts";

const words = {
  friend: "{who} wants to see when {device} is online.",
  read: "{who} wants to read {device}.",
  readNode: "{who} wants to read {node} of {device}.",
  control: "{who} wants to control {device}.",
  controlNode: "{who} wants to control {node} of {device}.",
  oneMore:
    "1 more request about your things came than are shown; it was refused. Answer open questions, or refuse whole domains, to see others.",
  more: "{count} more requests about your things came than are shown; all were refused. Answer open questions, or refuse whole domains, to see others.",
};

/** An English sentence in the language of who reads it. */
export type Say = (english: string) => string;

export function questionMessage(
  from: string,
  question: Question,
  thing: Thing,
  generation: Generation,
  say: Say,
): Element {
  const payload = questionElement(question, thing, generation);
  // The key is the id too: some brokers give a message back without what was in it.
  return message(from, question.owner, say(sentence(question, thing)), [payload], question.key);
}

/** Without a question: only that there were too many. */
export const noticeMessage = (from: string, to: string, count: number, say: Say): Element =>
  message(from, to, say(count === 1 ? words.oneMore : filled(words.more, { count: String(count) })), []);

const message = (from: string, to: string, body: string, payload: readonly Element[], id?: string): Element =>
  element("message", componentNs, { from, to, id }, [
    ...payload,
    element("body", componentNs, {}, [body]),
    element("store", "urn:xmpp:hints"),
  ]);

function questionElement(question: Question, thing: Thing, generation: Generation): Element {
  const ns = namespace("provisioningOwner", generation);
  const about = { jid: thing.jid, remoteJid: question.remote, key: question.key };
  const { tokens, names } = question;
  const nodes = nodeKey(thing.ref) === nodeKey(rootRef) ? [] : [thing.ref];
  switch (question.kind) {
    case "friend":
      return owner.isFriendQuestion.encode(about, ns);
    case "read": {
      const categories = categoriesOfMask(question.categories);
      return owner.canReadQuestion.encode({ ...about, tokens, categories, nodes, names }, ns);
    }
    case "control": {
      const parameters = { names, placement: owner.placementFor(generation) };
      return owner.canControlQuestion.encode({ ...about, tokens, nodes, parameters }, ns);
    }
  }
}

function sentence({ kind, remote, names }: Question, thing: Thing): string {
  const who = visible(shownJid(remote));
  const node = visible(thing.ref.nodeId);
  const list = `${names.slice(0, 8).map(visible).join(", ")}${names.length > 8 ? ", …" : ""}`;
  const device = names.length === 0 ? thing.jid : `${thing.jid} (${list})`;
  if (kind === "friend") return filled(words.friend, { who, device });
  if (node === "") return filled(kind === "read" ? words.read : words.control, { who, device });
  return filled(kind === "read" ? words.readNode : words.controlNode, { who, node, device });
}

/** In one pass: what strangers call themselves is put in and not looked at again. */
const filled = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replace(/\{(\w+)\}/g, (all, name: string) => values[name] ?? all);

/** Controls, invisible and direction-changing characters written out: a name must look like what it is (PROVO-LIM-04). */
export const visible = (text: string): string =>
  text
    .slice(0, questionTextCharsMax * 4)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/gu, one => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`);
