// Control parameters: what a device lets itself be told. Kinds are those of the control interface (Control.xsd).

export type ControlValue =
  | { readonly kind: "boolean"; readonly value: boolean }
  /** 6 or 8 hex digits, upper case */
  | { readonly kind: "color"; readonly value: string }
  | { readonly kind: "int32"; readonly value: number }
  | { readonly kind: "int64"; readonly value: bigint }
  | { readonly kind: "double"; readonly value: number }
  | { readonly kind: "string" | "date" | "time" | "duration"; readonly value: string }
  | { readonly kind: "dateTime"; readonly value: number }
  | { readonly kind: "enum"; readonly value: string; readonly type: string };

export type ControlKind = ControlValue["kind"];

const words: Readonly<Record<ControlKind, string>> = {
  boolean: "It takes yes or no.",
  color: "It takes a colour of 6 or 8 hexadecimal digits.",
  int32: "It takes a whole number.",
  int64: "It takes a whole number.",
  double: "It takes a number.",
  string: "It takes a text.",
  date: "It takes a date.",
  time: "It takes a time of day.",
  duration: "It takes a duration.",
  dateTime: "It takes a date and time.",
  enum: "It takes one of the choices.",
};
/** What is to be said to who gave something else. */
export const takesOnly = (kind: ControlKind): string => words[kind];

/** confirmed: read back and equal · unconfirmed: the device accepted it and cannot be asked. A refusal is a `DeviceFault`. */
export type WriteOutcome = "confirmed" | "unconfirmed";

export interface ControlParameter {
  readonly name: string;
  readonly kind: ControlKind;
  readonly label: string;
  readonly unit?: string;
  readonly min?: number;
  readonly max?: number;
  /** Allowed values of a string or enumeration. */
  readonly options?: readonly string[];
  /** For a form: help, and the page it stands on. */
  readonly description?: string;
  readonly page?: string;
  /** Parameters of one group are set together. */
  readonly group?: string;
  /** Current value, undefined when it cannot be known. */
  get?(signal: AbortSignal): Promise<ControlValue | undefined>;
  /** Writes a value that has passed kind, range and options already. Reads it back where the protocol lets it. */
  set(value: ControlValue, signal: AbortSignal): Promise<WriteOutcome>;
}
