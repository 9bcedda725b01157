// A real MQTT broker for demonstration and tests: mosquitto as a child process, on the loopback interface only, plain and
// anonymous, and beside it with TLS and passwords where asked for.

import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Clock } from "#base/clock.ts";
import type { Certificate } from "./certificates.ts";
import { type Child, findProgram, LabError, startChild } from "./child.ts";
import { choosingPorts, freePorts, requireFreePorts, untilPortAnswers } from "./ports.ts";

export interface MosquittoOptions {
  /** Where everything is kept; belongs to the caller, who removes it. */
  folder: string;
  clock: Clock;
  /** Bounds the start only: the broker lives until it is disposed. */
  signal: AbortSignal;
  /** Plain and anonymous; a free one is chosen when absent. */
  port?: number;
  /** A second listener with TLS that wants a name and password. */
  secure?: { certificate: Certificate; users: { name: string; password: string }[]; port?: number };
}

export interface Mosquitto extends AsyncDisposable {
  readonly port: number;
  /** Of the listener with TLS; 0 when there is none. */
  readonly securePort: number;
  /** Idempotent; retained messages are kept. */
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** Starts it again on the same ports with the same data, stopping it first if it runs. */
  restart(): Promise<void>;
  log(): string;
  pid(): number;
}

const passwdMsMax = 15_000;

export const startMosquitto = (options: MosquittoOptions): Promise<Mosquitto> =>
  choosingPorts(options.port !== undefined, () => startOnce(options));

async function startOnce(options: MosquittoOptions): Promise<Mosquitto> {
  const { folder, clock, signal } = options;
  const program = findProgram("mosquitto");
  const [free = 0, freeSecure = 0] = await freePorts(2);
  const port = options.port ?? free;
  const securePort = options.secure === undefined ? 0 : (options.secure.port ?? freeSecure);
  await mkdir(folder, { recursive: true });
  const configPath = join(folder, "mosquitto.conf");
  await writeFile(configPath, await configuration(options, port, securePort), { mode: 0o600 });
  const start = (startSignal: AbortSignal) =>
    startBroker(program, configPath, { port, securePort }, clock, startSignal);
  let child: Child = await start(signal);
  const stop = () => child.stop();
  return {
    port,
    securePort,
    stop,
    kill: () => child.kill(),
    restart: async () => {
      await child.stop();
      child = await start(new AbortController().signal);
    },
    log: () => child.output(),
    pid: () => child.pid,
    [Symbol.asyncDispose]: stop,
  };
}

async function configuration(options: MosquittoOptions, port: number, securePort: number): Promise<string> {
  const lines = [
    // Otherwise it changes to the user mosquitto, who may not read our folder.
    ...(process.getuid?.() === 0 ? ["user root"] : []),
    "per_listener_settings true",
    "persistence true",
    `persistence_location ${options.folder}/`,
    "log_dest stderr",
    "set_tcp_nodelay true",
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
  ];
  if (options.secure !== undefined) {
    const { certificate, users } = options.secure;
    lines.push(
      `listener ${securePort} 127.0.0.1`,
      "allow_anonymous false",
      `password_file ${await passwordFile(options.folder, users)}`,
      `certfile ${certificate.certificatePath}`,
      `keyfile ${certificate.keyPath}`,
    );
  }
  return `${lines.join("\n")}\n`;
}

async function passwordFile(folder: string, users: { name: string; password: string }[]): Promise<string> {
  const path = join(folder, "passwords");
  await writeFile(path, users.map(user => `${user.name}:${user.password}\n`).join(""), { mode: 0o600 });
  // Replaces the passwords of the whole file by their hashes.
  await promisify(execFile)(findProgram("mosquitto_passwd"), ["-U", path], { timeout: passwdMsMax }).catch(error => {
    throw new LabError(`mosquitto_passwd failed: ${error.stderr || error.message}`);
  });
  return path;
}

async function startBroker(
  program: string,
  configPath: string,
  ports: { port: number; securePort: number },
  clock: Clock,
  signal: AbortSignal,
): Promise<Child> {
  const { port, securePort } = ports;
  await requireFreePorts(securePort === 0 ? { MQTT: port } : { MQTT: port, "MQTT, TLS": securePort });
  return await startChild(
    {
      name: "mosquitto",
      command: program,
      args: ["-c", configPath],
      ready: async inner => {
        await untilPortAnswers(port, clock, inner);
        if (securePort !== 0) await untilPortAnswers(securePort, clock, inner);
      },
    },
    clock,
    signal,
  );
}
