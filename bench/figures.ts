// Figures: what was measured, in which unit, and what it should be.

export interface Figure {
  /** Stable, for programs: "concentrator.getNode.sequential.ratio". */
  readonly name: string;
  readonly text: string;
  readonly value: number;
  readonly unit: string;
  readonly target?: { readonly atLeast: number } | { readonly below: number } | { readonly atMost: number };
}

export const meets = ({ value, target }: Figure): boolean | undefined => {
  if (target === undefined) return undefined;
  if ("atLeast" in target) return value >= target.atLeast;
  return "below" in target ? value < target.below : value <= target.atMost;
};

/** `share` 0.99 gives the value that 99 of 100 do not exceed. Sorts in place. */
export function percentile(values: Float64Array, share: number): number {
  values.sort();
  return values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;
}

export function formatFigures(machine: string, figures: readonly Figure[]): string {
  const rows = figures.map(figure => {
    const met = meets(figure);
    return [
      figure.text,
      number(figure.value),
      figure.unit,
      targetText(figure),
      met === undefined ? "" : met ? "met" : "MISSED",
    ];
  });
  const widths = [0, 1, 2, 3].map(at => Math.max(...rows.map(row => row[at]?.length ?? 0)));
  const lines = rows.map(row =>
    row
      .map((cell, at) => (at === 1 ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  return [machine, "", ...lines].join("\n");
}

function targetText({ target }: Figure): string {
  if (target === undefined) return "";
  if ("atLeast" in target) return `target >= ${target.atLeast}`;
  return "below" in target ? `target < ${target.below}` : `target <= ${target.atMost}`;
}

const number = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
