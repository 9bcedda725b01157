// Questions to owners: kept until answered, sent as messages their broker stores, never more than a person can bear
// (provisioning-owner.md, sections 1 and 4). Keys are random, so that an answer proves nothing but having been asked.

import { randomBytes } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createRate } from "#base/rate.ts";
import { createScope } from "#base/scope.ts";
import {
  countedSendersMax,
  openPerDomainMax,
  openPerOwnerMax,
  openPerThingMax,
  questionAgainMs,
  questionIdleMs,
  questionLifeMs,
  questionRoundMs,
  questionTextCharsMax,
  questionTriesMax,
} from "#limits.ts";
import type { Connection } from "#xmpp/connection.ts";
import { bareJid, domainOf } from "#xmpp/jid.ts";
import type { Condition } from "#xmpp/stanza.ts";
import type { DomainPolicy } from "./domain-policy.ts";
import type { Peers } from "./peers.ts";
import { noticeMessage, questionMessage, type Say } from "./question-message.ts";
import { isNoWay, type Reach } from "./reach.ts";
import type { Question, Records, RegistryStore, Thing } from "./store.ts";

export interface QuestionsDeps {
  readonly store: RegistryStore;
  readonly connection: Connection;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly log: Log;
  readonly jid: string;
  readonly isLocal: (domain: string) => boolean;
  readonly reach: Reach;
  readonly policy: DomainPolicy;
  readonly say: Say;
}

/** What a device asked and nobody has answered. */
export type Unanswered = Pick<Question, "kind" | "remote" | "tokens" | "categories" | "names"> & {
  readonly thing: Thing & { readonly owner: string };
};

export interface Questions {
  /** Opens, or reminds of, one question a thing; resolves when they are kept, not when they are answered. */
  open(asked: readonly Unanswered[]): Promise<void>;
  /** Sends open questions again whose last sending is so long ago; 0: their owner wants to see them (PROVO-Q-06). */
  resend(owner: string, olderMs: number): Promise<void>;
  /** The owner's broker gave it back, or ours did, finding no way to him. `from` is whom it was for. */
  bounced(key: string, from: string, condition: Condition): Promise<void>;
  /** That domain can be reached again. */
  returned(): void;
  /** What could not be sent yet, and the end of old keys. */
  run(signal: AbortSignal): Promise<void>;
}

export function createQuestions(deps: QuestionsDeps): Questions {
  const { store, connection, peers, clock, log, reach, policy } = deps;
  const rate = (burst: number, perHour: number) => createRate(clock, burst, 3_600_000 / perHour, countedSendersMax);
  const toOwner = rate(20, 10);
  const byDevice = rate(60, 60);
  const byDomain = rate(600, 600);
  const noticed = createRate(clock, 1, 86_400_000, countedSendersMax);
  const unshown = new Map<string, number>();
  /** Keys of questions that somebody is about to send, and of those that went out and are not kept as sent yet. */
  const going = new Set<string>();
  const unnoted = new Set<string>();
  /** Resolves when something waits to be sent. */
  let wake = Promise.withResolvers<void>();

  /** As it is kept now, when it is still open and went out no more since it was `seen`. */
  const unchanged = async (seen: Question): Promise<Question | undefined> => {
    const now = await store.question(seen.key);
    if (now?.open === true && now.sentAt === seen.sentAt) return now;
    unnoted.delete(seen.key);
    return undefined;
  };
  /** `isWanted`: its owner asks to see it, which is his to do as often as he likes (PROVO-Q-06). */
  const send = async (seen: Question, isWanted = false): Promise<void> => {
    // Whoever sends it already sends it as it is kept then.
    if (going.has(seen.key)) return;
    going.add(seen.key);
    try {
      await sendOne(seen, isWanted);
    } finally {
      going.delete(seen.key);
    }
  };
  const sendOne = async (seen: Question, isWanted: boolean): Promise<void> => {
    const thing = await store.thingById(seen.thing);
    if (thing === undefined) return;
    // Kept, and found again by the rounds once there is a way.
    if (reach.isAway(seen.owner)) {
      if (reach.mayWait(seen.owner, seen.key)) return;
      return store.change(records => records.closeQuestion(seen.key));
    }
    const generation = await peers.generation(seen.owner);
    const question = await unchanged(seen);
    if (question === undefined) return;
    if (!unnoted.has(question.key)) {
      if (!connection.online || !(isWanted || toOwner.take(question.owner))) return wake.resolve();
      try {
        connection.send(questionMessage(deps.jid, question, thing, generation, deps.say));
      } catch (error) {
        return log.warning("question-unsent", { owner: question.owner, error });
      }
      // A disk that takes no note of it is no reason to ask a person twice.
      unnoted.add(question.key);
      const [oldest = ""] = unnoted;
      if (unnoted.size > countedSendersMax) unnoted.delete(oldest);
    }
    // What he had shown to himself is no reminder.
    const tries = isWanted ? Math.max(1, question.tries) : question.tries + 1;
    await store.change(records => records.questionSent(question.key, clock.now(), tries));
    unnoted.delete(question.key);
  };

  const tooMany = async (records: Records, { thing, remote }: Unanswered): Promise<string | undefined> => {
    const domain = domainOf(remote);
    if ((await records.countOpen({ thing: thing.id })) >= openPerThingMax) return "thing";
    if ((await records.countOpen({ owner: thing.owner })) >= openPerOwnerMax) return "owner";
    // Neighbours on the owner's own broker are known to its operator; strangers' domains cost nothing to make up.
    if (deps.isLocal(domain)) return byDevice.allows(thing.jid) ? undefined : "device";
    if ((await records.countOpen({ owner: thing.owner, domain })) >= openPerDomainMax) return "domain and owner";
    if (!byDomain.allows(domain)) return "domain";
    return byDevice.allows(thing.jid) ? undefined : "device";
  };

  /** The question to send now, if any. */
  const openOne = async (records: Records, asked: Unanswered): Promise<Question | undefined> => {
    const { thing, kind, remote, tokens, categories, names } = asked;
    const now = clock.now();
    const before = await records.openQuestion(thing.id, kind, remote);
    if (before !== undefined) {
      if (unnoted.has(before.key)) return undefined;
      if (before.sentAt === 0) {
        const wide = before.categories | categories;
        const both = before.names.length === 0 || names.length === 0 ? [] : [...new Set([...before.names, ...names])];
        await records.widenQuestion(before.key, wide, both);
        return { ...before, categories: wide, names: both };
      }
      return now - before.sentAt >= questionAgainMs && before.tries < questionTriesMax ? before : undefined;
    }
    if (policy.standing(remote) !== "allow" || policy.standing(thing.owner) === "deny") {
      // No more than a question with an answer: rules of a limited domain stand, and nothing new is asked (FED-03).
      log.info("DecisionDenied", { thing: thing.jid, caller: remote, why: "nothing is asked for this domain" });
      return undefined;
    }
    const limit = await tooMany(records, asked);
    if (limit !== undefined) {
      log.info("RateLimited", { thing: thing.jid, owner: thing.owner, limit });
      unshown.set(thing.owner, (unshown.get(thing.owner) ?? 0) + 1);
      return undefined;
    }
    byDevice.spend(thing.jid);
    if (!deps.isLocal(domainOf(remote))) byDomain.spend(domainOf(remote));
    const key = randomBytes(18).toString("base64url");
    const question = { key, thing: thing.id, kind, remote, owner: thing.owner, tokens, categories, names };
    await records.insertQuestion({ ...question, askedAt: now, sentAt: 0, tries: 0 });
    return { ...question, askedAt: now, sentAt: 0, tries: 0, open: true };
  };

  /** Once a day at most: that more was asked than is shown. */
  const notice = () => {
    for (const [owner, count] of unshown) {
      if (!noticed.take(owner)) continue;
      unshown.delete(owner);
      if (connection.online) connection.send(noticeMessage(deps.jid, owner, count, deps.say));
    }
    if (unshown.size > countedSendersMax) unshown.clear();
  };

  return {
    async open(asked) {
      const fit = asked.filter(one => [one.remote, ...one.names].every(text => text.length <= questionTextCharsMax));
      if (fit.length === 0) return;
      const questions = await store.change(async records => {
        const opened: Question[] = [];
        for (const one of fit) {
          const question = await openOne(records, one);
          if (question !== undefined) opened.push(question);
        }
        return opened;
      });
      for (const question of questions) await send(question);
      notice();
    },
    async resend(owner, olderMs) {
      const before = clock.now() - olderMs + 1;
      for (const question of await store.openQuestions(owner, before, openPerOwnerMax))
        await send(question, olderMs === 0);
    },
    bounced: (key, from, condition) =>
      store.change(async records => {
        const question = await records.question(key);
        if (question?.open !== true || question.owner !== bareJid(from)) return;
        // Without a way there it was as good as not sent (FED-05); else its owner has to be seen first.
        const isUnsent = isNoWay(condition) && !deps.isLocal(domainOf(from));
        if (isUnsent && !reach.mayWait(from, key)) await records.closeQuestion(key);
        else await records.questionSent(key, 0, isUnsent ? 0 : question.tries);
      }),
    returned: () => wake.resolve(),
    async run(signal) {
      let after = "";
      while (!signal.aborted) {
        wake = Promise.withResolvers<void>();
        await store.change(records => records.deleteQuestionsBefore(clock.now() - questionLifeMs));
        // A hundred a round, and the next ones in the next: those who cannot be asked now must not hide the others.
        const owners = await store.ownersUnasked(after, ownersARound);
        after = owners.length < ownersARound ? "" : (owners.at(-1) ?? "");
        if (after !== "") wake.resolve();
        for (const owner of owners) {
          // Those that came back wait for the owner to be seen.
          for (const question of await store.openQuestions(owner, 1, openPerOwnerMax))
            if (question.tries === 0) await send(question);
        }
        notice();
        const scope = createScope(signal);
        using _ = scope;
        await clock.sleep(questionRoundMs, scope.signal).catch(() => {});
        await Promise.race([wake.promise, clock.sleep(questionIdleMs, scope.signal).catch(() => {})]);
      }
    },
  };
}

const ownersARound = 100;
