// The report of a query, as it grows: title, progress, sections, tables of typed cells, objects and messages
// (Concentrator.xsd, queryProgress). The writer's side is `Report`, what goes out of it are `ReportItem`s.

export type Cell =
  | { readonly kind: "void" }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "color" | "date" | "duration" | "string" | "time"; readonly value: string }
  /** Milliseconds since 1970 UTC */
  | { readonly kind: "dateTime"; readonly value: number }
  | { readonly kind: "double" | "int"; readonly value: number }
  | { readonly kind: "long"; readonly value: bigint }
  | { readonly kind: "base64"; readonly contentType: string; readonly value: Uint8Array }
  | { readonly kind: "quantity"; readonly value: number; readonly decimals: number; readonly unit: string }
  | { readonly kind: "measurement"; readonly value: number; readonly unit: string; readonly error: number };

export interface Column {
  readonly columnId: string;
  readonly header?: string | undefined;
  /** The values of the column are ids of nodes of this source, and partition. */
  readonly source?: string | undefined;
  readonly partition?: string | undefined;
  readonly foreground?: string | undefined;
  readonly background?: string | undefined;
  readonly alignment?: "Left" | "Center" | "Right" | undefined;
  readonly decimals?: number | undefined;
}

export type ReportMessageType = "Information" | "Warning" | "Error" | "Exception";
export type ReportMessageLevel = "Minor" | "Medium" | "Major";

export type ReportItem =
  | { readonly kind: "title"; readonly text: string }
  /** Replaces the one before. */
  | { readonly kind: "status"; readonly text: string }
  | { readonly kind: "beginSection"; readonly header: string }
  | { readonly kind: "endSection" }
  | {
      readonly kind: "newTable";
      readonly tableId: string;
      readonly title: string;
      readonly columns: readonly Column[];
    }
  | { readonly kind: "newRecords"; readonly tableId: string; readonly records: readonly (readonly Cell[])[] }
  | { readonly kind: "tableDone"; readonly tableId: string }
  | { readonly kind: "newObject"; readonly contentType: string; readonly content: Uint8Array }
  | {
      readonly kind: "message";
      readonly type: ReportMessageType;
      readonly level: ReportMessageLevel;
      readonly text: string;
    };

/**
 * Each call resolves when the reader has room for it and rejects with the abort reason when nobody reads any more. What is
 * left open at the end is closed.
 */
export interface Report {
  title(text: string): Promise<void>;
  status(text: string): Promise<void>;
  beginSection(header: string): Promise<void>;
  endSection(): Promise<void>;
  table(title: string, columns: readonly Column[]): Promise<ReportTable>;
  object(contentType: string, content: Uint8Array): Promise<void>;
  message(text: string, type?: ReportMessageType, level?: ReportMessageLevel): Promise<void>;
}

export interface ReportTable {
  /** A row; cells left out at the end are void, more than there are columns is a mistake. */
  row(...cells: readonly Cell[]): Promise<void>;
  done(): Promise<void>;
}

export const noCell: Cell = { kind: "void" };
export const textCell = (value: string | undefined): Cell =>
  value === undefined || value === "" ? noCell : { kind: "string", value };
export const flagCell = (value: boolean): Cell => ({ kind: "boolean", value });
export const timeCell = (value: number): Cell => ({ kind: "dateTime", value });
export const quantityCell = (value: number, decimals: number, unit: string): Cell => ({
  kind: "quantity",
  value,
  decimals,
  unit,
});
/** By its size: 32 bits, 64 bits, or text (CON-QP-05). */
export function integerCell(value: number | bigint): Cell {
  const big = BigInt(value);
  if (BigInt.asIntN(32, big) === big) return { kind: "int", value: Number(big) };
  return BigInt.asIntN(64, big) === big ? { kind: "long", value: big } : { kind: "string", value: big.toString() };
}
