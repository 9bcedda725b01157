// Rows of rules and questions: what owners have answered and what they are asked.

import type { Database } from "#store/database.ts";
import { domainOf } from "#xmpp/jid.ts";
import type { DecisionKind, Origin, OriginKind, Question, QuestionTokens, Reads, Rule, Writes } from "../store.ts";
import { asThing, type ThingRow, thingColumns } from "./things.ts";

interface RuleRow {
  origin: string;
  value: string;
  allow: number;
  categories: number;
  names: string | null;
}

interface QuestionRow {
  key: string;
  thing: number;
  kind: string;
  remote: string;
  owner: string;
  tokens: string;
  categories: number;
  names: string;
  asked_at: number;
  sent_at: number;
  tries: number;
  open: number;
}

type RuleMethods =
  | "decisions"
  | "rulesOf"
  | "countRules"
  | "rulesOwned"
  | "putRule"
  | "takeBackAnswer"
  | "forgetDecisions";
type QuestionMethods =
  | "question"
  | "openQuestion"
  | "openQuestionsOf"
  | "openQuestions"
  | "countOpen"
  | "ownersUnasked"
  | "insertQuestion"
  | "widenQuestion"
  | "questionSent"
  | "closeQuestion"
  | "deleteQuestionsBefore";

export const decisionRecords = (database: Database): Pick<Reads & Writes, RuleMethods | QuestionMethods> => ({
  ...ruleRecords(database),
  ...questionRecords(database),
});

function ruleRecords(database: Database): Pick<Reads & Writes, RuleMethods> {
  const thing = database.prepare<unknown[], ThingRow>(
    `SELECT ${thingColumns} FROM thing WHERE jid = ? AND node = ? AND source = ? AND partition = ?`,
  );
  const rule = database.prepare<[number, string, string, string], RuleRow>(
    "SELECT origin, value, allow, categories, names FROM rule WHERE thing = ? AND kind = ? AND origin = ? AND value = ?",
  );
  const count = database.prepare<[number], { n: number }>("SELECT count(*) AS n FROM rule WHERE thing = ?");
  const owned = database.prepare<[string, number], ThingRow & RuleRow & { kind: string }>(
    `SELECT ${thingColumns}, kind, origin, value, allow, categories, names FROM thing JOIN rule ON rule.thing = thing.id
     WHERE owner = ? AND state IN ('public','private','removed','disowning')
     ORDER BY learned_at DESC, thing.id, kind, origin, value LIMIT ?`,
  );
  const put = database.prepare(
    `INSERT INTO rule (thing, kind, origin, value, allow, categories, names, question, learned_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (thing, kind, origin, value) DO UPDATE SET allow = excluded.allow, categories = excluded.categories,
       names = excluded.names, question = excluded.question, learned_at = excluded.learned_at`,
  );
  const takeBack = database.prepare("DELETE FROM rule WHERE thing = ? AND question = ?");
  const forgetRules = database.prepare("DELETE FROM rule WHERE thing = ?");
  const forgetQuestions = database.prepare("DELETE FROM question WHERE thing = ?");

  const rulesOf = (id: number, kind: DecisionKind, origins: readonly Origin[]): Rule[] => {
    const rules: Rule[] = [];
    for (const origin of origins) {
      const row = rule.get(id, kind, origin.kind, origin.value);
      if (row !== undefined) rules.push(asRule(row));
    }
    return rules;
  };

  return {
    rulesOf,
    decisions: (jid, refs, kind, origins) =>
      refs.map(ref => {
        const row = thing.get(jid, ref.nodeId, ref.sourceId, ref.partition);
        return row === undefined
          ? { thing: undefined, rules: [] }
          : { thing: asThing(row), rules: rulesOf(row.id, kind, origins) };
      }),
    countRules: id => count.get(id)?.n ?? 0,
    rulesOwned: (owner, rows) =>
      owned.all(owner, rows).map(row => ({ thing: asThing(row), kind: row.kind as DecisionKind, rule: asRule(row) })),
    putRule(id, kind, { origin, allow, categories, names }, key, at) {
      const list = names === undefined ? null : JSON.stringify(names);
      put.run(id, kind, origin.kind, origin.value, allow ? 1 : 0, categories, list, key, at);
    },
    takeBackAnswer: (id, key) => void takeBack.run(id, key),
    forgetDecisions(id) {
      forgetRules.run(id);
      forgetQuestions.run(id);
    },
  };
}

function questionRecords(database: Database): Pick<Reads & Writes, QuestionMethods> {
  const select = (where: string) => database.prepare<unknown[], QuestionRow>(`SELECT * FROM question WHERE ${where}`);
  const byKey = select("key = ?");
  const openOne = select("thing = ? AND kind = ? AND remote = ? AND open = 1");
  const openOfThing = select("thing = ? AND kind = ? AND open = 1");
  const openOfOwner = select("owner = ? AND open = 1 AND sent_at < ? ORDER BY asked_at, key LIMIT ?");
  const counting = (where: string) =>
    database.prepare<unknown[], { n: number }>(`SELECT count(*) AS n FROM question WHERE open = 1 AND ${where}`);
  const countThing = counting("thing = ?");
  const countOwner = counting("owner = ?");
  const countDomain = counting("owner = ? AND remote_domain = ?");
  const unasked = database.prepare<[string, number], { owner: string }>(
    "SELECT DISTINCT owner FROM question WHERE open = 1 AND sent_at = 0 AND tries = 0 AND owner > ? ORDER BY owner LIMIT ?",
  );
  const insert = database.prepare(
    `INSERT INTO question (key, thing, kind, remote, remote_domain, owner, tokens, categories, names, asked_at, sent_at, tries, open)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)`,
  );
  const widen = database.prepare("UPDATE question SET categories = ?, names = ? WHERE key = ?");
  const sent = database.prepare("UPDATE question SET sent_at = ?, tries = ? WHERE key = ?");
  const close = database.prepare("UPDATE question SET open = 0 WHERE key = ?");
  const expire = database.prepare("DELETE FROM question WHERE asked_at < ?");
  const one = (row: QuestionRow | undefined) => row && asQuestion(row);

  return {
    question: key => one(byKey.get(key)),
    openQuestion: (thing, kind, remote) => one(openOne.get(thing, kind, remote)),
    openQuestionsOf: (thing, kind) => openOfThing.all(thing, kind).map(asQuestion),
    openQuestions: (owner, sentBefore, count) => openOfOwner.all(owner, sentBefore, count).map(asQuestion),
    countOpen(of) {
      if ("thing" in of) return countThing.get(of.thing)?.n ?? 0;
      return (of.domain === undefined ? countOwner.get(of.owner) : countDomain.get(of.owner, of.domain))?.n ?? 0;
    },
    ownersUnasked: (after, count) => unasked.all(after, count).map(row => row.owner),
    insertQuestion(q) {
      const { key, thing, kind, remote, owner, categories, askedAt, sentAt, tries } = q;
      const [tokens, names] = [JSON.stringify(q.tokens), JSON.stringify(q.names)];
      insert.run(key, thing, kind, remote, domainOf(remote), owner, tokens, categories, names, askedAt, sentAt, tries);
    },
    widenQuestion: (key, categories, names) => void widen.run(categories, JSON.stringify(names), key),
    questionSent: (key, sentAt, tries) => void sent.run(sentAt, tries, key),
    closeQuestion: key => void close.run(key),
    deleteQuestionsBefore: askedAt => void expire.run(askedAt),
  };
}

const asRule = (row: RuleRow): Rule => ({
  origin: { kind: row.origin as OriginKind, value: row.value },
  allow: row.allow === 1,
  categories: row.categories,
  names: row.names === null ? undefined : (JSON.parse(row.names) as string[]),
});

const asQuestion = (row: QuestionRow): Question => ({
  key: row.key,
  thing: row.thing,
  kind: row.kind as DecisionKind,
  remote: row.remote,
  owner: row.owner,
  tokens: JSON.parse(row.tokens) as QuestionTokens,
  categories: row.categories,
  names: JSON.parse(row.names) as string[],
  askedAt: row.asked_at,
  sentAt: row.sent_at,
  tries: row.tries,
  open: row.open === 1,
});
