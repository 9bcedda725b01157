// Octets as people write them, and back.

/** "68 03 03 68": upper case, one blank between octets. */
export const formatHex = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => byte.toString(16).padStart(2, "0").toUpperCase()).join(" ");

/**
 * Groups of whole octets, each perhaps with `0x` before it, between blanks, line ends, commas, colons, semicolons or
 * hyphens. Anything else is undefined, half an octet too: "1 2" may mean 12 or 01 02, and is not guessed at.
 */
export function parseHex(text: string): Uint8Array | undefined {
  const groups = text.split(/[\s,:;-]+/).filter(group => group !== "");
  if (!groups.every(group => /^(0x)?([0-9a-f]{2})+$/i.test(group))) return undefined;
  const digits = groups.map(group => group.replace(/^0x/i, "")).join("");
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
