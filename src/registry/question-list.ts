// What was asked of an owner and not answered yet: the form of the ad-hoc command "questions". The interfaces send questions and
// have no way to ask for them; an owner whose client lost them, or who wonders why somebody is refused, sees them here.

import { categoriesOfMask, categoryNames } from "#contract/field.ts";
import { openPerOwnerMax } from "#limits.ts";
import { shownJid } from "#xmpp/shown-jid.ts";
import { type ListForm, listForm } from "./list-form.ts";
import { visible } from "./question-message.ts";
import type { DecisionKind, Question, RegistryStore, Thing } from "./store.ts";

const columns = [
  ["key", "text-single", "Question"],
  ["jid", "jid-single", "Appliance"],
  ["id", "text-single", "Node"],
  ["src", "text-single", "Source"],
  ["pt", "text-single", "Partition"],
  ["kind", "text-single", "Right"],
  ["remote", "text-single", "Who asks"],
  ["names", "text-single", "Fields or parameters"],
  ["categories", "text-single", "Categories"],
  ["asked", "text-single", "Asked"],
  ["sent", "text-single", "Last sent"],
  ["times", "text-single", "Times sent"],
] as const;

const kinds: Record<DecisionKind, string> = { friend: "isFriend", read: "canRead", control: "canControl" };

/** The oldest first; times in ISO 8601 UTC, "" for never. */
export async function questionList(store: RegistryStore, owner: string): Promise<ListForm> {
  const open = await store.openQuestions(owner, Number.MAX_SAFE_INTEGER, openPerOwnerMax);
  const rows: Row[] = [];
  for (const question of open) {
    const thing = await store.thingById(question.thing);
    // It may have another owner since the list was read.
    if (thing?.owner === owner) rows.push(rowOf(question, thing));
  }
  return listForm("What was asked about your things", columns, rows);
}

type Row = Record<(typeof columns)[number][0], string>;

function rowOf(question: Question, { jid, ref }: Thing): Row {
  const { key, kind, remote, names, categories, askedAt, sentAt, tries } = question;
  const asked = categoriesOfMask(categories);
  return {
    key,
    jid,
    id: ref.nodeId,
    src: ref.sourceId,
    pt: ref.partition,
    kind: kinds[kind],
    remote: visible(shownJid(remote)),
    names: names.map(visible).join(", "),
    categories: kind === "read" ? categoryNames.filter(name => asked[name]).join(", ") : "",
    asked: new Date(askedAt).toISOString(),
    sent: sentAt === 0 ? "" : new Date(sentAt).toISOString(),
    times: String(tries),
  };
}
