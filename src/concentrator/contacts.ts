// Who is kept out, and which codes let somebody in once: as the appliance remembers it. Types only.

export interface Blocked {
  /** Bare JID, or a domain with all that is in it. */
  readonly jid: string;
  readonly at: number;
  /** Who wanted it; empty when it was done at the broker. */
  readonly by: string;
}

export interface Pairing {
  /** SHA-256 of the code: who reads the file learns none. */
  readonly digest: string;
  readonly until: number;
  readonly by: string;
}

/** Every write is on the disk when the call returns. */
export interface ContactStore {
  blocked(): Blocked[];
  block(one: Blocked): void;
  unblock(jid: string): void;
  pairings(): Pairing[];
  addPairing(one: Pairing): void;
  /** True when it was there: of two who show the same code, one gets true. */
  takePairing(digest: string): boolean;
}
