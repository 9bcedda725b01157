// Exact decimals: an integer times a power of ten, never through floating point, so that 1 times 0.001 prints 0.001 and a
// counter of 64 bits keeps its last digit.

/** value = mantissa × 10^exponent. Numbers are safe integers. */
export interface Decimal {
  readonly mantissa: number | bigint;
  readonly exponent: number;
}

/** "-18205808.46", "1500000", "0": no exponent, no trailing zeros behind the point. */
export function formatDecimal({ mantissa, exponent }: Decimal): string {
  const text = formatScaled({ mantissa, exponent });
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** As `formatDecimal`, but with every place the exponent claims: 1200 × 10^-2 is "12.00". */
export function formatScaled({ mantissa, exponent }: Decimal): string {
  const negative = mantissa < 0;
  const digits = String(mantissa).slice(negative ? 1 : 0);
  const sign = negative ? "-" : "";
  if (exponent >= 0) return digits === "0" ? "0" : `${sign}${digits}${"0".repeat(exponent)}`;
  const padded = digits.padStart(1 - exponent, "0");
  return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}

/** The sum, exact. */
export function addDecimal(a: Decimal, b: Decimal): Decimal {
  const exponent = Math.min(a.exponent, b.exponent);
  const lift = (one: Decimal) => BigInt(one.mantissa) * 10n ** BigInt(one.exponent - exponent);
  return { mantissa: narrow(lift(a) + lift(b)), exponent };
}

export const timesInteger = ({ mantissa, exponent }: Decimal, factor: number): Decimal => ({
  mantissa: narrow(BigInt(mantissa) * BigInt(factor)),
  exponent,
});

const narrow = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
