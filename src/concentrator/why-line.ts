// A sentence of an explanation, and how a time stands in it: in the zone of the appliance.

export interface Line {
  readonly text: string;
}

/** "2026-11-20 14:02" */
export const time = (ms: number): string =>
  new Date(ms).toLocaleString("sv", { dateStyle: "short", timeStyle: "short" });
