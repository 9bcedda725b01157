// What keeps a label from being made, as a sentence for the person who wants it.

export class LabelError extends Error {
  override name = "LabelError";
}
