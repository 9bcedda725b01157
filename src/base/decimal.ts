// Exact decimals: an integer times a power of ten, never through floating point, so that 3 x 0.1 is 0.3, 1 x 0.001 prints
// 0.001, and a counter of 64 bits keeps its last digit. Pure.

/** value = mantissa x 10^exponent. Numbers are safe integers. The places of a negative exponent are part of the claim. */
export interface Decimal {
  readonly mantissa: number | bigint;
  readonly exponent: number;
}

/** The decimal that is written when the number is: 0.1 is one tenth. `value` must be finite. */
export function decimalOf(value: number): Decimal {
  const [digits = "0", power = "0"] = String(value).split("e");
  const [whole = "0", fraction = ""] = digits.split(".");
  return { mantissa: narrow(BigInt(whole + fraction)), exponent: Number(power) - fraction.length };
}

/** The shortest decimal that is this float32: what a device resolved, not the noise of its binary form. */
export function decimalOfFloat32(value: number): Decimal {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return decimalOf(short);
  }
  return decimalOf(Number(value.toPrecision(9)));
}

/** "-18205808.46", "1500000", "0": no exponent, no trailing zeros behind the point. */
export function formatDecimal(value: Decimal): string {
  const text = formatScaled(value);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** As `formatDecimal`, but with every place the exponent claims: 1200 x 10^-2 is "12.00". */
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
  return { mantissa: narrow(atExponent(a, exponent) + atExponent(b, exponent)), exponent };
}

/** The product, exact. */
export const multiplyDecimal = (a: Decimal, b: Decimal): Decimal => ({
  mantissa: narrow(BigInt(a.mantissa) * BigInt(b.mantissa)),
  exponent: a.exponent + b.exponent,
});

/** The quotient, undefined unless it is a whole number. */
export function divideExactly(dividend: Decimal, divisor: Decimal): bigint | undefined {
  const exponent = Math.min(dividend.exponent, divisor.exponent);
  const [numerator, denominator] = [atExponent(dividend, exponent), atExponent(divisor, exponent)];
  return denominator !== 0n && numerator % denominator === 0n ? numerator / denominator : undefined;
}

/** Rounds half away from zero to that many places behind the point; never adds any. */
export function roundDecimal(value: Decimal, places: number): Decimal {
  if (-value.exponent <= places) return value;
  const divisor = 10n ** BigInt(-value.exponent - places);
  const half = value.mantissa < 0 ? -divisor / 2n : divisor / 2n;
  return { mantissa: narrow((BigInt(value.mantissa) + half) / divisor), exponent: -places };
}

const atExponent = ({ mantissa, exponent }: Decimal, lower: number): bigint =>
  BigInt(mantissa) * 10n ** BigInt(exponent - lower);

const narrow = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
