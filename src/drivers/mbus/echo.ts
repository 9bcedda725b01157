// Some level converters give back what was sent. The octets that equal the request, and only those at the very beginning of
// what comes, are removed before anything else looks at them.

export interface Echo {
  /** What is left of a chunk. Octets that may still turn out to be the echo are held back. */
  strip(chunk: Uint8Array): Uint8Array;
  /** True once, in the call that completed it. */
  readonly found: boolean;
}

/** A slave never sends what a master sends (bit 6 of the C field), so an answer cannot be taken for an echo. */
export function stripEcho(request: Uint8Array): Echo {
  let matched = 0;
  let open = true;
  let found = false;
  return {
    strip(chunk) {
      found = false;
      if (!open) return chunk;
      let at = 0;
      while (at < chunk.length && matched < request.length && chunk[at] === request[matched]) {
        at++;
        matched++;
      }
      if (matched === request.length) {
        open = false;
        found = true;
        return chunk.subarray(at);
      }
      if (at === chunk.length) return chunk.subarray(at);
      open = false;
      const rest = new Uint8Array(matched + chunk.length - at);
      rest.set(request.subarray(0, matched));
      rest.set(chunk.subarray(at), matched);
      return rest;
    },
    get found() {
      return found;
    },
  };
}
