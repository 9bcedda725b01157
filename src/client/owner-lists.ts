// What the service lists for an owner in forms, for which the interfaces have no element: his rules, and what is asked of him.

import type { NodeRef } from "#contract/node.ts";
import { child, type Element, elements, textOf } from "#xml/element.ts";

/** A rule as the service's form tells it, for people. */
export interface OwnerRule {
  readonly jid: string;
  readonly ref: NodeRef;
  /** isFriend, canRead or canControl. */
  readonly kind: string;
  /** "bob@city.example", "domain city.example", "all". */
  readonly origin: string;
  readonly allow: boolean;
  /** "Energy; momentary", "" when unlimited. */
  readonly limits: string;
}

/** An open question as the service's form tells it, for people. Texts of strangers: shown as they are, escaped. */
export interface AskedOfOwner {
  readonly key: string;
  readonly jid: string;
  readonly ref: NodeRef;
  /** isFriend, canRead or canControl. */
  readonly kind: string;
  readonly remote: string;
  readonly names: string;
  readonly categories: string;
  /** ISO 8601 UTC. */
  readonly asked: string;
  /** "" when it was never sent. */
  readonly sent: string;
  readonly times: number;
}

const fieldOf =
  (item: Element) =>
  (name: string): string => {
    const field = elements(item).find(one => one.name === "field" && one.attrs.var === name);
    const found = field && child(field, "value");
    return found === undefined ? "" : textOf(found);
  };

export function ruleOfItem(item: Element): OwnerRule {
  const value = fieldOf(item);
  return {
    ...placeOfItem(item),
    kind: value("kind"),
    origin: value("origin"),
    allow: value("allow") === "true",
    limits: value("limits"),
  };
}

export function questionOfItem(item: Element): AskedOfOwner {
  const value = fieldOf(item);
  return {
    ...placeOfItem(item),
    key: value("key"),
    kind: value("kind"),
    remote: value("remote"),
    names: value("names"),
    categories: value("categories"),
    asked: value("asked"),
    sent: value("sent"),
    times: Number(value("times")) || 0,
  };
}

function placeOfItem(item: Element): { jid: string; ref: NodeRef } {
  const value = fieldOf(item);
  return { jid: value("jid"), ref: { nodeId: value("id"), sourceId: value("src"), partition: value("pt") } };
}
