// What every XMPP broker of the lab has in common, so that the same story plays on each: Prosody and ejabberd.

import type { Clock } from "#base/clock.ts";
import type { Certificate } from "./certificates.ts";

export interface BrokerPorts {
  /** Clients, STARTTLS. */
  c2s: number;
  /** Clients, TLS from the first byte. */
  tls: number;
  /** Components (XEP-0114), clear text, hence loopback; 0 when there are none: then it is not open. */
  component: number;
}

/** Federation over encrypted streams whose certificates are verified, both ways (RFC 6120 section 13.7). */
export interface Servers {
  /** Where others connect; chosen by the caller, for each must know those of the others. */
  port: number;
  /** By domain the port on the loopback interface. A domain that is not named does not exist: no name server is asked. */
  peers: Readonly<Record<string, number>>;
  /** Of the authority that signs for all of them. */
  caPath: string;
  /** A broker set up carelessly: others may come without encryption and without a certificate. */
  careless?: boolean;
}

export interface BrokerOptions {
  /** Where everything is kept; belongs to the caller, who removes it. */
  folder: string;
  domain: string;
  certificate: Certificate;
  clock: Clock;
  /** Bounds the start only: the broker lives until it is disposed. */
  signal: AbortSignal;
  /** Free ones are chosen for those that are absent. */
  ports?: Partial<BrokerPorts>;
  /** `certificate`: its own before other servers, where that of the domain is not for it. */
  components?: { jid: string; secret: string; certificate?: Certificate }[];
  users?: { name: string; password: string }[];
  /** Decides which SCRAM is offered. */
  passwordHash?: "SHA-1" | "SHA-256";
  /** In-band registration by anyone (XEP-0077). */
  registration?: boolean;
  /** How long an interrupted stream may be resumed (XEP-0198). */
  resumeSeconds?: number;
  /** Other servers (s2s); without them the broker talks to none. */
  servers?: Servers;
  /** What a client may send in one stanza; 256 KiB unless said. Prosody announces it then, as it does by itself from 13 on. */
  stanzaBytes?: number;
}

export interface Broker extends AsyncDisposable {
  readonly domain: string;
  readonly ports: BrokerPorts;
  /** Creates an account or gives it a new password. */
  register(name: string, password: string): Promise<void>;
  removeUser(name: string): Promise<void>;
  /** Idempotent; accounts and offline messages are kept. */
  stop(): Promise<void>;
  /** As a power cut would end it; ejabberd may lose what it was told last. */
  kill(): Promise<void>;
  /** Starts it again on the same ports with the same data, stopping it first if it runs. */
  restart(): Promise<void>;
  /** The last lines of its log. */
  log(): string;
  /** Of the running process, or of the last one. */
  pid(): number;
}

export type StartBroker = (options: BrokerOptions) => Promise<Broker>;
