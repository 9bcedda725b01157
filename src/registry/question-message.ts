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

export function questionMessage(from: string, question: Question, thing: Thing, generation: Generation): Element {
  const payload = questionElement(question, thing, generation);
  // The key is the id too: some brokers give a message back without what was in it.
  return message(from, question.owner, sentence(question, thing), [payload], question.key);
}

/** Without a question: only that there were too many. */
export const noticeMessage = (from: string, to: string, count: number): Element =>
  message(
    from,
    to,
    `${count} more request${count === 1 ? "" : "s"} about your things came than are shown; all were refused. Answer open questions, or refuse whole domains, to see others.`,
    [],
  );

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
  const what = thing.ref.nodeId === "" ? thing.jid : `${thing.ref.nodeId} of ${thing.jid}`;
  const list = names.length === 0 ? "" : ` (${names.slice(0, 8).join(", ")}${names.length > 8 ? ", …" : ""})`;
  const wish = kind === "friend" ? `see when ${what} is online` : `${kind} ${what}${list}`;
  return `${visible(shownJid(remote))} wants to ${visible(wish)}.`;
}

/** Controls, invisible and direction-changing characters written out: a name must look like what it is (PROVO-LIM-04). */
export const visible = (text: string): string =>
  text
    .slice(0, questionTextCharsMax * 4)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/gu, one => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`);
