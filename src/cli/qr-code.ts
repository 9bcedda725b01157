// The QR code of a claim URI as a terminal shows it, for a phone to read. A file of its own, for what draws it is loaded where a
// code is shown, and not by an appliance that runs for years without a screen.

import QRCode from "qrcode";
import { codeVersionMax } from "#limits.ts";

/** Undefined: what is denser no phone reads from a screen, and what is longer yet has no code at all. */
export function qrCode(text: string): string | undefined {
  try {
    const { modules, version } = QRCode.create(text, { errorCorrectionLevel: "M" });
    return version <= codeVersionMax ? drawn(modules) : undefined;
  } catch {
    return undefined;
  }
}

/** Two modules a character, dark on light whatever the terminal's colours are, with the quiet zone a scanner needs. */
function drawn(modules: QRCode.QRCode["modules"]): string {
  const dark = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < modules.size && y < modules.size && modules.get(y, x) === 1;
  // ISO/IEC 18004: four modules on each side.
  const quiet = 4;
  const lines: string[] = [];
  for (let y = -quiet; y < modules.size + quiet; y += 2) {
    let line = "";
    for (let x = -quiet; x < modules.size + quiet; x++) {
      const [top, bottom] = [dark(x, y), dark(x, y + 1)];
      line += top ? (bottom ? " " : "▄") : bottom ? "▀" : "█";
    }
    lines.push(`\u001b[97;40m${line}\u001b[0m`);
  }
  return lines.join("\n");
}
