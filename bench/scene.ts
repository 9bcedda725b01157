// What the measurements share: a broker, the registry and the appliance as processes of their own, and people with sessions
// of their own at the same broker, by direct TLS all of them.

import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { createContacts } from "#client/contacts.ts";
import { createInbox, type Inbox } from "#client/inbox.ts";
import { createOwner, type Owner } from "#client/owner.ts";
import { namespaces } from "#iot/generations.ts";
import { createAuthority } from "#lab/certificates.ts";
import { type Child, startChild } from "#lab/child.ts";
import { type Prosody, startProsody } from "#lab/prosody.ts";
import { clientStanzaCharsMax, clientStanzaElementsMax } from "#limits.ts";
import { askStatus } from "#link/status-socket.ts";
import { askService, discover } from "#xmpp/disco.ts";
import { createSession, type Session } from "#xmpp/session.ts";
import { compileCache, nodeFlags } from "../scripts/node24.mjs";
import type { Status } from "../src/cli/status-text.ts";

/** It reads 8 KiB at a time and rests a millisecond after each; who takes large stanzas has it read them in larger pieces. */
const largePieces = "network_settings = { read_size = 65536 }";

export const domain = "bench.localhost";
const serviceJid = `things.${domain}`;
const project = resolve(import.meta.dirname, "..");

export interface Scene extends AsyncDisposable {
  readonly folder: string;
  readonly prosody: Prosody;
  /** PEM */
  readonly ca: string;
  /** Of the registry's component. */
  readonly secret: string;
  /** Ended with the scene. */
  use(child: AsyncDisposable): void;
  /** Makes the account if need be. */
  connect(name: string): Promise<Person>;
  startRegistry(): Promise<Child>;
  edge(name: string, site: string): Edge;
}

export interface Person {
  readonly session: Session;
  readonly inbox: Inbox;
  readonly owner: Owner;
  /** Full JID of who has let us see his presence. */
  meet(bareJid: string): Promise<string>;
}

export interface Edge {
  start(): Promise<{ readonly child: Child; readonly readyMs: number }>;
  status(): Promise<Status>;
}

/** `stanzaBytes`: what the broker takes from a client in one stanza, and announces; 256 KiB unless said. */
export async function createScene(
  signal: AbortSignal,
  stanzaBytes?: number,
  components: readonly { jid: string; secret: string }[] = [],
): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), "isthmus-bench-"));
  const stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  try {
    const authority = await createAuthority(join(folder, "ca"), systemClock, signal);
    const secret = randomBytes(32).toString("hex");
    const certificate = await authority.issue({ hosts: [domain] });
    const prosody = stack.use(
      await startProsody({
        folder: join(folder, "prosody"),
        domain,
        certificate,
        clock: systemClock,
        signal,
        components: [{ jid: serviceJid, secret }, ...components],
        registration: true,
        passwordHash: "SHA-256",
        ...(stanzaBytes === undefined ? {} : { stanzaBytes, extraConfig: largePieces }),
      }),
    );
    const passwords = new Map<string, string>();
    return {
      folder,
      prosody,
      ca: authority.ca,
      secret,
      use: child => void stack.use(child),
      async connect(name) {
        const password = passwords.get(name) ?? randomBytes(8).toString("hex");
        if (!passwords.has(name)) await prosody.register(name, password);
        passwords.set(name, password);
        const { person, close } = await connect({ name, password, port: prosody.ports.tls, ca: authority.ca }, signal);
        stack.defer(close);
        return person;
      },
      async startRegistry() {
        const config = join(folder, "registry.yaml");
        writeFileSync(join(folder, "secret"), secret, { mode: 0o600 });
        const settings = { jid: serviceJid, host: "127.0.0.1", port: prosody.ports.component };
        const files = { secretFile: join(folder, "secret"), database: join(folder, "registry.db") };
        writeFileSync(config, JSON.stringify({ ...settings, ...files, localDomains: [domain] }));
        return stack.use(
          (await startProgram("the registry", ["src/registry/main.ts", "--config", config], signal)).child,
        );
      },
      edge: (name, site) => edgeIn(join(folder, name), site, prosody.ports.tls, authority.caPath, stack, signal),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

export interface Login {
  readonly name: string;
  readonly password: string;
  readonly port: number;
  readonly ca: string;
}

export const sessionOptions = ({ name, password, port, ca }: Login) => ({
  domain,
  host: "127.0.0.1",
  port,
  ca: [ca],
  credentials: { load: () => ({ username: name, password }), save() {} },
});

async function connect(login: Login, signal: AbortSignal): Promise<{ person: Person; close: () => Promise<void> }> {
  const stop = new AbortController();
  const inbox = createInbox();
  const limits = { charsMax: clientStanzaCharsMax, elementsMax: clientStanzaElementsMax };
  const session = createSession({ ...sessionOptions(login), limits }, inbox, { clock: systemClock, log: silentLog });
  inbox.attach(session);
  const contacts = createContacts({ inbox, connection: session, acceptFrom: () => true, sleep: systemClock.sleep });
  const running = session.run(stop.signal);
  const owner = createOwner({
    connection: session,
    inbox,
    services: (at, inner) => discover(session, at, silentLog, inner),
    registryAt: async (jid, inner) => {
      const found = await askService(session, jid, inner);
      return namespaces("discovery").some(ns => found.features.has(ns)) ? found : undefined;
    },
  });
  const close = async () => {
    stop.abort();
    await running;
  };
  try {
    await session.whenOnline(AbortSignal.any([signal, AbortSignal.timeout(20_000)]));
  } catch (error) {
    await close();
    throw new Error(`${login.name} cannot log in: ${session.state().reason || error}`);
  }
  const meet = async (bareJid: string) => {
    const answer = await contacts.ask(bareJid, AbortSignal.any([signal, AbortSignal.timeout(20_000)]));
    if (answer.state !== "online") throw new Error(`${bareJid} is ${answer.state}`);
    return answer.fullJid;
  };
  return { person: { session, inbox, owner, meet }, close };
}

function edgeIn(
  folder: string,
  site: string,
  port: number,
  caFile: string,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Edge {
  mkdirSync(folder, { recursive: true });
  const [config, siteFile] = [join(folder, "isthmus.yaml"), join(folder, "site.yaml")];
  writeFileSync(siteFile, site);
  const where = { domain, host: "127.0.0.1", port, caFile, dataFolder: join(folder, "data"), siteFile };
  writeFileSync(config, JSON.stringify({ ...where, registrationJitterSeconds: 0 }));
  return {
    async start() {
      const started = await startProgram(
        "the appliance",
        ["src/cli/main.ts", "run", "--config", config, "--codes", "never"],
        signal,
      );
      stack.use(started.child);
      return started;
    },
    status: async () => (await askStatus(join(folder, "data", "status.sock"), systemClock, signal)) as Status,
  };
}

/** A program of the project as `npm run` starts it; ready when its log says so. */
export async function startProgram(
  name: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<{ child: Child; readyMs: number }> {
  const began = performance.now();
  let readyMs = Number.NaN;
  const profile =
    process.env.BENCH_PROFILE === name ? ["--cpu-prof", `--cpu-prof-dir=${process.env.BENCH_PROFILE_DIR ?? "."}`] : [];
  const child = await startChild(
    {
      name,
      command: process.execPath,
      args: [...nodeFlags, ...profile, join(project, args[0] as string), ...args.slice(1)],
      env: { ...compileCache(), ...process.env },
      readyMs: 60_000,
      stopMs: 10_000,
      ready: async (inner, output) => {
        while (!/(^|\n)notice +ready\b/.test(output())) await systemClock.sleep(2, inner);
        readyMs = performance.now() - began;
      },
    },
    systemClock,
    signal,
  );
  return { child, readyMs };
}

/** Resident memory of a process in MB (10^6 bytes). */
export function residentMb(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return (Number(kib) * 1_024) / 1_000_000;
}

/** The most it ever was, in MB. */
export function peakMb(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return (Number(kib) * 1_024) / 1_000_000;
}

/** Processor time of a process so far, in milliseconds: what a round trip costs whatever else the machine does. */
export function processorMs(pid: number): number {
  // The name in parentheses may hold blanks; utime and stime are the 14th and 15th words, in hundredths of a second on Linux.
  const words = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(words[11]) + Number(words[12])) * 10;
}

export async function until<T>(
  what: string,
  found: () => Promise<T | undefined | false>,
  signal: AbortSignal,
): Promise<T> {
  for (const began = performance.now(); performance.now() - began < 60_000; ) {
    const value = await found();
    if (value !== undefined && value !== false) return value;
    await systemClock.sleep(100, signal);
  }
  throw new Error(`not within a minute: ${what}`);
}
