// What is left of a question when a rule granted a part of it: never more than was asked.

import type { Grant, Question } from "./admission.ts";
import { intersect, isEmpty } from "./contract/field.ts";

/** Granted and asked for, both; undefined when nothing is left of something. `names` empty = all, on either side. */
export function narrowed(question: Question, grant: Grant): Grant | undefined {
  // The usual case, ten thousand times in one request: all that was asked.
  if (grant.categories === question.categories && grant.names === question.names) return grant;
  const categories = intersect(question.categories, grant.categories);
  if (isEmpty(categories) && !isEmpty(question.categories)) return undefined;
  if (question.names.length === 0) return { categories, names: grant.names };
  if (grant.names.length === 0) return { categories, names: question.names };
  const allowed = new Set(grant.names);
  const names = question.names.filter(name => allowed.has(name));
  return names.length === 0 ? undefined : { categories, names };
}
