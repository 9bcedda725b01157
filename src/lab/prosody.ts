// A real XMPP broker for demonstration and tests: Prosody as a child process with its configuration, accounts and ports
// in a folder of ours, on the loopback interface only, never in clear text.

import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Clock } from "#base/clock.ts";
import type { Certificate } from "./certificates.ts";
import { type Child, findProgram, LabError, startChild } from "./child.ts";
import { choosingPorts, freePorts, requireFreePorts, untilPortAnswers } from "./ports.ts";
import { prosodyConfig } from "./prosody-config.ts";

export interface ProsodyPorts {
  /** Clients, STARTTLS. */
  c2s: number;
  /** Clients, TLS from the first byte. */
  tls: number;
  /** Components (XEP-0114), clear text, hence loopback; 0 when there are none, for then Prosody does not open it. */
  component: number;
}

export interface ProsodyOptions {
  /** Where everything is kept; belongs to the caller, who removes it. */
  folder: string;
  domain: string;
  certificate: Certificate;
  clock: Clock;
  /** Bounds the start only: the broker lives until it is disposed. */
  signal: AbortSignal;
  /** Free ones are chosen for those that are absent. */
  ports?: Partial<ProsodyPorts>;
  components?: { jid: string; secret: string }[];
  users?: { name: string; password: string }[];
  /** Decides which SCRAM is offered. */
  passwordHash?: "SHA-1" | "SHA-256";
  /** In-band registration by anyone (XEP-0077). */
  registration?: boolean;
  /** How long an interrupted stream may be resumed (XEP-0198). */
  resumeSeconds?: number;
  /** Bytes a second a client may send, such as "10kb/s"; absent: as many as it likes. */
  clientRate?: string;
  pep?: boolean;
  /** Lines for the global part of the configuration, and for the domain. */
  extraConfig?: string;
  hostConfig?: string;
}

export interface Prosody extends AsyncDisposable {
  readonly domain: string;
  readonly ports: ProsodyPorts;
  /** Creates an account or gives it a new password. */
  register(name: string, password: string): Promise<void>;
  removeUser(name: string): Promise<void>;
  /** Idempotent; accounts and offline messages are kept. */
  stop(): Promise<void>;
  /** As a power cut would end it. */
  kill(): Promise<void>;
  /** Starts it again on the same ports with the same data, stopping it first if it runs. */
  restart(): Promise<void>;
  /** The last lines of its log. */
  log(): string;
  /** Of the running process, or of the last one. */
  pid(): number;
}

const controlMsMax = 15_000;
const readyMs = 15_000;

export const startProsody = (options: ProsodyOptions): Promise<Prosody> =>
  choosingPorts(options.ports !== undefined, () => startOnce(options));

async function startOnce(options: ProsodyOptions): Promise<Prosody> {
  const { domain, clock, signal } = options;
  const program = findProgram("prosody");
  const ports = await choosePorts(options);
  const configPath = await writeFolder(options, ports);
  for (const user of options.users ?? []) await control(configPath, ["register", user.name, domain, user.password]);
  let child: Child = await start(program, configPath, ports, clock, signal);
  const stop = () => child.stop();
  return {
    domain,
    ports,
    register: (name, password) => control(configPath, ["register", name, domain, password]),
    removeUser: name => control(configPath, ["deluser", `${name}@${domain}`]),
    stop,
    kill: () => child.kill(),
    restart: async () => {
      await child.stop();
      child = await start(program, configPath, ports, clock, new AbortController().signal);
    },
    log: () => child.output(),
    pid: () => child.pid,
    [Symbol.asyncDispose]: stop,
  };
}

async function choosePorts({ ports, components = [] }: ProsodyOptions): Promise<ProsodyPorts> {
  const [c2s = 0, tls = 0, free = 0] = await freePorts(3);
  const component = components.length === 0 ? 0 : (ports?.component ?? free);
  return { c2s, tls, ...ports, component };
}

async function writeFolder(options: ProsodyOptions, ports: ProsodyPorts): Promise<string> {
  await mkdir(join(options.folder, "data"), { recursive: true });
  const configPath = join(options.folder, "prosody.cfg.lua");
  await writeFile(configPath, prosodyConfig(options, ports), { mode: 0o600 });
  return configPath;
}

async function start(program: string, configPath: string, ports: ProsodyPorts, clock: Clock, signal: AbortSignal) {
  const uses: Record<string, number> = { "XMPP clients": ports.c2s, "XMPP clients, TLS": ports.tls };
  if (ports.component !== 0) uses["XMPP components"] = ports.component;
  // Prosody itself would only note a taken port in its log and serve the others.
  await requireFreePorts(uses);
  return await startChild(
    {
      name: "prosody",
      command: program,
      args: ["-F", "--config", configPath],
      readyMs,
      ready: async (inner, output) => {
        for (const port of Object.values(uses)) await untilPortAnswers(port, clock, inner);
        const trouble = /error\s+Failed to open .*/.exec(output());
        if (trouble !== null) throw new LabError(`prosody did not start: ${trouble[0]}`);
      },
    },
    clock,
    signal,
  );
}

/** Accounts are made by Prosody's own tool: it writes the same files that the server reads at each login. */
async function control(configPath: string, args: string[]): Promise<void> {
  const program = findProgram("prosodyctl");
  try {
    await promisify(execFile)(program, ["--config", configPath, ...args], { timeout: controlMsMax });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new LabError(`prosodyctl ${args[0]} failed: ${`${stderr}\n${stdout}`.trim() || String(error)}`);
  }
}
