// Search operators in normal form: an interval a thing's tag lies in, or does not, or a mask it fits (discovery.md,
// section 5).

import { Refusal } from "#contract/faults.ts";
import type { Operator } from "#iot/discovery.wire.ts";
import { searchOperatorsMax } from "#limits.ts";
import { compileRegex } from "./regex.ts";
import type { Bound, Criterion } from "./store.ts";

/** Undefined: nothing can be found, KEY was asked for (DISCO-KEY-02). Throws `Refusal` bad-request. */
export function criteriaOf(operators: readonly Operator[]): readonly Criterion[] | undefined {
  if (operators.length > searchOperatorsMax)
    throw new Refusal("bad-request", `more than ${searchOperatorsMax} operators in one search`);
  const criteria = operators.map(criterionOf);
  return criteria.some(({ name }) => name === "KEY") ? undefined : criteria;
}

function criterionOf(operator: Operator): Criterion {
  // A harmonised interface is a tag whose name cannot have the colons of its URN (DISCO-TAG-05).
  const named = { name: operator.name.toUpperCase().replaceAll(":", "_"), nameWildcard: operator.nameWildcard };
  switch (operator.kind) {
    case "strMask":
      if (operator.value.split(operator.wildcard).length > 9)
        throw new Refusal("bad-request", "more than 8 wildcards in one mask");
      return { ...named, type: "mask", mask: operator.value, wildcard: operator.wildcard };
    case "strRegEx":
      return { ...named, type: "regex", expression: compileRegex(operator.value) };
    case "strRange":
    case "strNRange":
    case "numRange":
    case "numNRange": {
      const { min, max, minIncluded, maxIncluded } = operator;
      return {
        ...named,
        type: operator.kind.startsWith("str") ? "str" : "num",
        outside: operator.kind.endsWith("NRange"),
        min: { value: min, included: minIncluded },
        max: { value: max, included: maxIncluded },
      };
    }
    default:
      return { ...named, type: operator.kind.startsWith("str") ? "str" : "num", ...compared(operator) };
  }
}

type Comparison = Extract<Operator, { value: string | number }>;

function compared({ kind, value }: Comparison): Pick<Criterion & { outside: boolean }, "outside"> & {
  min: Bound<string | number> | undefined;
  max: Bound<string | number> | undefined;
} {
  const open = { value, included: false };
  const closed = { value, included: true };
  switch (kind.slice(3)) {
    case "Gt":
      return { outside: false, min: open, max: undefined };
    case "GtEq":
      return { outside: false, min: closed, max: undefined };
    case "Lt":
      return { outside: false, min: undefined, max: open };
    case "LtEq":
      return { outside: false, min: undefined, max: closed };
    default:
      return { outside: kind.endsWith("NEq"), min: closed, max: closed };
  }
}
