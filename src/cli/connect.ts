// A person's connection for the length of one command: logs in as an identity, finds the appliance, hands over the client.

import { readFileSync } from "node:fs";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { type Commands, createCommands } from "#client/commands.ts";
import { type ConsentAnswer, createContacts } from "#client/contacts.ts";
import { createEditing, type Editing } from "#client/editing.ts";
import { createFinder, type Finder } from "#client/finder.ts";
import { createInbox } from "#client/inbox.ts";
import { createOwner, type Owner, type Services } from "#client/owner.ts";
import { createQueries, type Queries } from "#client/queries.ts";
import { createSniffers, type Sniffers } from "#client/sniffers.ts";
import { createSourceEvents, type SourceEvents } from "#client/source-events.ts";
import { createSubscriptions, type Subscriptions } from "#client/subscriptions.ts";
import { createThings, type Things } from "#client/things.ts";
import { type Decrypt, getCertificate, getToken, type HeldToken, withTokens } from "#client/tokens.ts";
import { namespaces, preferred } from "#iot/generations.ts";
import { issuerOf } from "#iot/provisioning-tokens.wire.ts";
import { clientStanzaCharsMax, clientStanzaElementsMax } from "#limits.ts";
import { askService, discover } from "#xmpp/disco.ts";
import { bareJid, domainOf } from "#xmpp/jid.ts";
import { createSession } from "#xmpp/session.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { CommandError, type Invocation, type Option, UsageError } from "./command.ts";
import { findIdentity, type Identity } from "./identity.ts";
import { heldTokens } from "./tokens.ts";
import { createTrustedServices, openTrustedServices, type TrustedServices } from "./trusted-services.ts";

/** A readout ends by itself sooner; this is for an appliance that vanished in the middle of one. */
export const readoutMs = 330_000;
const loginMs = 30_000;
/** A decision may have to be fetched over two servers; people wait no longer for one. */
const consentMs = 12_000;

/** For what concerns a person and no one appliance. */
export const personOptions: Readonly<Record<string, Option>> = {
  as: { type: "string", value: "NAME", help: "Act as this identity (`isthmus identity list`)." },
};
export const clientOptions: Readonly<Record<string, Option>> = {
  ...personOptions,
  of: { type: "string", value: "JID", help: "The appliance, where the identity does not name it." },
  token: { type: "string", value: "NAME", multiple: true, help: "Show this token (`isthmus token list`)." },
  lang: { type: "string", value: "TAG", help: "Language of the appliance's texts: en, sv, de, es." },
};

export interface Tokens {
  /** From the provisioning service of one's own domain. Throws `CommandError`, `StanzaError`. */
  get(certificate: Uint8Array, decrypt: Decrypt, signal: AbortSignal): Promise<string>;
  /** DER, from the issuer. */
  certificate(token: string, signal: AbortSignal): Promise<Uint8Array>;
}

export interface Client extends AsyncDisposable {
  readonly bareJid: string;
  /** Where one's things are: the domain of the appliance that is meant, else one's own. */
  readonly thingsDomain: string;
  readonly things: Things;
  readonly editing: Editing;
  readonly commands: Commands;
  readonly queries: Queries;
  readonly sniffers: Sniffers;
  readonly subscriptions: Subscriptions;
  readonly sourceEvents: SourceEvents;
  readonly owner: Owner;
  readonly finder: Finder;
  readonly tokens: Tokens;
  /** Full JID of the appliance, asking for its presence where we do not have it. Throws `CommandError` when it is not given. */
  appliance(signal: AbortSignal, jid?: string): Promise<string>;
  /** Asks for presence and waits for the answer, a while. */
  askPresence(jid: string, signal: AbortSignal): Promise<ConsentAnswer>;
}

export async function withClient(call: Invocation, work: (client: Client) => Promise<number>): Promise<number> {
  const { name, identity, servicesFile } = findIdentity(call.text("as"));
  const of = call.text("of");
  const appliance = of === undefined ? identity.appliance : bareJid(of);
  if (of !== undefined && appliance === undefined) throw new UsageError(`--of is the JID of an appliance, not "${of}"`);
  await using client = await connectClient(
    { ...identity, ...(appliance === undefined ? {} : { appliance }) },
    call.signal,
    call.text("lang"),
    await heldTokens(call.texts("token")),
    { services: openTrustedServices(servicesFile), name },
  );
  return await work(client);
}

/** Resolves when logged in and present. Throws `CommandError` with the reason when that takes too long. */
export async function connectClient(
  identity: Identity,
  signal: AbortSignal,
  language = "",
  held: readonly HeldToken[] = [],
  trust: Trust = { services: createTrustedServices(), name: "NAME" },
): Promise<Client> {
  const stop = new AbortController();
  const life = AbortSignal.any([signal, stop.signal]);
  const inbox = createInbox();
  const session = createSession(sessionOptions(identity), inbox, { clock: systemClock, log: silentLog });
  inbox.attach(session);
  // Things and services we deal with may see us: the registry asks back to know when its questions can be delivered.
  const contacts = createContacts({ inbox, connection: session, acceptFrom: () => true, sleep: systemClock.sleep });
  const running = session.run(life);
  /** Named by the codes of what was claimed on this connection. */
  const claimedAt = new Set<string>();
  const services = rememberPerKey((domain, inner) => trustedAt(session, domain, trust, [...claimedAt], inner));
  const registryAt = async (jid: string, inner: AbortSignal) => {
    const found = await askService(session, jid, inner);
    return namespaces("discovery").some(ns => found.features.has(ns)) ? found : undefined;
  };
  const trusted = async (registry: string, domain: string, inner: AbortSignal) => {
    claimedAt.add(registry);
    // Kept for the next command. A domain that does not say so now is asked then.
    await services(domain, inner).catch(() => {});
  };
  const owner = createOwner({ connection: session, inbox, services, registryAt, trusted });
  const close = async () => {
    stop.abort();
    await running;
  };
  try {
    await session.whenOnline(AbortSignal.any([life, AbortSignal.timeout(loginMs), failing(session.state, life)]));
  } catch (error) {
    const { reason } = session.state();
    await close();
    signal.throwIfAborted();
    throw new CommandError(`${identity.jid} is not logged in: ${reason || (error as Error).message}`);
  }

  const asking = { connection: withTokens(session, inbox, held, systemClock.monotonic), inbox, language };
  const askPresence = (jid: string, inner: AbortSignal) =>
    contacts.ask(jid, AbortSignal.any([inner, AbortSignal.timeout(consentMs)]));

  return {
    bareJid: identity.jid,
    thingsDomain: domainOf(identity.appliance ?? identity.jid),
    things: createThings(asking),
    editing: createEditing(asking),
    commands: createCommands(asking),
    queries: createQueries(asking),
    sniffers: createSniffers(asking),
    subscriptions: createSubscriptions({ ...asking, sleep: systemClock.sleep }),
    sourceEvents: createSourceEvents({ ...asking, sleep: systemClock.sleep }),
    owner,
    finder: createFinder({ connection: session, services, registryAt }),
    tokens: createTokens(session, async inner => (await services(domainOf(identity.jid), inner)).provisioning?.jid),
    askPresence,
    async appliance(inner, jid = identity.appliance) {
      if (jid === undefined) throw new CommandError("Say with --of which appliance is meant.");
      const answer = await askPresence(jid, inner);
      if (answer.state === "online") return answer.fullJid;
      throw new CommandError(sentences[answer.state](jid));
    },
    [Symbol.asyncDispose]: close,
  };
}

interface Trust {
  readonly services: TrustedServices;
  /** Of the identity. */
  readonly name: string;
}

/** The services of a domain that one has dealt with before; those one has not are remembered (PROVO-THR-01). */
async function trustedAt(
  session: Parameters<typeof discover>[0],
  domain: string,
  { services, name }: Trust,
  known: readonly string[],
  signal: AbortSignal,
): Promise<Services> {
  const named = services.at(domain);
  try {
    const found = await discover(session, domain, silentLog, signal, { named, known, several: "refuse" });
    services.learn(domain, { registry: found.registry?.jid, provisioning: found.provisioning?.jid });
    return found;
  } catch (error) {
    const isOther = error instanceof StanzaError && error.condition === "conflict";
    if (!isOther || Object.values(named).every(one => one === undefined)) throw error;
    const advice = `if whoever runs ${domain} has announced it: isthmus identity services ${name} --forget ${domain}`;
    throw new StanzaError(error.type, error.condition, `${error.text}; ${advice}`);
  }
}

function createTokens(
  session: Parameters<typeof askService>[0],
  ownService: (signal: AbortSignal) => Promise<string | undefined>,
): Tokens {
  const speaking = async (jid: string, signal: AbortSignal) => {
    const { features } = await askService(session, jid, signal);
    const generation = preferred("provisioningTokens", features);
    if (generation === undefined)
      throw new CommandError(`${jid} does not deal in tokens; its operator can switch them on.`);
    return { jid, generation };
  };
  return {
    async get(certificate, decrypt, signal) {
      const jid = await ownService(signal);
      if (jid === undefined) throw new CommandError("There is no provisioning service at this domain to give a token.");
      return getToken(session, await speaking(jid, signal), certificate, decrypt, signal);
    },
    certificate: async (token, signal) =>
      getCertificate(session, await speaking(issuerOf(token), signal), token, signal),
  };
}

const sentences: Record<Exclude<ConsentAnswer["state"], "online">, (jid: string) => string> = {
  declined: jid => `${jid} does not let you in. If it has an owner, he has been asked: try again when he has answered.`,
  pending: jid => `${jid} has not answered: it is offline, or nobody has decided yet.`,
  accepted: jid => `${jid} is offline.`,
};

function sessionOptions({ jid, password, host, port, caFile }: Identity) {
  const [username = "", domain = ""] = jid.split("@");
  return {
    domain,
    credentials: { load: () => ({ username, password }), save() {} },
    limits: { charsMax: clientStanzaCharsMax, elementsMax: clientStanzaElementsMax },
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(port === undefined && host === undefined ? {} : { tls: "direct" as const }),
    ...(caFile === undefined ? {} : { ca: [readCa(caFile)] }),
  };
}

function readCa(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new CommandError(`${file}, the certificate authority of this identity, cannot be read.`);
  }
}

/** Aborts when the session gave up for now: a person at a prompt is told why, and does not wait for the next attempt. */
function failing(state: () => { phase: string; reason: string }, life: AbortSignal): AbortSignal {
  const failed = new AbortController();
  void (async () => {
    while (!life.aborted && !failed.signal.aborted) {
      const { phase, reason } = state();
      if (phase === "online") return;
      if (phase === "waiting" && reason !== "" && reason !== "not started") failed.abort(new Error(reason));
      await systemClock.sleep(100, life).catch(() => {});
    }
  })();
  return failed.signal;
}

/** One question a key, its answer kept for the length of the command; a failure is not kept. */
function rememberPerKey(ask: (key: string, signal: AbortSignal) => Promise<Services>) {
  const known = new Map<string, Promise<Services>>();
  return (key: string, signal: AbortSignal) => {
    const found = known.get(key) ?? ask(key, signal);
    known.set(key, found);
    found.catch(() => known.delete(key));
    return found;
  };
}
