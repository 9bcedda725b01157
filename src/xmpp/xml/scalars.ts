// Lexical forms of single values, both ways, strict in (COM-LEX-01…07): what cannot be read is an error, never a default.

/** Reads and writes one value as text. `parse` throws `ScalarError`. */
export interface Scalar<T> {
  parse(text: string): T;
  format(value: T): string;
}

/** The text is not of the kind; the message completes "…: ". */
export class ScalarError extends Error {
  override name = "ScalarError";
}

const fail = (text: string, wanted: string): never => {
  throw new ScalarError(`"${text.length > 40 ? `${text.slice(0, 40)}…` : text}" is not ${wanted}`);
};

export const text: Scalar<string> = { parse: value => value, format: value => value };

/** A required identifier: not empty, at most 1024 characters (COM-LEX-08). */
export const identifier: Scalar<string> = {
  parse: value => (value === "" || value.length > 1024 ? fail(value, "an identifier of 1 to 1024 characters") : value),
  format: value => value,
};

const truths: ReadonlyMap<string, boolean> = new Map([
  ...["true", "1", "yes", "on"].map(word => [word, true] as const),
  ...["false", "0", "no", "off"].map(word => [word, false] as const),
]);

export const boolean: Scalar<boolean> = {
  parse: value => truths.get(value.trim().toLowerCase()) ?? fail(value, "a boolean"),
  format: value => (value ? "true" : "false"),
};

const integer = (min: number, max: number, wanted: string): Scalar<number> => ({
  parse: value => {
    const number = /^\s*[+-]?\d{1,16}\s*$/.test(value) ? Number(value) : Number.NaN;
    return number >= min && number <= max ? number : fail(value, wanted);
  },
  format: value => value.toString(10),
});

export const int32 = integer(-(2 ** 31), 2 ** 31 - 1, "a 32-bit integer");
export const unsigned = integer(0, 2 ** 32 - 1, "an unsigned integer");
export const positive = integer(1, 2 ** 32 - 1, "a positive integer");

export const int64: Scalar<bigint> = {
  parse: value => {
    const number = /^\s*[+-]?\d{1,19}\s*$/.test(value) ? BigInt(value.trim().replace(/^\+/, "")) : undefined;
    return number !== undefined && BigInt.asIntN(64, number) === number ? number : fail(value, "a 64-bit integer");
  },
  format: value => value.toString(10),
};

/** Finite only: INF and NaN are dropped silently by other implementations (COM-LEX-03). No exponent on the way out (SD-RESP-09). */
export const double: Scalar<number> = {
  parse: value => {
    const number = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*$/.test(value) ? Number(value) : Number.NaN;
    return Number.isFinite(number) ? number : fail(value, "a finite number");
  },
  format: value => plainDecimal(value),
};

/** Shortest decimal that reads back as the same number, without exponent. */
export function plainDecimal(value: number): string {
  const shortest = String(value);
  if (!shortest.includes("e")) return shortest;
  const [mantissa = "0", exponent = "0"] = shortest.split("e");
  const sign = mantissa.startsWith("-") ? "-" : "";
  const [whole = "0", fraction = ""] = mantissa.replace("-", "").split(".");
  const shift = Number(exponent);
  const digits = whole + fraction;
  const point = whole.length + shift;
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  return point >= digits.length
    ? `${sign}${digits}${"0".repeat(point - digits.length)}`
    : `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** Number with its decimals as written: 12.30 has two. */
export interface Decimal {
  readonly value: number;
  readonly decimals: number;
}

export const decimal: Scalar<Decimal> = {
  parse: value => {
    const number = double.parse(value);
    const parts = /^\s*[+-]?\d*\.?(\d*)(?:[eE]([+-]?\d+))?\s*$/.exec(value);
    const decimals = Math.max(0, (parts?.[1]?.length ?? 0) - Number(parts?.[2] ?? 0));
    return { value: number, decimals: Math.min(decimals, 100) };
  },
  format: ({ value, decimals }) =>
    Math.abs(value) < 1e21
      ? value.toFixed(decimals)
      : plainDecimal(value) + (decimals > 0 ? `.${"0".repeat(decimals)}` : ""),
};

const dateTimeText = /^(-?\d{4,6})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?$/;

/** Milliseconds since 1970 UTC. Out: UTC, milliseconds, Z. In: any fraction, zone or none; none is taken as the host's zone (COM-LEX-02). */
export const dateTime: Scalar<number> = {
  parse: value => {
    const parts = dateTimeText.exec(value.trim());
    if (parts === null) return fail(value, "a date and time");
    const [, year, month, day, hour, minute, second = "00", fraction = "", zone = ""] = parts;
    const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3).padEnd(3, "0")}${zone}`;
    const at = Date.parse(iso);
    return Number.isFinite(at) && exists(Number(year), Number(month), Number(day))
      ? at
      : fail(value, "a date and time");
  },
  format: value => new Date(value).toISOString(),
};

/** The calendar has this day. `Date.parse` takes 31 February for a day in March, and `Date.UTC` the year 20 for 1920. */
function exists(year: number, month: number, day: number): boolean {
  const at = new Date(0);
  at.setUTCFullYear(year, month - 1, day);
  return at.getUTCMonth() === month - 1 && at.getUTCDate() === day;
}

const matching = (
  pattern: RegExp,
  wanted: string,
  check: (found: RegExpExecArray) => boolean = () => true,
): Scalar<string> => ({
  parse: value => {
    const found = pattern.exec(value.trim());
    return found !== null && check(found) ? value.trim() : fail(value, wanted);
  },
  format: value => value,
});

export const date = matching(/^(\d{4})-(\d\d)-(\d\d)$/, "a date (yyyy-mm-dd)", ([, year, month, day]) =>
  exists(Number(year), Number(month), Number(day)),
);
export const time = matching(
  /^(\d\d):(\d\d):(\d\d)(\.\d{1,7})?(Z|[+-]\d\d:\d\d)?$/,
  "a time below 24 h (hh:mm:ss)",
  ([, hour, minute, second]) => Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60,
);
export const duration = matching(
  /^-?P(?=[\dT])(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$/,
  "an ISO 8601 duration",
);
const colorText = matching(/^([0-9a-fA-F]{6}|[0-9a-fA-F]{8})$/, "a colour of 6 or 8 hexadecimal digits");
export const color: Scalar<string> = {
  parse: value => colorText.parse(value).toUpperCase(),
  format: value => value.toUpperCase(),
};

export const oneOf = <const T extends string>(...allowed: readonly T[]): Scalar<T> => ({
  parse: value => allowed.find(one => one === value) ?? fail(value, `one of ${allowed.join(", ")}`),
  format: value => value,
});

/** Blank-separated list, as the token attributes have it. */
export const words: Scalar<readonly string[]> = {
  parse: value => value.split(/\s+/).filter(word => word !== ""),
  format: value => value.join(" "),
};

const base64Text = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Octets (xs:base64Binary); white space between the digits is allowed. */
export const base64: Scalar<Uint8Array> = {
  parse: value => {
    const digits = value.replace(/\s+/g, "");
    if (!base64Text.test(digits)) return fail(value, "base64");
    return Uint8Array.from(atob(digits), one => one.charCodeAt(0));
  },
  format: value => {
    let octets = "";
    for (const one of value) octets += String.fromCharCode(one);
    return btoa(octets);
  },
};
