// What owners say: answers to questions become rules, and rules can be cleared or deleted (provisioning-owner.md,
// sections 2 and 3). An answer counts only from the present owner of the thing that the key stands for.

import type { Clock } from "#base/clock.ts";
import { createRate } from "#base/rate.ts";
import { Refusal } from "#contract/faults.ts";
import { allCategories, categoryMask } from "#contract/field.ts";
import { type NodeRef, rootRef, sameNode } from "#contract/node.ts";
import { countedSendersMax, questionLifeMs, rulesPerThingMax } from "#limits.ts";
import { domainOf } from "#xmpp/jid.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import type { DecisionKind, Limit, Origin, Question, Records, RegistryStore, Thing } from "./store.ts";
import { hasOwner, notFound, pendingClear } from "./things.ts";

/** Whom the answer is for, before it is known who asked. */
export type AnswerOrigin =
  | { readonly kind: "caller" | "domain" | "all" }
  | { readonly kind: "service" | "device" | "user"; readonly token: string };

/** An owner's answer to a question. `limit` undefined = everything of that kind. */
export interface Answer {
  readonly kind: DecisionKind;
  readonly device: string;
  readonly remote: string;
  readonly key: string;
  readonly allow: boolean;
  /** What the answer says of its node; undefined when nothing. */
  readonly node: NodeRef | undefined;
  readonly limit: Partial<Limit> | undefined;
  readonly origin: AnswerOrigin;
}

export interface Rules {
  /** Stores the rule, closes what it answers and flags the device; resolves with the thing whose device is to be told. Throws `Refusal`, `StanzaError`. */
  answer(owner: string, answer: Answer): Promise<Thing>;
  /** Things the owner means: all of his, those of one JID, or one. Throws `Refusal` not-found. */
  clear(owner: string, jid: string | undefined, ref: NodeRef, forget: boolean): Promise<readonly string[]>;
}

/** So many unknown keys are mistakes; more are guesses (PROVO-THR-05). */
const guessesPerHour = 20;

export function createRules(store: RegistryStore, clock: Clock): Rules {
  const guesses = createRate(clock, guessesPerHour, 3_600_000 / guessesPerHour, countedSendersMax);

  return {
    async answer(owner, answer) {
      // Looked at and counted in one step of the store, or many guesses sent at once would all be the first.
      const told = await store.change(async records => {
        if (!guesses.allows(owner))
          throw new StanzaError("wait", "policy-violation", "too many answers to questions that do not exist");
        const question = await records.question(answer.key);
        const thing = question && (await records.thingById(question.thing));
        const fits =
          question !== undefined && thing !== undefined && isAnswerable(question, thing, owner, answer, clock.now());
        if (fits) return learn(records, thing, question, answer, clock.now());
        guesses.spend(owner);
        return undefined;
      });
      if (told !== undefined) return told;
      throw notFound();
    },
    clear: (owner, jid, ref, forget) =>
      store.change(async records => {
        const things = await meant(records, owner, jid, ref);
        for (const thing of things) {
          if (forget) await records.forgetDecisions(thing.id);
          await pendingClear(records, thing, clock.now());
        }
        return [...new Set(things.map(thing => thing.jid))];
      }),
  };
}

/** All reasons look alike from outside (PROVO-RULE-02). */
const isAnswerable = (question: Question, thing: Thing, owner: string, answer: Answer, now: number): boolean =>
  hasOwner(thing) &&
  thing.owner === owner &&
  question.owner === owner &&
  question.kind === answer.kind &&
  thing.jid === answer.device &&
  question.remote === answer.remote &&
  now - question.askedAt < questionLifeMs;

async function learn(
  records: Records,
  thing: Thing,
  question: Question,
  { allow, node, limit, origin: said, kind, key }: Answer,
  now: number,
): Promise<Thing> {
  // The node is the question's: deployed owners leave it out of refusals, and a refusal must not grow to the whole device.
  if (node !== undefined && !sameNode(node, thing.ref))
    throw new Refusal("bad-request", "the node is not the one that was asked about");
  const origin = await originOf(records, said, question, now);
  const rule = {
    origin,
    allow,
    categories: allow ? (limit?.categories ?? categoryMask(allCategories)) : 0,
    names: allow ? limit?.names : undefined,
  };
  // One question has one answer: what was said before, perhaps to everybody, ends with what is said now (PROVO-RULE-07).
  await records.takeBackAnswer(thing.id, key);
  const replaces = (await records.rulesOf(thing.id, kind, [origin])).length > 0;
  if (!replaces && (await records.countRules(thing.id)) >= rulesPerThingMax)
    throw new Refusal("busy", `this thing has ${rulesPerThingMax} rules, which is the limit; delete some first`);
  await records.putRule(thing.id, kind, rule, key, now);
  await records.closeQuestion(key);
  if (origin.kind === "domain" || origin.kind === "all") {
    for (const other of await records.openQuestionsOf(thing.id, kind))
      if (origin.kind === "all" || domainOf(other.remote) === origin.value) await records.closeQuestion(other.key);
  }
  await pendingClear(records, thing, now);
  return thing;
}

async function originOf(
  records: Records,
  said: AnswerOrigin,
  { remote, tokens }: Question,
  now: number,
): Promise<Origin> {
  switch (said.kind) {
    case "caller":
      return { kind: "caller", value: remote };
    case "domain":
      return { kind: "domain", value: domainOf(remote) };
    case "all":
      return { kind: "all", value: "" };
    default: {
      // A token is evidence only when verified (TOK-FWD-02): what was asked with it, and is a token still.
      const record = tokens[said.kind].includes(said.token) ? await records.token(said.token) : undefined;
      if (record === undefined || record.revokedAt !== undefined || record.expiresAt <= now)
        throw new Refusal("bad-request", "no rule can rest on a token that was not verified");
      return { kind: said.kind, value: said.token };
    }
  }
}

/** An absent node means every thing of that JID that the sender owns (PROVO-MGMT-01). */
async function meant(
  records: Records,
  owner: string,
  jid: string | undefined,
  ref: NodeRef,
): Promise<readonly Thing[]> {
  if (jid === undefined) {
    const all: Thing[] = [];
    for (;;) {
      const some = await records.thingsOwned(owner, all.length, 1_000);
      all.push(...some);
      if (some.length < 1_000) return all;
    }
  }
  const own = (await records.thingsOf(jid, owner)).filter(hasOwner);
  const things = sameNode(ref, rootRef) ? own : own.filter(thing => sameNode(thing.ref, ref));
  if (things.length === 0) throw notFound();
  return things;
}
