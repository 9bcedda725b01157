// Who asks. The JIDs are those the broker stamped on the stanza, never ones from a payload (PRES-ID-01).

export interface Tokens {
  readonly service: readonly string[];
  readonly device: readonly string[];
  readonly user: readonly string[];
}

export const noTokens: Tokens = { service: [], device: [], user: [] };

export interface Caller {
  /** Bare, normalised (lower case). */
  readonly bareJid: string;
  /** With resource where there is one. */
  readonly fullJid: string;
  readonly tokens: Tokens;
  /** Effective language, BCP 47. */
  readonly language: string;
}
