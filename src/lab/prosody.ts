// A real XMPP broker for demonstration and tests: Prosody as a child process with its configuration, accounts and ports
// in a folder of ours, on the loopback interface only, never in clear text.

import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Clock } from "#base/clock.ts";
import type { Broker, BrokerOptions, BrokerPorts } from "./broker.ts";
import { type Child, findProgram, LabError, startChild } from "./child.ts";
import { choosingPorts, freePorts, requireFreePorts, untilPortAnswers } from "./ports.ts";
import { announcing, announcingModule, naming, namingModule, prosodyConfig } from "./prosody-config.ts";

export interface ProsodyOptions extends BrokerOptions {
  /** Bytes a second a client may send, such as "10kb/s"; absent: as many as it likes. */
  clientRate?: string;
  pep?: boolean;
  /** Lines for the global part of the configuration, and for the domain. */
  extraConfig?: string;
  hostConfig?: string;
}

export type Prosody = Broker;

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
  const uses = usesOf(options, ports);
  let child: Child = await start(program, configPath, uses, clock, signal);
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
      child = await start(program, configPath, uses, clock, new AbortController().signal);
    },
    log: () => child.output(),
    pid: () => child.pid,
    [Symbol.asyncDispose]: stop,
  };
}

async function choosePorts({ ports, components = [] }: ProsodyOptions): Promise<BrokerPorts> {
  const [c2s = 0, tls = 0, free = 0] = await freePorts(3);
  const component = components.length === 0 ? 0 : (ports?.component ?? free);
  return { c2s, tls, ...ports, component };
}

async function writeFolder(options: ProsodyOptions, ports: BrokerPorts): Promise<string> {
  await mkdir(join(options.folder, "data"), { recursive: true });
  const configPath = join(options.folder, "prosody.cfg.lua");
  await writeFile(configPath, prosodyConfig(options, ports), { mode: 0o600 });
  await mkdir(join(options.folder, "modules"), { recursive: true });
  await writeFile(join(options.folder, "modules", `mod_${announcingModule}.lua`), announcing);
  await writeFile(join(options.folder, "modules", `mod_${namingModule}.lua`), naming);
  return configPath;
}

type Uses = Record<string, number>;

function usesOf({ servers }: ProsodyOptions, ports: BrokerPorts): Uses {
  const uses: Uses = { "XMPP clients": ports.c2s, "XMPP clients, TLS": ports.tls };
  if (ports.component !== 0) uses["XMPP components"] = ports.component;
  if (servers !== undefined) uses["XMPP servers"] = servers.port;
  return uses;
}

async function start(program: string, configPath: string, uses: Uses, clock: Clock, signal: AbortSignal) {
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
