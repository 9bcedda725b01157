// Readouts that run when rights change: each is decided on anew, alike ones by one question, and nothing of them is told before
// that. One that may not give all it began with ends with that word (PROV-CACHE-07, COM-AUTH-09).

import type { Scope } from "#base/scope.ts";
import type { Admitted } from "#concentrator/admission.ts";
import type { Caller } from "#contract/caller.ts";
import { Refusal } from "#contract/faults.ts";
import { type Ask, categoryNames } from "#contract/field.ts";
import { type NodeRef, nodeKey } from "#contract/node.ts";

export interface Reading {
  readonly nodes: readonly NodeRef[];
  readonly ask: Ask;
  readonly admitted: Admitted;
}

export interface Decidable {
  readonly caller: Caller;
  readonly scope: Scope;
  /** Undefined before it reads: it is decided on when it begins. */
  reads: Reading | undefined;
  /** While it is being decided whether it may go on. */
  undecided: Promise<void> | undefined;
  /** It may not. */
  refusal: Refusal | undefined;
  /** Nothing is to be sent any more. */
  silent: boolean;
}

/** `admit` may throw whatever it likes: who cannot be decided on is refused. */
export function decideAnew<T extends Decidable>(
  all: Iterable<T>,
  admit: (one: T, nodes: readonly NodeRef[], ask: Ask) => Promise<Admitted>,
): void {
  const decide = async (one: T): Promise<void> => {
    const { reads, scope } = one;
    if (reads === undefined || scope.signal.aborted) return;
    const left = await admit(one, reads.nodes, reads.ask).catch(() => undefined);
    if (scope.signal.aborted || (left !== undefined && isAsMuch(left, reads.admitted))) return;
    one.refusal = new Refusal("denied", "rights have changed: ask again for what may still be read");
    one.silent = true;
    scope.abort(one.refusal);
  };
  /** What is learned by one question for all their nodes answers for each: many questions at once would be too many. */
  const together = async ([first, ...others]: readonly T[]): Promise<void> => {
    if (first?.reads === undefined || others.length === 0) return;
    const nodes = [first, ...others].flatMap(({ reads }) => reads?.nodes ?? []);
    const distinct = [...new Map(nodes.map(node => [nodeKey(node), node])).values()];
    await admit(first, distinct, first.reads.ask).catch(() => undefined);
  };

  for (const group of alike([...all].filter(({ reads }) => reads !== undefined))) {
    const learned = together(group);
    for (const one of group) {
      const decided: Promise<void> = Promise.all([one.undecided, learned])
        .then(() => decide(one))
        .finally(() => {
          if (one.undecided === decided) one.undecided = undefined;
        });
      one.undecided = decided;
    }
  }
}

const alike = <T extends Decidable>(all: readonly T[]): Iterable<T[]> =>
  Map.groupBy(all, ({ caller, reads }) =>
    JSON.stringify([caller.bareJid, caller.tokens, reads?.ask.names, reads?.ask.categories]),
  ).values();

/** `now` is the answer to the same question as `before`: nothing of what was granted then is missing. */
function isAsMuch(now: Admitted, before: Admitted): boolean {
  const left = new Map(now.targets.map(({ node, ask }) => [nodeKey(node), ask]));
  return before.targets.every(({ node, ask }) => {
    const still = left.get(nodeKey(node));
    if (still === undefined) return false;
    // No names are all names.
    const isNamed =
      still.names.length === 0 || (ask.names.length > 0 && ask.names.every(name => still.names.includes(name)));
    return isNamed && categoryNames.every(one => still.categories[one] || !ask.categories[one]);
  });
}
