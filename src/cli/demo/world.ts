// Everything the demonstration needs, in a folder of its own and on ports of its own: certificates, broker, registry, devices,
// the appliance, and people. Disposing it leaves nothing behind.

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "#base/clock.ts";
import { formatValue } from "#contract/field.ts";
import { parseNode } from "#contract/node.ts";
import type { Broker, Servers, StartBroker } from "#lab/broker.ts";
import { createAuthority } from "#lab/certificates.ts";
import { freePorts } from "#lab/ports.ts";
import { startProsody } from "#lab/prosody.ts";
import { askStatus } from "#link/status-socket.ts";
import { type Client, connectClient } from "../connect.ts";
import { demoPointer, type Identity, saveIdentity } from "../identity.ts";
import type { Status } from "../status-text.ts";
import { CheckError } from "./checks.ts";
import { type Devices, houseOf, startDevices } from "./devices.ts";
import { createProgram, type Program } from "./programs.ts";

export interface World extends AsyncDisposable {
  readonly domain: string;
  readonly serviceJid: string;
  readonly broker: Broker;
  /** The same one unless the people are elsewhere. */
  readonly peoplesBroker: Broker;
  /** Where `broker` listens for other servers, and whose certificates it believes; undefined where it talks to none. */
  readonly servers: Servers | undefined;
  readonly devices: Devices;
  readonly edge: Program;
  readonly registry: Program;
  readonly registryConfig: string;
  readonly dataFolder: string;
  print(line: string): void;
  /** Bare JID of the appliance, known once it was online. */
  applianceJid(): string;
  status(): Promise<Status>;
  /** The status when it is as wanted, else undefined. */
  statusWhere(wanted: (status: Status) => boolean): Promise<Status | undefined>;
  /** By which a person logs in. */
  identity(name: string): Identity;
  /** A person, connected; the same connection each time. */
  client(name: string): Promise<Client>;
  /** Telegrams the meter was asked for so far. */
  telegramsOf(node: string): number;
  setPoint(): number;
  cutDuringNextAnswer(): void;
  restoreLine(): Promise<void>;
  /** Reads and says what came, in one line. Fails where nothing or a fault came. */
  readText(who: Client, nodes: readonly string[], names: readonly string[], signal: AbortSignal): Promise<string>;
}

export const people = ["owner", "stranger", "newcomer"] as const;
const domain = "isthmus.localhost";
const serviceJid = `things.${domain}`;

export interface WorldOptions {
  /** Prosody unless said. */
  readonly startBroker?: StartBroker;
  /** The people have their accounts on a server of their own, and come through that of the appliance. */
  readonly peopleAt?: { readonly domain: string; readonly startBroker: StartBroker };
  /** The site file; that of the demonstration's house unless said. */
  readonly site?: (devices: Devices) => string;
}

export async function startWorld(
  print: (line: string) => void,
  signal: AbortSignal,
  { startBroker = startProsody, peopleAt, site = houseOf }: WorldOptions = {},
): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "isthmus-demo-"));
  await using started = new AsyncDisposableStack();
  started.use(alsoAtExit(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })));

  const authority = await createAuthority(join(folder, "ca"), systemClock, signal);
  const secret = randomBytes(32).toString("hex");
  const passwords = new Map(people.map(name => [name, randomBytes(16).toString("base64url")]));
  const users = [...passwords].map(([name, password]) => ({ name, password }));
  const link = peopleAt === undefined ? undefined : await linkOf(peopleAt.domain, authority.caPath);
  const common = { clock: systemClock, signal, passwordHash: "SHA-256" } as const;
  const broker = started.use(
    await startBroker({
      ...common,
      folder: join(folder, "broker"),
      domain,
      certificate: await authority.issue({ hosts: [domain, "localhost", serviceJid] }),
      components: [{ jid: serviceJid, secret }],
      users: peopleAt === undefined ? users : [],
      registration: true,
      ...(link && { servers: link.here }),
    }),
  );
  const peoplesBroker =
    peopleAt === undefined
      ? broker
      : started.use(
          await peopleAt.startBroker({
            ...common,
            folder: join(folder, "other-broker"),
            domain: peopleAt.domain,
            certificate: await authority.issue({ hosts: [peopleAt.domain] }),
            users,
            ...(link && { servers: link.there }),
          }),
        );
  const devices = started.use(await startDevices(join(folder, "mosquitto"), systemClock, signal));

  const registryConfig = writeRegistryConfig(folder, broker.ports.component, secret);
  const registry = started.use(
    createProgram("the registry", "registry/main.ts", ["--config", registryConfig], systemClock, signal),
  );
  await registry.start();
  const dataFolder = join(folder, "edge");
  const edgeConfig = writeEdgeConfig(folder, dataFolder, broker.ports.tls, authority.caPath, site(devices));
  const edge = started.use(
    createProgram("the appliance", "cli/main.ts", ["run", "--config", edgeConfig], systemClock, signal),
  );
  await edge.start();

  const identities = join(folder, "identities");
  const known = new Map(
    [...passwords].map(([name, password]) => [
      name,
      identityOf(`${name}@${peoplesBroker.domain}`, password, peoplesBroker.ports.tls, authority.caPath),
    ]),
  );
  for (const [name, identity] of known) saveIdentity(name, identity, identities);
  started.use(pointTo({ identities, dataFolder }));

  const stack = started.move();
  const servers = link?.here;
  return createWorld(
    { domain, serviceJid, broker, peoplesBroker, servers, devices, edge, registry, registryConfig, dataFolder, print },
    { signal, identities, known, dispose: () => stack.disposeAsync() },
  );
}

interface Parts {
  /** Where the other terminal finds the people; of ours `known` is believed, for another demonstration may run beside this. */
  readonly identities: string;
  readonly known: ReadonlyMap<string, Identity>;
  readonly signal: AbortSignal;
  readonly dispose: () => Promise<void>;
}

/** What is in the world from its start, as the world has it. */
type Standing = Pick<
  World,
  | "domain"
  | "serviceJid"
  | "broker"
  | "peoplesBroker"
  | "servers"
  | "devices"
  | "edge"
  | "registry"
  | "registryConfig"
  | "dataFolder"
  | "print"
>;

function createWorld(standing: Standing, { identities, known, signal, dispose }: Parts): World {
  const { devices, dataFolder } = standing;
  const clients = new Map<string, Promise<Client>>();
  let appliance = "";

  const identityOfPerson = (name: string): Identity => {
    const found = known.get(name);
    if (found === undefined) throw new Error(`nobody here is called ${name}`);
    return appliance === "" ? found : { ...found, appliance };
  };

  const status = async (): Promise<Status> => {
    const found = (await askStatus(join(dataFolder, "status.sock"), systemClock, signal)) as Status;
    const bare = found.connection.jid.split("/")[0] ?? "";
    if (bare !== "" && appliance === "") {
      appliance = bare;
      for (const name of people) saveIdentity(name, identityOfPerson(name), identities);
    }
    return found;
  };

  return {
    ...standing,
    identity: identityOfPerson,
    applianceJid: () => appliance,
    status,
    async statusWhere(wanted) {
      const found = await status();
      return wanted(found) ? found : undefined;
    },
    client(name) {
      const found = clients.get(name) ?? connectClient(identityOfPerson(name), signal);
      clients.set(name, found);
      return found;
    },
    telegramsOf: () => devices.heat.readouts,
    setPoint: () => devices.thermostat.setPoint,
    cutDuringNextAnswer: () => void devices.converter.cut(20),
    restoreLine: () => devices.converter.restore(),
    async readText(who, nodes, names, inner) {
      const values: string[] = [];
      for await (const one of who.things.read(
        await who.appliance(inner, appliance),
        nodes.map(parseNode),
        { names },
        inner,
      )) {
        if (one.kind === "fault") throw new CheckError(`${one.node.nodeId}: ${one.message}`);
        values.push(
          ...one.fields.map(field => `${field.name} ${formatValue(field.value)} at ${new Date(one.at).toISOString()}`),
        );
      }
      if (values.length === 0) throw new CheckError("no value came");
      return values.join(", ");
    },
    async [Symbol.asyncDispose]() {
      await Promise.allSettled([...clients.values()].map(async one => (await one)[Symbol.asyncDispose]()));
      await dispose();
    },
  };
}

/** Tells the other terminal where this demonstration lives; the last one to start is the one that is meant. */
function pointTo(running: { identities: string; dataFolder: string }): Disposable {
  const pointer = demoPointer();
  const text = JSON.stringify(running);
  rmSync(pointer, { force: true });
  writeFileSync(pointer, text, { mode: 0o600, flag: "wx" });
  return alsoAtExit(() => {
    if (existsSync(pointer) && readFileSync(pointer, "utf8") === text) rmSync(pointer, { force: true });
  });
}

/** Done when disposed, or else when the process exits at once: a second Ctrl-C leaves nothing behind either. */
function alsoAtExit(work: () => void): Disposable {
  process.once("exit", work);
  return {
    [Symbol.dispose]() {
      process.off("exit", work);
      work();
    },
  };
}

/** Two servers that know where the other is, by the domains that each of them serves. */
async function linkOf(other: string, caPath: string): Promise<{ here: Servers; there: Servers }> {
  const [here = 0, there = 0] = await freePorts(2);
  const peers = { [domain]: here, [serviceJid]: here, [other]: there };
  return { here: { port: here, peers, caPath }, there: { port: there, peers, caPath } };
}

const identityOf = (jid: string, password: string, port: number, caFile: string): Identity => ({
  jid,
  password,
  host: "127.0.0.1",
  port,
  caFile,
});

function writeRegistryConfig(folder: string, port: number, secret: string): string {
  const own = join(folder, "registry");
  mkdirSync(own, { recursive: true, mode: 0o700 });
  writeFileSync(join(own, "secret"), secret, { mode: 0o600 });
  const file = join(own, "registry.yaml");
  writeFileSync(
    file,
    JSON.stringify({
      jid: serviceJid,
      host: "127.0.0.1",
      port,
      secretFile: join(own, "secret"),
      database: join(own, "registry.db"),
      localDomains: [domain],
    }),
  );
  return file;
}

function writeEdgeConfig(folder: string, dataFolder: string, port: number, caFile: string, site: string): string {
  const siteFile = join(folder, "site.yaml");
  if (!existsSync(siteFile)) writeFileSync(siteFile, site);
  const file = join(folder, "isthmus.yaml");
  const settings = {
    domain,
    host: "127.0.0.1",
    port,
    caFile,
    accountPrefix: "demo",
    dataFolder,
    siteFile,
    name: "Isthmus in the cellar",
    room: "Cellar",
    registrationJitterSeconds: 0,
  };
  writeFileSync(file, JSON.stringify(settings, undefined, 2));
  return file;
}
