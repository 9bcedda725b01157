// A registry on a pipe of stanzas: everything goes through text and the real parser, the store is a real file, time is
// ours. Devices and owners are functions that answer what is pushed to them.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { within } from "#base/deadline.ts";
import { createLog, type Log, type LogEvent } from "#base/log.ts";
import { createQuietLog } from "#base/quiet-log.ts";
import { createAllLanguages } from "#languages/all.ts";
import { child, type Element, element, elements, firstElement, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import type { Connection } from "#xmpp/connection.ts";
import { componentNs, decodeError, StanzaError } from "#xmpp/stanza.ts";
import type { DomainPolicyOptions } from "../../src/registry/domain-policy.ts";
import type { FederationOptions } from "../../src/registry/federation.ts";
import { createRegistry, type Registry } from "../../src/registry/registry.ts";
import { openRegistryStore } from "../../src/registry/sqlite/store.ts";
import type { RegistryStore } from "../../src/registry/store.ts";
import type { TokenOptions } from "../../src/registry/token-trust.ts";
import { type ManualClock, manualClock } from "../support/manual-clock.ts";

export const service = "reg.hub.example";

/** ok: an empty result · silent: no answer · else the name of an error condition. */
export type Answer = "ok" | "silent" | string;
export type Answerer = (payload: Element) => Answer | Promise<Answer>;

export type Replier = (payload: Element) => Answer | Element | Promise<Answer | Element>;

export interface Pipe extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly registry: Registry;
  readonly store: RegistryStore;
  readonly log: LogEvent[];
  /** All that went out, in order, as text. */
  readonly sent: string[];
  /** The reply to an iq; `id` is made up unless given. */
  iq(type: "get" | "set", from: string, payload: string, options?: { id?: string; to?: string }): Promise<Element>;
  /** The same, without waiting. */
  start(type: "get" | "set", from: string, payload: string, options?: { id?: string; to?: string }): Promise<Element>;
  message(from: string, payload: string, type?: string): Promise<void>;
  presence(from: string, type?: string, to?: string): Promise<void>;
  /** Brings a device or owner online whose subscription is mutual. */
  comesOnline(full: string): Promise<void>;
  /** How a full JID answers pushes; "silent" until said. */
  answers(full: string, answerer: Answerer): void;
  /** The same, for what is answered with an element; takes the place of `answers`. */
  replies(full: string, replier: Replier): void;
  /** Payloads pushed to a full or bare JID, as text. */
  pushedTo(to: string): string[];
  /** Messages to a bare JID. */
  messagesTo(to: string): Element[];
  settle(): Promise<void>;
  databaseFiles(): string[];
  /** Ends this registry as a power cut would and starts another on the same file. */
  restart(more?: Pick<PipeOptions, "tokens" | "policy">): Promise<void>;
}

export interface PipeOptions {
  localDomains?: string[];
  allowWeakKey?: boolean;
  friendOnAccept?: boolean;
  policy?: DomainPolicyOptions;
  federation?: FederationOptions;
  oldDialect?: { exposeOwner: boolean };
  tokens?: TokenOptions;
  /** In which owners are asked; English unless said. */
  language?: string;
  /** The file that is kept; an ordinary one unless said. */
  openStore?: (path: string, log: Log) => RegistryStore;
  /** How other services answer what the registry asks them. */
  services?: Readonly<Record<string, (payload: Element) => Element | undefined | Promise<Element | undefined>>>;
}

export async function openPipe(options: PipeOptions = {}): Promise<Pipe> {
  const folder = mkdtempSync(join(tmpdir(), "isthmus-registry-"));
  const clock = manualClock();
  const sent: string[] = [];
  const log: LogEvent[] = [];
  const answerers = new Map<string, Replier>();
  let tokens = options.tokens;
  let policy = options.policy;
  const replies = new Map<string, (reply: Element) => void>();
  let ids = 0;
  let world: { store: RegistryStore; registry: Registry; stop: AbortController; running: Promise<void> };

  const out = (stanza: Element): Element => {
    const text = format(stanza, componentNs);
    sent.push(text);
    const arrived = parse(text.replace(/^<(\w+)/, `<$1 xmlns='${componentNs}'`));
    replies.get(arrived.attrs.id ?? "")?.(arrived);
    return arrived;
  };
  const connection: Connection = {
    jid: service,
    online: true,
    send: stanza => void out(stanza),
    async request(type, to, payload, { timeoutMs = 10_000, signal } = {}) {
      const stanza = element("iq", componentNs, { type, to, from: service, id: `push-${++ids}` }, [payload]);
      const arrived = firstElement(out(stanza)) as Element;
      const other = options.services?.[to ?? ""];
      if (other !== undefined)
        return within(clock, timeoutMs, "service", signal ?? world.stop.signal, async () => other(arrived));
      const answering = answerers.get(to ?? "")?.(arrived) ?? "silent";
      return within(clock, timeoutMs, "push", signal ?? world.stop.signal, async () => {
        const answer = await answering;
        if (typeof answer !== "string") return answer;
        if (answer === "silent") await new Promise(() => {});
        if (answer !== "ok") throw new StanzaError("cancel", answer as StanzaError["condition"]);
        return undefined;
      });
    },
  };
  const start = async () => {
    const stop = new AbortController();
    const quiet = createQuietLog(
      createLog(event => log.push(event)),
      clock,
    );
    const store = (options.openStore ?? openRegistryStore)(join(folder, "registry.db"), quiet.log);
    const registry = createRegistry({
      options: {
        jid: service,
        localDomains: options.localDomains ?? ["hub.example"],
        allowWeakKey: options.allowWeakKey ?? false,
        friendOnAccept: options.friendOnAccept ?? false,
        ...(policy && { policy }),
        ...(options.federation && { federation: options.federation }),
        ...(options.oldDialect && { oldDialect: options.oldDialect }),
        ...(tokens && { tokens }),
      },
      store,
      connection,
      clock,
      log: quiet.log,
      signal: stop.signal,
      ...(options.language && { say: text => createAllLanguages("en").localize(options.language ?? "en", text) }),
    });
    world = { store, registry, stop, running: registry.run(stop.signal) };
    registry.inbound.online(service, false);
    await clock.advance(0);
  };
  const stop = async () => {
    world.stop.abort(new Error("the test ends"));
    await world.running;
    await world.store[Symbol.asyncDispose]();
  };
  const stanza = (name: string, attrs: Record<string, string | undefined>, inner: string): Element =>
    parse(format(element(name, componentNs, attrs, ["@"])).replace("@</", () => `${inner}</`));
  const settle = () => clock.advance(0);

  const pipe: Pipe = {
    clock,
    sent,
    log,
    get registry() {
      return world.registry;
    },
    get store() {
      return world.store;
    },
    async iq(type, from, payload, how = {}) {
      const reply = pipe.start(type, from, payload, how);
      await settle();
      return reply;
    },
    start(type, from, payload, how: { id?: string; to?: string } = {}) {
      const id = how.id ?? `ask-${++ids}`;
      return new Promise(resolve => {
        replies.set(id, resolve);
        world.registry.inbound.iq(stanza("iq", { type, from, to: how.to ?? service, id }, payload));
      });
    },
    async message(from, payload, type) {
      world.registry.inbound.message(stanza("message", { from, to: service, type }, payload));
      await settle();
    },
    async presence(from, type, to = service) {
      world.registry.inbound.presence(stanza("presence", { from, to, type }, ""));
      await settle();
    },
    async comesOnline(full) {
      await pipe.presence(full.split("/")[0] ?? "", "subscribed");
      await pipe.presence(full);
    },
    answers: (full, answerer) => void answerers.set(full, answerer),
    replies: (full, replier) => void answerers.set(full, replier),
    pushedTo: to =>
      sent
        .filter(text => text.startsWith("<iq type='set'") && new RegExp(` to='${to}['/]`).test(text))
        .map(text => text.replace(/^<iq [^>]*>/, "").replace(/<\/iq>$/, "")),
    messagesTo: to =>
      sent
        .filter(text => text.startsWith("<message") && text.includes(` to='${to}'`))
        .map(text => parse(text.replace("<message", `<message xmlns='${componentNs}'`))),
    settle,
    databaseFiles: () => readdirSync(folder).map(name => join(folder, name)),
    async restart(more) {
      tokens = more?.tokens ?? tokens;
      policy = more?.policy ?? policy;
      await stop();
      await start();
    },
    async [Symbol.asyncDispose]() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await start();
  return pipe;
}

/** "result", or the condition of the error. */
export const outcome = (reply: Element): string =>
  reply.attrs.type === "error" ? decodeError(reply).condition : (reply.attrs.type ?? "");

export const payloadOf = (reply: Element): Element | undefined => elements(reply)[0];
export const payloadText = (reply: Element): string => {
  const payload = payloadOf(reply);
  return payload === undefined ? "" : format(payload);
};
export { child };

export const disco = "urn:nf:iot:disco:1.0";
export const provisioning = "urn:nf:iot:prov:d:1.0";
export const owning = "urn:nf:iot:prov:o:1.0";
export const claimKey = "0123456789abcdef0123456789abcdef";

export const gateway = "gw9@hub.example";
export const gatewayFull = "gw9@hub.example/edge";
export const ana = "ana@home.example";
export const anaFull = "ana@home.example/phone";
export const bob = "bob@city.example";

/** The tags of an example meter; those who claim it say the same. */
export const meterTags = (key = claimKey) =>
  `<str name='CLASS' value='HeatMeter'/><str name='MNR' value='66120'/><num name='V' value='2.1'/><str name='KEY' value='${key}'/>`;
export const meter = "id='mbus-12' src='MeteringTopology'";

export const register = (pipe: Pipe, ref = meter, tags = meterTags(), from = gatewayFull) =>
  pipe.iq("set", from, `<register xmlns='${disco}' ${ref}>${tags}</register>`);
export const mine = (pipe: Pipe, tags = meterTags(), more = "", from = anaFull) =>
  pipe.iq("set", from, `<mine xmlns='${disco}' ${more}>${tags}</mine>`);
export const canRead = (
  pipe: Pipe,
  inner = `<nd ${meter}/>`,
  caller = bob,
  flags = "m='true' h='true'",
  ns = provisioning,
) => pipe.iq("get", gatewayFull, `<canRead xmlns='${ns}' jid='${caller}' ${flags}>${inner}</canRead>`);

/** The last question of that kind to this owner: its key, for an answer. */
export function lastQuestion(pipe: Pipe, owner = ana, ns = owning): { key: string; element: Element; body: string } {
  const messages = pipe.messagesTo(owner).filter(one => elements(one).some(inner => inner.ns === ns));
  const last = messages.at(-1);
  const question = last && elements(last).find(inner => inner.ns === ns);
  if (last === undefined || question === undefined) throw new Error(`no question to ${owner}`);
  const body = child(last, "body")?.children.join("") ?? "";
  return { key: question.attrs.key ?? "", element: question, body };
}

/** Registered by the gateway, online, claimed by Ana. */
export async function claimedMeter(pipe: Pipe): Promise<void> {
  pipe.answers(gatewayFull, () => "ok");
  await register(pipe);
  await pipe.comesOnline(gatewayFull);
  const reply = await mine(pipe);
  if (outcome(reply) !== "result") throw new Error("the claim failed");
}
