// What is overheard on a line: octets or texts in both directions, and remarks. Whoever hands items on masks what is secret
// in them first: traffic that a driver lets out of its room holds no credentials.

export type SniffedItem = { readonly at: number } & (
  | { readonly kind: "rxBin" | "txBin"; readonly bytes: Uint8Array }
  | { readonly kind: "rx" | "tx" | "info" | "warning" | "error" | "exception"; readonly text: string }
);
