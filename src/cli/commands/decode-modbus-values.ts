// Register words to values, for `isthmus decode modbus`: {type, order, registers …} as the vectors and the register maps write it
// comes back with its value. A pure function.

import { decimalOfFloat32, formatScaled } from "#base/decimal.ts";
import {
  decodeRegisters,
  type Layout,
  type RegisterType,
  type RegisterValue,
  registerTypes,
  wordOrders,
} from "#drivers/modbus/registers.ts";

export interface DecodedModbus {
  /** With `error`, a reason word, when it cannot be accepted. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly lines: readonly string[];
}

const layoutWords: Readonly<Record<string, string>> = {
  type: `"type" must be one of ${registerTypes.join(", ")}`,
  order: `"order" must be one of ${wordOrders.join(", ")}`,
  registers: '"registers" must be a list of words in hexadecimal: ["4366", "3334"]',
};

const refused = (error: string): DecodedModbus => ({ json: { error }, lines: [`not accepted: ${layoutWords[error]}`] });

/**
 * {"type":"int32","order":"CDAB","registers":["a27b","7f22"],"scale":0.1}: adds the value, null with a reason where there is
 * none. The order may also be said as in a register map: "wordOrder" be or word-swapped, "divisor" instead of a scale.
 */
export function decodeConversion(given: Readonly<Record<string, unknown>>): DecodedModbus {
  const layout = layoutOf(given);
  if (typeof layout === "string") return refused(layout);
  const registers = (given.registers as unknown[]).map(word => Number.parseInt(String(word), 16));
  const decoded = decodeRegisters({ ...layout, words: registers.length }, registers);
  const value = valueJson(decoded, layout.type);
  const { value: _expected, ...input } = given;
  const reason = decoded.kind === "none" ? { reason: decoded.reason } : {};
  return {
    json: { ...input, value, ...reason },
    lines: [sayValue(decoded, value)],
  };
}

/** A float as the unit meant it; JSON has all of its binary digits. */
function sayValue(decoded: RegisterValue, value: unknown): string {
  if (decoded.kind === "none") return `no value: ${decoded.reason}`;
  if (decoded.kind === "float" && decoded.bits === 32) return formatScaled(decimalOfFloat32(decoded.value));
  return decoded.kind === "decimal" ? formatScaled(decoded.value) : String(value);
}

function layoutOf(given: Readonly<Record<string, unknown>>): Layout | string {
  const type = registerTypes.find(known => known === given.type);
  const mapped = given.wordOrder === "word-swapped" ? "CDAB" : "ABCD";
  const order = wordOrders.find(known => known === (given.order ?? mapped));
  if (type === undefined) return "type";
  if (order === undefined) return "order";
  if (
    !Array.isArray(given.registers) ||
    given.registers.length === 0 ||
    !given.registers.every(word => /^[0-9a-f]{4}$/i.test(String(word)))
  ) {
    return "registers";
  }
  const names = Object.entries((given.map ?? given.bits ?? {}) as Record<string, string>);
  return {
    type,
    order: given.byteSwap === true ? "BADC" : order,
    ...(typeof given.scale === "number" && { scale: given.scale }),
    ...(typeof given.divisor === "number" && given.divisor !== 0 && { scale: 1 / given.divisor }),
    ...(typeof given.offset === "number" && { offset: given.offset }),
    ...(Array.isArray(given.noValue) && { noValue: given.noValue.map(String) }),
    ...(typeof given.mask === "string" && { mask: Number.parseInt(given.mask, 16) }),
    ...(typeof given.shift === "number" && { shift: given.shift }),
    ...(names.length > 0 && { names: new Map(names.map(([code, name]) => [Number(code), name])) }),
  };
}

/** 64-bit integers are text: JSON numbers lose their last digits. */
function valueJson(value: ReturnType<typeof decodeRegisters>, type: RegisterType): unknown {
  switch (value.kind) {
    case "none":
      return null;
    case "decimal":
      return type.endsWith("int64") ? formatScaled(value.value) : Number(formatScaled(value.value));
    case "float":
    case "text":
      return value.value;
    case "flags":
      return value.names;
    case "choice":
      return value.name ?? value.code;
    case "time":
      return new Date(value.at).toISOString().replace(".000Z", "Z");
  }
}
