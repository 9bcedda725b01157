// The rules of an owner: the form of the ad-hoc command "rules" (PROVO-MGMT-05). The client reads these fields by their names.

import { allCategories, categoriesOfMask, categoryMask, categoryNames } from "#contract/field.ts";
import { ruleLimitsCharsMax } from "#limits.ts";
import { shownJid } from "#xmpp/shown-jid.ts";
import { type ListForm, listForm, listMax } from "./list-form.ts";
import { visible } from "./question-message.ts";
import type { DecisionKind, OwnedRule, RegistryStore, Rule } from "./store.ts";

/** Name on the wire, kind of field, label. */
const columns = [
  ["jid", "jid-single", "Appliance"],
  ["id", "text-single", "Node"],
  ["src", "text-single", "Source"],
  ["pt", "text-single", "Partition"],
  ["kind", "text-single", "Right"],
  ["origin", "text-single", "For"],
  ["allow", "boolean", "Allowed"],
  ["limits", "text-single", "Limits"],
] as const;

/** Newest first. */
export async function ruleList(store: RegistryStore, owner: string): Promise<ListForm> {
  const owned = await store.rulesOwned(owner, listMax + 1);
  return listForm("Rules of your things", columns, owned.map(rowOf));
}

const kinds: Record<DecisionKind, string> = { friend: "isFriend", read: "canRead", control: "canControl" };

function rowOf({ thing, kind, rule }: OwnedRule): Record<(typeof columns)[number][0], string> {
  const { jid, ref } = thing;
  return {
    jid,
    id: ref.nodeId,
    src: ref.sourceId,
    pt: ref.partition,
    kind: kinds[kind],
    origin: describeOrigin(rule),
    allow: String(rule.allow),
    limits: rule.allow ? describeLimits(kind, rule) : "",
  };
}

function describeOrigin({ origin: { kind, value } }: Rule): string {
  if (kind === "all") return "all";
  const shown = visible(kind === "caller" || kind === "domain" ? shownJid(value) : value);
  return kind === "caller" ? shown : `${kind} ${shown}`;
}

/** "Energy, Flow; momentary"; what is not limited is not mentioned. */
function describeLimits(kind: DecisionKind, { names, categories }: Rule): string {
  const granted = categoriesOfMask(categories);
  const isLimited = kind === "read" && categories !== categoryMask(allCategories);
  const listed = isLimited ? categoryNames.filter(name => granted[name]).join(", ") : "";
  return [names === undefined ? "" : shorten(names), listed].filter(part => part !== "").join("; ");
}

function shorten(names: readonly string[]): string {
  const shown: string[] = [];
  let chars = 0;
  for (const name of names) {
    chars += visible(name).length + 2;
    if (chars > ruleLimitsCharsMax && shown.length > 0)
      return `${shown.join(", ")} and ${names.length - shown.length} more`;
    shown.push(visible(name).slice(0, ruleLimitsCharsMax));
  }
  return shown.join(", ");
}
