// What the routes of the registry work with: one record of its parts, and "after the answer" for what must not overtake it.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Connection } from "#xmpp/connection.ts";
import type { IqRequest } from "#xmpp/router.ts";
import type { Claims } from "./claims.ts";
import type { DomainPolicyOptions } from "./domain-policy.ts";
import type { FederationOptions } from "./federation.ts";
import type { Peers } from "./peers.ts";
import type { Pushes } from "./pushes.ts";
import type { Questions } from "./questions.ts";
import type { Rules } from "./rules.ts";
import type { RegistryStore } from "./store.ts";
import type { Evidence } from "./token-evidence.ts";
import type { TokenOptions } from "./token-trust.ts";

export interface RegistryOptions {
  /** Bare JID of the component. */
  readonly jid: string;
  /** Domains whose accounts may register things (DISCO-REG-04). */
  readonly localDomains: readonly string[];
  /** Things with a KEY that can be guessed may be claimed; for tests and closed networks (DISCO-KEY-04). */
  readonly allowWeakKey: boolean;
  /** A device is told to befriend whom its owner accepted (PROVO-RULE-09); otherwise the other asks again. */
  readonly friendOnAccept: boolean;
  /** Tokens are issued, and rules may rest on them; undefined: neither. */
  readonly tokens?: TokenOptions | undefined;
  /** Dealings with other domains; with all of them unless said (FED-03). */
  readonly policy?: DomainPolicyOptions;
  /** Other registries; none unless said. */
  readonly federation?: FederationOptions;
  /** XEP-0347 is served too (DISCO-NS-04); also, on wish, with the owner of each thing found. */
  readonly oldDialect?: { readonly exposeOwner: boolean } | undefined;
}

export interface Service {
  readonly options: RegistryOptions;
  readonly store: RegistryStore;
  readonly connection: Connection;
  readonly peers: Peers;
  readonly pushes: Pushes;
  readonly questions: Questions;
  readonly claims: Claims;
  readonly rules: Rules;
  /** Undefined where tokens count for nothing. */
  readonly evidence: Evidence | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** The life of the component. */
  readonly signal: AbortSignal;
  readonly isLocal: (domain: string) => boolean;
  /** Runs when the answer to this request was sent: pushes come after the result that they follow from (DISCO-MINE-03). */
  after(request: Pick<IqRequest, "from" | "id">, what: string, work: () => Promise<void>): void;
  /** Runs now, apart from whoever asked; failures are logged. */
  background(what: string, work: () => Promise<void>): void;
}
