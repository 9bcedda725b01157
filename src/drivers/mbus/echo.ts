// Some level converters give back what was sent. The octets that equal the request, and only those at the very beginning of
// what comes, are removed before anything else looks at them; whether a converter does it is remembered for its line.

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

/** What a line has learnt of its converter. */
export interface EchoMemory {
  /** One exchange: did the request come back, and did anything at all? */
  note(echoed: boolean, heard: boolean): void;
  /** Undefined until something was heard. */
  readonly echoes: boolean | undefined;
}

/** A converter that echoed once echoes always: without an echo it is the converter that is away, not the meter. */
export function createEchoMemory(): EchoMemory {
  let echoes: boolean | undefined;
  return {
    note(echoed, heard) {
      if (echoed) echoes = true;
      // An answer without an echo: another converter, or one that was set up differently.
      else if (heard) echoes = false;
    },
    get echoes() {
      return echoes;
    },
  };
}
