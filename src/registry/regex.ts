// Regular expressions in linear time: the pattern as a graph, walked for all its ways at once, and what was walked before
// remembered (Thompson's construction with a lazily made automaton). No text is read twice, whatever the pattern.

import { Refusal } from "#contract/faults.ts";
import { regexMemoryMax, regexStatesMax } from "#limits.ts";
import { parseRegex, type Syntax } from "./regex-syntax.ts";

export interface Expression {
  readonly pattern: string;
  /** Text that stands in whatever matches; "" when nothing is known of it. */
  readonly required: string;
  /** The whole text, not a part of it. */
  matches(text: string): boolean;
}

type Node =
  | { readonly kind: "one"; readonly test: (character: string) => boolean; readonly next: number }
  | { readonly kind: "ways"; next: readonly number[] }
  | { readonly kind: "begin" | "end"; readonly next: number }
  | { readonly kind: "found" };

/** All places of the graph that a text so far leads to. */
interface Place {
  readonly nodes: readonly number[];
  /** A text that ends here matches. */
  readonly isMatch: boolean;
  readonly after: Map<string, Place>;
}

/** Throws `Refusal` bad-request in words. */
export function compileRegex(pattern: string): Expression {
  const syntax = parseRegex(pattern);
  const graph: Node[] = [{ kind: "found" }];
  const first = build(graph, syntax, 0);
  const start = closure(graph, [first], ["begin"]);
  const places = new Map<string, Place>();

  const placeOf = (nodes: readonly number[]): Place => {
    const key = nodes.join(",");
    const known = places.get(key);
    if (known !== undefined) return known;
    if (places.size >= regexMemoryMax) places.clear();
    const made = { nodes, isMatch: endsHere(graph, nodes), after: new Map() };
    places.set(key, made);
    return made;
  };
  const step = (from: Place, character: string): Place => {
    const next: number[] = [];
    for (const id of from.nodes) {
      const node = graph[id];
      if (node?.kind === "one" && node.test(character)) next.push(node.next);
    }
    const place = placeOf(closure(graph, next, []));
    if (from.after.size >= regexMemoryMax) from.after.clear();
    from.after.set(character, place);
    return place;
  };

  const empty = endsHere(graph, closure(graph, [first], ["begin", "end"]));
  return {
    pattern,
    required: requiredText(syntax),
    matches(text) {
      if (text === "") return empty;
      let place = placeOf(start);
      for (const character of text) {
        place = place.after.get(character) ?? step(place, character);
        if (place.nodes.length === 0) return false;
      }
      return place.isMatch;
    },
  };
}

/** The beginning of that syntax, from where it goes on to `next`. */
function build(graph: Node[], syntax: Syntax, next: number): number {
  const add = (node: Node): number => {
    if (graph.length >= regexStatesMax)
      throw new Refusal("bad-request", "this regular expression is too large: repeat less in it");
    return graph.push(node) - 1;
  };
  switch (syntax.kind) {
    case "one":
      return add({ kind: "one", test: syntax.test, next });
    case "begin":
    case "end":
      return add({ kind: syntax.kind, next });
    case "all":
      return syntax.parts.reduceRight((after, part) => build(graph, part, after), next);
    case "either":
      return add({ kind: "ways", next: syntax.parts.map(part => build(graph, part, next)) });
    case "repeat": {
      const { part, min, max } = syntax;
      let at = next;
      if (max === undefined) {
        const loop = { kind: "ways" as const, next: [] as readonly number[] };
        at = add(loop);
        loop.next = [build(graph, part, at), next];
      }
      for (let more = min; more < (max ?? 0); more++) {
        const one = build(graph, part, at);
        // Nothing, however often, is nothing.
        if (one === at) break;
        at = add({ kind: "ways", next: [one, next] });
      }
      for (let times = 0; times < min; times++) {
        const one = build(graph, part, at);
        if (one === at) break;
        at = one;
      }
      return at;
    }
  }
}

/** What is reached without reading, in order of ids. Of "begin" and "end" those are passed that hold here. */
function closure(graph: readonly Node[], from: readonly number[], holds: readonly ("begin" | "end")[]): number[] {
  const seen = new Set<number>();
  const open = [...from];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (seen.has(id)) continue;
    seen.add(id);
    const node = graph[id];
    if (node?.kind === "ways") open.push(...node.next);
    else if ((node?.kind === "begin" || node?.kind === "end") && holds.includes(node.kind)) open.push(node.next);
  }
  const stays = (id: number) => graph[id]?.kind !== "ways" && graph[id]?.kind !== "begin";
  return [...seen].filter(stays).sort((a, b) => a - b);
}

const endsHere = (graph: readonly Node[], nodes: readonly number[]): boolean =>
  closure(graph, nodes, ["end"]).includes(0);

/** The longest run of plain characters that every match goes through. */
function requiredText(syntax: Syntax): string {
  const parts = syntax.kind === "all" ? syntax.parts : [syntax];
  let [longest, run] = ["", ""];
  for (const part of parts) {
    const inner = part.kind === "all" ? requiredText(part) : "";
    if (inner.length > longest.length) longest = inner;
    run = part.kind === "one" && part.literal !== undefined ? run + part.literal : "";
    if (run.length > longest.length) longest = run;
  }
  return longest;
}
