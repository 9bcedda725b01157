// A house for tests of the whole program: real Prosody, the registry and the appliance as processes, simulated devices of any
// number, people with clients, and whoever else a test wants on the same broker. Everything lies in one folder of its own.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { systemClock as clock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { type Client, connectClient } from "#cli/connect.ts";
import { createProgram, type Program } from "#cli/demo/programs.ts";
import type { Identity } from "#cli/identity.ts";
import type { Status } from "#cli/status-text.ts";
import type { Servers } from "#lab/broker.ts";
import { type Authority, createAuthority } from "#lab/certificates.ts";
import { type Prosody, startProsody } from "#lab/prosody.ts";
import { askStatus } from "#link/status-socket.ts";
import { type Element, element, firstElement } from "#xml/element.ts";
import { type Component, createComponent } from "#xmpp/component.ts";
import { componentNs, encodeError, StanzaError } from "#xmpp/stanza.ts";
import { forever, temporaryFolder } from "../lab/scene.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { type Peer, startPeer } from "../support/xmpp-peer.ts";

export const domain = "house.localhost";
export const service = `things.${domain}`;
export const secret = "s".repeat(64);
const password = "secret";

export interface HouseOptions {
  /** Site file of the appliance, as YAML or JSON. */
  readonly site: string;
  readonly people: readonly string[];
  /** Components besides the registry, all with `secret`. */
  readonly components?: readonly string[];
  /** Lines of the broker's configuration for the domain, such as another component. */
  readonly hostConfig?: string;
  /** Lines of the broker's configuration for all of it. */
  readonly extraConfig?: string;
  /** Other servers, where there are any (federation). */
  readonly servers?: Omit<Servers, "caPath">;
  /** Boot settings over the usual ones. */
  readonly boot?: Readonly<Record<string, unknown>>;
  /** Settings of the registry over the usual ones. */
  readonly registry?: Readonly<Record<string, unknown>>;
}

export interface House extends AsyncDisposable {
  readonly folder: string;
  readonly authority: Authority;
  readonly prosody: Prosody;
  /** The appliance's way to the broker, which can be cut. */
  readonly line: TcpProxy;
  readonly registry: Program;
  readonly edge: Program;
  /** Of the appliance. */
  readonly dataFolder: string;
  readonly edgeConfig: string;
  status(): Promise<Status>;
  /** Looks until the status is as wanted. */
  statusWhere(what: string, wanted: (status: Status) => boolean, ms?: number): Promise<Status>;
  /** A person with the client of the command line, connected; closed with the house. */
  client(name: string): Promise<Client>;
  /** A person who writes stanzas by hand. */
  peer(name: string): Promise<Peer>;
  /** A component of the broker: hears all, says what the test wants, and answers every question as told, else with nothing. */
  component(jid: string, answer?: Answer): Promise<RawComponent>;
  identity(name: string): Identity;
  /** All rows of a table of the appliance's store, as text. */
  rows(table: string): string;
}

/** The payload of the result, undefined for none. Throws `StanzaError`. */
export type Answer = (
  question: Element,
  from: string,
  id: string,
) => Element | undefined | Promise<Element | undefined>;

export interface RawComponent extends AsyncDisposable {
  readonly component: Component;
  readonly received: Element[];
  /** Streams so far. */
  readonly onlines: number;
}

/** Starts the broker alone: registry and appliance are started by the test. */
export async function startHouse({
  site,
  people,
  components = [],
  extraConfig = "",
  hostConfig = "",
  servers,
  boot = {},
  registry: registrySettings = {},
}: HouseOptions): Promise<House> {
  await using started = new AsyncDisposableStack();
  const home = started.use(await temporaryFolder());
  const folder = home.path;
  const authority = await createAuthority(join(folder, "ca"), clock, forever);
  const prosody = started.use(
    await startProsody({
      folder: join(folder, "prosody"),
      domain,
      // Each component is a server of its own to others.
      certificate: await authority.issue({
        hosts: servers === undefined ? [domain] : [domain, service, ...components],
      }),
      ...(servers && { servers: { ...servers, caPath: authority.caPath } }),
      clock,
      signal: forever,
      components: [service, ...components].map(jid => ({ jid, secret })),
      users: people.map(name => ({ name, password })),
      passwordHash: "SHA-256",
      registration: true,
      hostConfig,
      extraConfig,
    }),
  );
  const line = started.use(await startTcpProxy({ targetPort: prosody.ports.tls }));
  const registryConfig = writeRegistry(folder, prosody.ports.component, registrySettings);
  const registry = started.use(
    createProgram("the registry", "registry/main.ts", ["--config", registryConfig], clock, forever),
  );
  const dataFolder = join(folder, "edge");
  const edgeConfig = writeBoot(folder, "isthmus", {
    host: "127.0.0.1",
    port: line.port,
    caFile: authority.caPath,
    dataFolder,
    siteFile: writeText(folder, "site.yaml", site),
    ...boot,
  });
  const edge = started.use(applianceWith(edgeConfig));

  const status = () => statusIn(dataFolder);
  const identity = (name: string): Identity => ({
    jid: `${name}@${domain}`,
    password,
    host: "127.0.0.1",
    port: prosody.ports.tls,
    caFile: authority.caPath,
  });
  const clients = new Map<string, Promise<Client>>();
  const stack = started.move();
  return {
    folder,
    authority,
    prosody,
    line,
    registry,
    edge,
    dataFolder,
    edgeConfig,
    status,
    identity,
    statusWhere: (what, wanted, ms = 20_000) =>
      found(
        what,
        async () => {
          const now = await status();
          return wanted(now) ? now : undefined;
        },
        ms,
      ),
    client(name) {
      const known = clients.get(name);
      if (known !== undefined) return known;
      const connecting = connectClient(identity(name), forever);
      clients.set(name, connecting);
      stack.defer(async () => (await connecting)[Symbol.asyncDispose]());
      return connecting;
    },
    async peer(name) {
      const { port } = identity(name);
      const peer = startPeer({
        domain,
        host: "127.0.0.1",
        port: port as number,
        tls: "direct",
        ca: [authority.ca],
        user: name,
        password,
      });
      stack.use(peer);
      await peer.session.whenOnline(forever);
      return peer;
    },
    async component(jid, answer) {
      const raw = await startComponent(jid, prosody.ports.component, answer);
      stack.use(raw);
      return raw;
    },
    rows(table) {
      const database = new SQLite(join(dataFolder, "edge.db"), { readonly: true });
      try {
        return JSON.stringify(database.prepare(`SELECT * FROM ${table}`).all());
      } finally {
        database.close();
      }
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The appliance's program with that boot file, not started yet. */
export const applianceWith = (bootFile: string): Program =>
  createProgram("the appliance", "cli/main.ts", ["run", "--config", bootFile], clock, forever);

export const statusIn = async (dataFolder: string): Promise<Status> =>
  (await askStatus(join(dataFolder, "status.sock"), clock, forever)) as Status;

export async function startComponent(jid: string, port: number, answer?: Answer): Promise<RawComponent> {
  const stop = new AbortController();
  const received: Element[] = [];
  const bound = Promise.withResolvers<void>();
  let onlines = 0;
  const component: Component = createComponent(
    { host: "127.0.0.1", port, jid, secret },
    {
      async iq(stanza) {
        received.push(stanza);
        if (stanza.attrs.type !== "get" && stanza.attrs.type !== "set") return;
        const { id, from = "", to } = stanza.attrs;
        const reply = (type: string, payload: Element | undefined) =>
          component.send(element("iq", componentNs, { type, id, to: from, from: to }, payload ? [payload] : []));
        try {
          reply("result", await answer?.(firstElement(stanza) as Element, from, id ?? ""));
        } catch (error) {
          if (!(error instanceof StanzaError)) throw error;
          reply("error", encodeError(error, componentNs));
        }
      },
      message: stanza => void received.push(stanza),
      presence: stanza => void received.push(stanza),
      online() {
        onlines++;
        bound.resolve();
      },
    },
    { clock, log: silentLog },
  );
  const running = component.run(stop.signal).catch(bound.reject);
  await bound.promise;
  return {
    component,
    received,
    get onlines() {
      return onlines;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

/** Boot settings as a file `<name>.yaml`; the path. */
export const writeBoot = (folder: string, name: string, settings: Readonly<Record<string, unknown>>): string =>
  writeText(
    folder,
    `${name}.yaml`,
    JSON.stringify({ domain, accountPrefix: "house", name: "Test house", registrationJitterSeconds: 0, ...settings }),
  );

export function writeText(folder: string, name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

function writeRegistry(folder: string, port: number, more: Readonly<Record<string, unknown>>): string {
  const own = join(folder, "registry");
  mkdirSync(own, { mode: 0o700 });
  const secretFile = writeText(own, "secret", secret);
  const settings = { jid: service, host: "127.0.0.1", port, secretFile, database: join(own, "registry.db") };
  return writeText(own, "registry.yaml", JSON.stringify({ ...settings, localDomains: [domain], ...more }));
}

/** Looks until there is something; says what was missing, and what went wrong last, when there is nothing in time. */
export async function found<T>(what: string, look: () => Promise<T | undefined>, ms = 20_000): Promise<T> {
  const end = clock.monotonic() + ms;
  let last = "";
  while (clock.monotonic() < end) {
    try {
      const seen = await look();
      if (seen !== undefined) return seen;
      last = "";
    } catch (error) {
      last = `; last: ${error}`;
    }
    await clock.sleep(50, forever);
  }
  throw new Error(`not within ${ms} ms: ${what}${last}`);
}

/** A thing's claim code in a status. */
export function uriOf(status: Status, nodeId: string): string {
  const uri = status.nodes.find(one => one.ref.nodeId === nodeId)?.thing?.uri;
  if (uri === undefined) throw new Error(`${nodeId || "the appliance"} shows no code`);
  return uri;
}

export const ownerIn = (status: Status, nodeId: string): string | undefined =>
  status.nodes.find(one => one.ref.nodeId === nodeId)?.thing?.owner;
