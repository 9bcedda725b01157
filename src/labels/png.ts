// Pictures as PNG (ISO/IEC 15948): black and white, one bit a dot, with the number of dots a metre so that they are printed in
// their true size.

import { crc32, deflateSync } from "node:zlib";
import type { Bitmap } from "./bitmap.ts";

export function pngOf({ width, height, rowBytes, bits }: Bitmap, dotsPerInch: number): Uint8Array {
  // Each row has an octet for its filter before it, here none; a set bit is white.
  const rows = new Uint8Array((rowBytes + 1) * height);
  for (let y = 0; y < height; y++) {
    for (let at = 0; at < rowBytes; at++) rows[y * (rowBytes + 1) + 1 + at] = ~(bits[y * rowBytes + at] as number);
  }
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  // One bit, grey scale, deflate, adaptive filters, not interlaced.
  header.setUint8(8, 1);
  const physical = new DataView(new ArrayBuffer(9));
  const perMetre = Math.round(dotsPerInch / 0.0254);
  physical.setUint32(0, perMetre);
  physical.setUint32(4, perMetre);
  physical.setUint8(8, 1);
  return Buffer.concat([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", new Uint8Array(header.buffer)),
    chunk("pHYs", new Uint8Array(physical.buffer)),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", new Uint8Array()),
  ]);
}

function chunk(name: string, content: Uint8Array): Uint8Array {
  const checked = Buffer.concat([Buffer.from(name, "latin1"), content]);
  const made = Buffer.alloc(4 + checked.length + 4);
  made.writeUInt32BE(content.length, 0);
  made.set(checked, 4);
  made.writeUInt32BE(crc32(checked), 4 + checked.length);
  return made;
}
