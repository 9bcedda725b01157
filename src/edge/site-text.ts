// A site as text, in the form of a site file: written from what is in the tree, without its secrets, and read with the line of
// whatever is wrong.

import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, stringify, visit } from "yaml";
import type { TreeNode } from "#concentrator/forest.ts";
import { siteType } from "#concentrator/site-root.ts";
import type { SiteNode, Tree } from "#concentrator/tree.ts";
import { type Site, siteFile } from "#config.ts";
import { formOf } from "#contract/form.ts";

/** One fault of a text; `line` counts from 1. */
export interface TextFault {
  readonly line: number;
  readonly message: string;
}

export interface SiteText {
  readonly text: string;
  readonly nodes: number;
  /** "node: setting" of each secret that is set and was left out. */
  readonly secrets: readonly string[];
}

export function writeSite(tree: Pick<Tree, "sources">, sourceId: string): SiteText {
  const secrets: string[] = [];
  let count = 0;
  const write = (node: TreeNode): SiteNode => {
    count++;
    const { record, type } = node;
    const fields = type === undefined ? undefined : formOf(type.settings);
    // Where nobody knows what the settings mean any more, any of them may be secret.
    const isHidden = (name: string) => fields === undefined || fields.some(one => one.name === name && one.secret);
    const settings = Object.entries(record.settings).filter(([name, value]) => {
      if (isHidden(name) && value !== "") secrets.push(`${record.ref.nodeId}: ${name}`);
      return !isHidden(name);
    });
    const tags = record.tags.map(({ name, value }) => [name, value] as const);
    const nodes = Array.from(node.children, write);
    return {
      type: record.type,
      id: record.ref.nodeId,
      ...(record.displayName === record.ref.nodeId || record.displayName === "" ? {} : { name: record.displayName }),
      ...(settings.length === 0 ? {} : { settings: Object.fromEntries(settings) }),
      ...(tags.length === 0 ? {} : { tags: Object.fromEntries(tags) }),
      ...record.options,
      ...(nodes.length === 0 ? {} : { nodes }),
    };
  };
  const roots = [...(tree.sources.get(sourceId)?.roots ?? [])];
  const site = roots.find(({ record }) => record.type === siteType.name);
  const top = roots.flatMap(root => (root === site ? [...root.children] : [root]));
  const nodes = top.map(write);
  // The site itself is there already wherever the text is read; an empty one takes its name from it.
  const named = site === undefined ? {} : { id: site.ref.nodeId, name: site.record.displayName };
  return { text: stringify({ ...named, nodes }), nodes: count, secrets };
}

/** The site, or every fault with its line. */
export function readSiteText(text: string): { site: Site; lineOf: LineOf } | { faults: TextFault[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => lines.linePos(offset).line;
  if (document.errors.length > 0) {
    return { faults: document.errors.map(({ pos, message }) => ({ line: at(pos[0]), message })) };
  }
  const nodeLine = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length >= 0; length--) {
      const found = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
      const range = (found as Node | undefined)?.range;
      if (range) return at(range[0]);
    }
    return 1;
  };
  let alias: number | undefined;
  visit(document, {
    Alias(_, { range }) {
      alias ??= range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  // A few lines of them stand for gigabytes.
  if (alias !== undefined) return { faults: [{ line: at(alias), message: "aliases (*) are not taken: write it out" }] };
  const parsed = siteFile.safeParse(document.toJS() ?? {});
  if (!parsed.success) {
    return {
      faults: parsed.error.issues.map(({ path, message }) => ({
        line: nodeLine(path),
        message: `${path.map(String).join(".") || "the text"}: ${message}`,
      })),
    };
  }
  const ids = new Map<string, number>();
  collectIds(document.contents, ids, at);
  return { site: parsed.data, lineOf: id => ids.get(id) ?? 1 };
}

/** The line on which a node of that id stands. */
export type LineOf = (nodeId: string) => number;

function collectIds(node: unknown, ids: Map<string, number>, at: (offset: number) => number): void {
  if (isSeq(node)) for (const item of node.items) collectIds(item, ids, at);
  if (!isMap(node)) return;
  for (const { key, value } of node.items) {
    if (isScalar(key) && key.value === "id" && isScalar(value) && value.range)
      ids.set(String(value.value), at(value.range[0]));
    if (isScalar(key) && key.value === "nodes") collectIds(value, ids, at);
  }
}
