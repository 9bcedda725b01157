// Whether what is being read may go on as it began, after it was decided on anew.

import type { Admitted } from "#concentrator/admission.ts";
import { categoryNames } from "#contract/field.ts";
import { nodeKey } from "#contract/node.ts";

/** `now` is the answer to the same question as `before`: nothing of what was granted then is missing. */
export function isStillAdmitted(before: Admitted, now: Admitted): boolean {
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
