// Commands: what a node lets itself be told to do. Simple ones need nothing more, parameterized ones a form, and queries
// answer with a report as they go. Whoever may execute on the node may; the confirmation is asked by the client.

import type * as z from "zod";
import type { Report } from "./report.ts";

export type CommandKind = "simple" | "parameterized" | "query";

interface Described {
  /** Stable, unlocalised, unique on its node, public API: "ScanPrimary". */
  readonly id: string;
  readonly title: string;
  /** Clients order by it, ordinally. */
  readonly sort?: { readonly category: string; readonly key: string };
  /** Asked before it is executed. */
  readonly confirmation?: string;
  readonly success?: string;
  readonly failure?: string;
}

// biome-ignore lint/suspicious/noExplicitAny: each command has its own settings; the concentrator parses them before the call.
type Values = any;

/** `execute` and `query` throw `DeviceFault` or `Refusal` with words for a person; aborting ends them promptly. */
export type Command =
  | (Described & { readonly kind: "simple"; execute(signal: AbortSignal): Promise<void> })
  | (Described & {
      readonly kind: "parameterized";
      /** Flat, made of contract/settings.ts. */
      readonly settings: z.ZodObject;
      execute(values: Values, signal: AbortSignal): Promise<void>;
    })
  | (Described & {
      readonly kind: "query";
      readonly settings?: z.ZodObject;
      query(values: Values, report: Report, signal: AbortSignal): Promise<void>;
    });

/** Each gives its function the type of its own settings. */
export const simple = (one: Described & { execute(signal: AbortSignal): Promise<void> }): Command => ({
  ...one,
  kind: "simple",
});
export const parameterized = <S extends z.ZodObject>(
  one: Described & { readonly settings: S; execute(values: z.output<S>, signal: AbortSignal): Promise<void> },
): Command => ({ ...one, kind: "parameterized" });
export const query = (one: Described & { query(report: Report, signal: AbortSignal): Promise<void> }): Command => ({
  ...one,
  kind: "query",
  query: (_values, report, signal) => one.query(report, signal),
});
export const queryWith = <S extends z.ZodObject>(
  one: Described & {
    readonly settings: S;
    query(values: z.output<S>, report: Report, signal: AbortSignal): Promise<void>;
  },
): Command => ({ ...one, kind: "query" });
