// The rules of an owner as a table for people and programs: the form of the ad-hoc command "rules" (PROVO-MGMT-05, XEP-0004).
// The client reads these fields by their names.

import { allCategories, categoriesOfMask, categoryMask, categoryNames } from "#contract/field.ts";
import { ruleLimitsCharsMax, ruleListBytesMax, ruleListMax } from "#limits.ts";
import { type Element, element, format } from "#xml/element.ts";
import { visible } from "./question-message.ts";
import type { DecisionKind, OwnedRule, RegistryStore, Rule } from "./store.ts";

const formNs = "jabber:x:data";

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
type Column = (typeof columns)[number][0];

export interface RuleList {
  readonly form: Element;
  readonly count: number;
  /** There are older rules that are not shown. */
  readonly isCut: boolean;
}

/** Newest first, cut by number and by size: one stanza has to hold it. */
export async function ruleList(store: RegistryStore, owner: string): Promise<RuleList> {
  const owned = await store.rulesOwned(owner, ruleListMax + 1);
  const items: Element[] = [];
  let bytes = 0;
  for (const one of owned.slice(0, ruleListMax)) {
    const item = itemOf(one);
    bytes += Buffer.byteLength(format(item, formNs));
    if (bytes > ruleListBytesMax) break;
    items.push(item);
  }
  const reported = columns.map(([name, type, label]) => element("field", formNs, { var: name, type, label }));
  const form = element("x", formNs, { type: "result" }, [
    element("title", formNs, {}, ["Rules of your things"]),
    element("reported", formNs, {}, reported),
    ...items,
  ]);
  return { form, count: items.length, isCut: items.length < owned.length };
}

const kinds: Record<DecisionKind, string> = { friend: "isFriend", read: "canRead", control: "canControl" };

function itemOf({ thing, kind, rule }: OwnedRule): Element {
  const { jid, ref } = thing;
  const values: Record<Column, string> = {
    jid,
    id: ref.nodeId,
    src: ref.sourceId,
    pt: ref.partition,
    kind: kinds[kind],
    origin: describeOrigin(rule),
    allow: String(rule.allow),
    limits: rule.allow ? describeLimits(kind, rule) : "",
  };
  const field = ([name]: (typeof columns)[number]) =>
    element("field", formNs, { var: name }, [element("value", formNs, {}, [values[name]])]);
  return element("item", formNs, {}, columns.map(field));
}

function describeOrigin({ origin: { kind, value } }: Rule): string {
  if (kind === "all") return "all";
  return kind === "caller" ? visible(value) : `${kind} ${visible(value)}`;
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
