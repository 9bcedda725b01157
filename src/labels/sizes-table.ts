// Labels that can be bought: rolls of label printers by the size of one label, and sheets for office printers by the size of
// the label and where the labels lie. Measures are those printed on the packs of their makers.

/** Millimetres, as the label is read: width first. */
export interface LabelSize {
  readonly widthMm: number;
  readonly heightMm: number;
  /** Left white all around: the printer does not reach it, or the sheet lies a little askew. */
  readonly marginMm: number;
}

export interface Sheet extends LabelSize {
  readonly pageWidthMm: number;
  readonly pageHeightMm: number;
  readonly columns: number;
  readonly rows: number;
  /** Of the first label. */
  readonly leftMm: number;
  readonly topMm: number;
  /** From the edge of one label to the same edge of the next. */
  readonly stepXMm: number;
  readonly stepYMm: number;
}

export interface Roll extends LabelSize {
  readonly about: string;
}

const inch = 25.4;

/** Of a size that nobody named here. */
export const customMarginMm = 2;

export const rolls: Readonly<Record<string, Roll>> = {
  "62x29": { widthMm: 62, heightMm: 29, marginMm: 3, about: "Brother DK-11209" },
  "90x29": { widthMm: 90, heightMm: 29, marginMm: 3, about: "Brother DK-11201" },
  "90x38": { widthMm: 90, heightMm: 38, marginMm: 3, about: "Brother DK-11208" },
  "62x100": { widthMm: 62, heightMm: 100, marginMm: 3, about: "Brother DK-11202" },
  "89x28": { widthMm: 89, heightMm: 28, marginMm: 2, about: "Dymo 99010" },
  "89x36": { widthMm: 89, heightMm: 36, marginMm: 2, about: "Dymo 99012" },
  "57x32": { widthMm: 57, heightMm: 32, marginMm: 2, about: "Dymo 11354" },
  "2x1in": { widthMm: 2 * inch, heightMm: inch, marginMm: 1, about: "Zebra 2 x 1 in" },
  "3x1in": { widthMm: 3 * inch, heightMm: inch, marginMm: 1, about: "Zebra 3 x 1 in" },
  "3x2in": { widthMm: 3 * inch, heightMm: 2 * inch, marginMm: 1, about: "Zebra 3 x 2 in" },
  "4x2in": { widthMm: 4 * inch, heightMm: 2 * inch, marginMm: 1, about: "Zebra 4 x 2 in" },
};

const a4 = { marginMm: 2, pageWidthMm: 210, pageHeightMm: 297 };
const letter = { marginMm: 2, pageWidthMm: 8.5 * inch, pageHeightMm: 11 * inch };

export const sheets: Readonly<Record<string, Sheet>> = {
  L7159: { ...a4, columns: 3, rows: 8, widthMm: 63.5, heightMm: 33.9, ...at(7.21, 12.9, 66.04, 33.9) },
  L7160: { ...a4, columns: 3, rows: 7, widthMm: 63.5, heightMm: 38.1, ...at(7.21, 15.15, 66.04, 38.1) },
  L7163: { ...a4, columns: 2, rows: 7, widthMm: 99.1, heightMm: 38.1, ...at(4.67, 15.15, 101.6, 38.1) },
  L7165: { ...a4, columns: 2, rows: 4, widthMm: 99.1, heightMm: 67.7, ...at(4.67, 13.1, 101.6, 67.7) },
  "3490": { ...a4, columns: 3, rows: 8, widthMm: 70, heightMm: 36, ...at(0, 4.5, 70, 36) },
  "5160": { ...letter, columns: 3, rows: 10, widthMm: 2.625 * inch, heightMm: inch, ...at(4.76, 12.7, 69.85, inch) },
  "5163": { ...letter, columns: 2, rows: 5, widthMm: 4 * inch, heightMm: 2 * inch, ...at(3.97, 12.7, 106.36, 50.8) },
};

function at(leftMm: number, topMm: number, stepXMm: number, stepYMm: number) {
  return { leftMm, topMm, stepXMm, stepYMm };
}
