// Exact decimals: digits / 10^decimals. Scaling is done on them, so that 3 x 0.1 is 0.3 and a 64-bit counter keeps its last
// digit. Pure.

export interface Decimal {
  readonly digits: bigint;
  readonly decimals: number;
}

/** A billionth of the unit: beyond it stand the leavings of scales such as 1/3, not measurements. */
const decimalsMax = 9;

/** The decimal that is written when the number is: 0.1 is one tenth. `value` must be finite. */
export function decimalOf(value: number): Decimal {
  const [mantissa = "0", exponent = "0"] = String(value).split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  return shiftPoint(BigInt(whole + fraction), fraction.length - Number(exponent));
}

/** The shortest decimal that is this float32: what the unit meant by it. */
export function decimalOfFloat32(value: number): Decimal {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return decimalOf(short);
  }
  return decimalOf(Number(value.toPrecision(9)));
}

/** raw x scale + offset, rounded to a billionth. */
export function scaleAndShift(raw: Decimal, scale = 1, offset = 0): Decimal {
  const factor = decimalOf(scale);
  const product = { digits: raw.digits * factor.digits, decimals: raw.decimals + factor.decimals };
  return limited(add(product, decimalOf(offset)));
}

/** (value - offset) / scale, undefined unless it is a whole number. */
export function divideExactly(value: Decimal, scale: Decimal, offset: Decimal): bigint | undefined {
  const difference = add(value, { ...offset, digits: -offset.digits });
  const numerator = difference.digits * 10n ** BigInt(scale.decimals);
  const denominator = scale.digits * 10n ** BigInt(difference.decimals);
  return denominator !== 0n && numerator % denominator === 0n ? numerator / denominator : undefined;
}

/** "12.30" */
export function formatDecimal({ digits, decimals }: Decimal): string {
  const text = (digits < 0n ? -digits : digits).toString().padStart(decimals + 1, "0");
  const sign = digits < 0n ? "-" : "";
  return decimals === 0 ? sign + text : `${sign}${text.slice(0, -decimals)}.${text.slice(-decimals)}`;
}

/** Rounds half away from zero to that many decimals; never adds any. */
export function limited(value: Decimal, decimals = decimalsMax): Decimal {
  if (value.decimals <= decimals) return value;
  const divisor = 10n ** BigInt(value.decimals - decimals);
  const half = value.digits < 0n ? -divisor / 2n : divisor / 2n;
  return { digits: (value.digits + half) / divisor, decimals };
}

function add(a: Decimal, b: Decimal): Decimal {
  const decimals = Math.max(a.decimals, b.decimals);
  const aligned = (some: Decimal) => some.digits * 10n ** BigInt(decimals - some.decimals);
  return { digits: aligned(a) + aligned(b), decimals };
}

const shiftPoint = (digits: bigint, decimals: number): Decimal =>
  decimals >= 0 ? { digits, decimals } : { digits: digits * 10n ** BigInt(-decimals), decimals: 0 };
