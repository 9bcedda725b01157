// Octets as people write them, and back.

/** "68 03 03 68": upper case, one blank between octets. */
export const formatHex = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => byte.toString(16).padStart(2, "0").toUpperCase()).join(" ");

/** Accepts blanks, commas, colons, line ends and `0x` between octets. Anything else, or half an octet, is undefined. */
export function parseHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/0x/gi, " ").replace(/[\s,:;-]+/g, "");
  if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) return undefined;
  return Uint8Array.from(digits.match(/../g) ?? [], pair => Number.parseInt(pair, 16));
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
