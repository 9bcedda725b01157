// Registers of a SunSpec point to its value: types, and what each says instead of a value when the device does not implement the
// point. SunSpec Device Information Model Specification 1.1, clause 4.2 (types) and 4.3 (scale factors). Pure.

import { type Decimal, decimalOf, decimalOfFloat32, roundDecimal } from "#base/decimal.ts";
import type { ModelPoint } from "./sunspec-definition.ts";
import type { PlacedPoint } from "./sunspec-layout.ts";

export type PointValue =
  /** Scaled; the places are the device's own. */
  | { readonly kind: "decimal"; readonly value: Decimal; readonly scaled: boolean }
  | { readonly kind: "text"; readonly value: string }
  /** Names of the bits that are set, as the model calls them. */
  | { readonly kind: "flags"; readonly names: readonly string[]; readonly raw: number }
  /** `name` undefined: a code the model does not name. */
  | { readonly kind: "choice"; readonly code: number; readonly name: string | undefined }
  | { readonly kind: "none"; readonly reason: string };

export const words = {
  absent: "the device does not implement it",
  noScale: "the device gives no scale factor for it",
  badScale: "its scale factor is not one of -10 to 10",
  noCount: "the device has counted nothing",
  short: "its registers were not read",
};
const none = (reason: string): PointValue => ({ kind: "none", reason });

/** `registerAt`: what one read brought, by the offset in the model; value and scale are to come from the same. */
export function pointValueOf(placed: PlacedPoint, registerAt: (offset: number) => number | undefined): PointValue {
  const { point, offset } = placed;
  const registers: number[] = [];
  for (let n = 0; n < point.size; n++) {
    const register = registerAt(offset + n);
    if (register === undefined) return none(words.short);
    registers.push(register);
  }
  const bytes = new Uint8Array(registers.flatMap(register => [register >> 8, register & 0xff]));
  const raw = rawOf(point, bytes);
  if (raw.kind !== "decimal" || placed.scale === undefined) return raw;
  const power = "power" in placed.scale ? placed.scale.power : asSigned(registerAt(placed.scale.offset));
  if (power === undefined) return none(words.noScale);
  if (Math.abs(power) > 10) return none(words.badScale);
  const { mantissa, exponent } = raw.value;
  return { kind: "decimal", value: { mantissa, exponent: exponent + power }, scaled: true };
}

/** -32768 is "not implemented". */
const asSigned = (register: number | undefined): number | undefined =>
  register === undefined || register === 0x8000 ? undefined : register >= 0x8000 ? register - 0x10000 : register;

function rawOf(point: ModelPoint, bytes: Uint8Array<ArrayBuffer>): PointValue {
  const view = new DataView(bytes.buffer);
  const bits = bytes.length * 8;
  switch (point.type) {
    case "int16":
    case "int32":
    case "int64": {
      const value = BigInt.asIntN(bits, unsignedOf(bytes));
      return value === -(1n << BigInt(bits - 1)) ? none(words.absent) : integer(value);
    }
    case "sunssf":
    case "uint16":
    case "uint32":
    case "uint64":
    case "count":
      return isAll(bytes, 0xff) ? none(words.absent) : integer(unsignedOf(bytes));
    case "acc16":
    case "acc32":
    case "acc64":
      return isAll(bytes, 0) ? none(words.noCount) : integer(unsignedOf(bytes));
    case "float32":
      return float(view.getFloat32(0), decimalOfFloat32);
    case "float64":
      return float(view.getFloat64(0), decimalOf);
    case "enum16":
    case "enum32":
      return isAll(bytes, 0xff) ? none(words.absent) : choice(point, Number(unsignedOf(bytes)));
    case "bitfield16":
    case "bitfield32":
    case "bitfield64":
      return isAll(bytes, 0xff) ? none(words.absent) : flags(point, unsignedOf(bytes));
    case "ipaddr":
      return isAll(bytes, 0) ? none(words.absent) : { kind: "text", value: [...bytes].join(".") };
    case "ipv6addr":
      return isAll(bytes, 0)
        ? none(words.absent)
        : { kind: "text", value: Array.from({ length: 8 }, (_, n) => view.getUint16(2 * n).toString(16)).join(":") };
    case "eui48":
      return isAll(bytes, 0xff) || isAll(bytes, 0) ? none(words.absent) : { kind: "text", value: macOf(bytes) };
    case "string":
    case "pad":
      return text(bytes);
  }
}

const isAll = (bytes: Uint8Array, octet: number): boolean => bytes.every(byte => byte === octet);

const unsignedOf = (bytes: Uint8Array): bigint => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

const integer = (value: bigint): PointValue => ({
  kind: "decimal",
  scaled: false,
  value: { mantissa: BigInt.asIntN(53, value) === value ? Number(value) : value, exponent: 0 },
});

/** As many places as the device's float has; a billionth of the unit at most. */
const float = (value: number, exact: (value: number) => Decimal): PointValue =>
  Number.isFinite(value) ? { kind: "decimal", value: roundDecimal(exact(value), 9), scaled: true } : none(words.absent);

function choice({ symbols }: ModelPoint, code: number): PointValue {
  // Codes of vendors have no names in the model: the number is all there is to say.
  return symbols === undefined ? integer(BigInt(code)) : { kind: "choice", code, name: symbols[code] };
}

function flags({ symbols }: ModelPoint, value: bigint): PointValue {
  if (symbols === undefined) return integer(value);
  const names: string[] = [];
  for (let bit = 0; value >> BigInt(bit) > 0n; bit++) {
    if ((value >> BigInt(bit)) & 1n) names.push(symbols[bit] ?? `bit ${bit}`);
  }
  return { kind: "flags", names, raw: Number(value) };
}

function text(bytes: Uint8Array): PointValue {
  if (isAll(bytes, 0xff)) return none(words.absent);
  const end = bytes.indexOf(0);
  const value = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end)).trimEnd();
  // Control characters cannot stand in XML.
  return value === "" ? none(words.absent) : { kind: "text", value: value.replace(/\p{Cc}/gu, "?") };
}

/** In four registers, of which the last six octets are the address. */
const macOf = (bytes: Uint8Array): string =>
  Array.from(bytes.subarray(bytes.length - 6), byte => byte.toString(16).padStart(2, "0")).join(":");
