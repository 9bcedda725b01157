// The query "Why" of a node, for who owns it: sentences for a person, and the same as tables for programs, whose columns keep
// their names. To everybody else there is no such command.

import * as z from "zod";
import type { Explained } from "./admission.ts";
import type { Caller } from "./contract/caller.ts";
import { type Command, queryWith } from "./contract/command.ts";
import { Refusal } from "./contract/faults.ts";
import { categories, categoriesOfMask, categoryNames } from "./contract/field.ts";
import { type Cell, flagCell, noCell, type Report, textCell, timeCell } from "./contract/report.ts";
import { type Explaining, type Explanation, explainedRights } from "./explaining.ts";
import type { TreeNode } from "./forest.ts";
import { limitsOf, sentences } from "./why-sentences.ts";

const words = {
  page: "Rights",
  why: "Explain why somebody may or may not",
  person: "Address",
  personHelp: "Of the person or program that asks: name@domain.",
  right: "What for",
  rightHelp: "To read, to control, or to be let in as a friend.",
  field: "Field or parameter",
  fieldHelp: "Only this one; empty means all.",
  category: "Category",
  categoryHelp: "Only this category of fields; empty means what was asked last.",
  steps: "Decision",
  step: "Step",
  answer: "Answer",
  rule: "Rule",
  by: "From",
  since: "Learned",
  until: "Ends",
  older: "Older answer in use",
  left: "Left",
  cut: "Not granted",
  remembered: "Answers of the service that still hold",
  fields: "Fields",
  categories: "Categories",
  tokens: "With tokens",
  shown: "Tokens shown last",
  token: "Token",
  kind: "Kind",
  issuer: "Issued by",
  at: "Shown",
  proven: "Proven",
  counts: "Counts",
  dropped: "Dropped because",
};

const settings = z.object({
  caller: z.string().min(1).max(2_047).meta({ title: words.person, description: words.personHelp, page: words.page }),
  right: z
    .enum(explainedRights)
    .default("read")
    .meta({ title: words.right, description: words.rightHelp, page: words.page }),
  field: z.string().max(255).default("").meta({ title: words.field, description: words.fieldHelp, page: words.page }),
  category: z
    .enum(["", ...categoryNames])
    .default("")
    .meta({ title: words.category, description: words.categoryHelp, page: words.page }),
});

export function whyCommands(explaining: Explaining, node: TreeNode, caller: Caller): readonly Command[] {
  if (!explaining.mayHear(caller, node.ref)) return [];
  return [
    queryWith({
      id: "Why",
      title: words.why,
      sort: { category: words.page, key: "1" },
      settings,
      async query({ caller: person, right, field, category }, report, signal) {
        const jid = explaining.bareJid(person);
        if (jid === undefined) throw new Refusal("bad-request", `"${person.slice(0, 100)}" is no address of a person.`);
        const asked = {
          caller: jid,
          right,
          field: field === "" ? undefined : field,
          categories: category === "" ? undefined : categories(category),
        };
        const explanation = await explaining.why(node, asked, signal);
        await report.title(words.why);
        for (const sentence of sentences(explanation)) await report.message(sentence);
        await writeSteps(report, explanation);
        await writeRemembered(report, explanation);
        await writeTokens(report, explanation);
      },
    }),
  ];
}

async function writeSteps(report: Report, explanation: Explanation): Promise<void> {
  const { asked, answer, letIn, view, decided, tokens } = explanation;
  const table = await report.table(words.steps, [
    { columnId: "step", header: words.step },
    { columnId: "answer", header: words.answer },
    { columnId: "rule", header: words.rule },
    { columnId: "by", header: words.by },
    { columnId: "since", header: words.since },
    { columnId: "until", header: words.until },
    { columnId: "older", header: words.older },
    { columnId: "left", header: words.left },
    { columnId: "cut", header: words.cut },
  ]);
  if (letIn !== undefined) await table.row(textCell("let in"), textCell(letIn ? "yes" : "no"));
  if (view !== undefined)
    await table.row(textCell("view"), textCell(isGranted(view) ? "yes" : "no"), ...basisCells(view));
  const { left, cut } = limitsOf(explanation);
  const limits = [textCell(left.join(", ")), textCell(cut.join(", "))];
  const own = decided === undefined ? "no" : answerOf(decided, letIn === false ? undefined : answer);
  await table.row(textCell(asked.right), textCell(own), ...basisCells(decided), ...limits);
  if (tokens?.without !== undefined) await table.row(textCell("without tokens"), textCell(tokens.without));
  await table.done();
}

const isGranted = (one: Explained | "nobody"): boolean => one !== "nobody" && one.granted !== undefined;
const answerOf = (one: Explained | "nobody", answer: string | undefined): string =>
  answer ?? (isGranted(one) ? "yes" : "no");

/** rule, from, learned, ends, older */
function basisCells(one: Explained | "nobody" | undefined): Cell[] {
  if (one === undefined || one === "nobody") return Array.from({ length: 5 }, () => textCell(undefined));
  const { rule, because } = one;
  const none = textCell(undefined);
  const cells = (by: string | undefined, since?: number, until?: number, older?: boolean): Cell[] => [
    textCell(rule),
    textCell(by),
    since === undefined ? none : timeCell(since),
    until === undefined ? none : timeCell(until),
    older === undefined ? none : flagCell(older),
  ];
  if (because?.kind === "role") return cells(because.role.by, because.role.at, because.role.until);
  if (because?.kind !== "service") return cells(undefined);
  const { known, service, state } = because;
  return cells(
    service,
    known?.decision.fetchedAt,
    known?.decision.expiresAt,
    known?.isOlder === true && state === "decided",
  );
}

async function writeRemembered(report: Report, { remembered }: Explanation): Promise<void> {
  if (remembered.length === 0) return;
  const table = await report.table(words.remembered, [
    { columnId: "answer", header: words.answer },
    { columnId: "fields", header: words.fields },
    { columnId: "categories", header: words.categories },
    { columnId: "leftFields", header: words.left },
    { columnId: "leftCategories", header: words.left },
    { columnId: "since", header: words.since },
    { columnId: "until", header: words.until },
    { columnId: "older", header: words.older },
    { columnId: "tokens", header: words.tokens },
  ]);
  const named = (mask: number) => textCell(categoryNames.filter(name => categoriesOfMask(mask)[name]).join(", "));
  for (const { decision, isOlder } of remembered) {
    const { allow, names, categories: mask, grantedNames = names, grantedCategories, fetchedAt, expiresAt } = decision;
    await table.row(
      textCell(allow ? "yes" : "no"),
      textCell(names.join(", ")),
      named(mask),
      textCell(allow ? grantedNames.join(", ") : ""),
      named(allow ? grantedCategories : 0),
      timeCell(fetchedAt),
      timeCell(expiresAt),
      flagCell(isOlder),
      flagCell(decision.tokens !== ""),
    );
  }
  await table.done();
}

async function writeTokens(report: Report, { tokens }: Explanation): Promise<void> {
  if (tokens === undefined) return;
  const table = await report.table(words.shown, [
    { columnId: "kind", header: words.kind },
    { columnId: "token", header: words.token },
    { columnId: "issuer", header: words.issuer },
    { columnId: "shown", header: words.at },
    { columnId: "counts", header: words.counts },
    { columnId: "proven", header: words.proven },
    { columnId: "dropped", header: words.dropped },
  ]);
  for (const { kind, short, issuer, counts, provenAt, dropped } of tokens.shown)
    await table.row(
      textCell(kind),
      textCell(short),
      textCell(issuer),
      timeCell(tokens.at),
      flagCell(counts),
      provenAt === undefined ? noCell : timeCell(provenAt),
      textCell(dropped?.why),
    );
  await table.done();
}
