// A second real XMPP broker for tests: ejabberd as a child process, with everything in a folder of ours, on the loopback
// interface only, never in clear text. The Erlang machine is started directly and without a name, so that it neither needs nor
// leaves the port mapper that Debian's own start script brings.

import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import type { Broker, BrokerOptions, BrokerPorts } from "./broker.ts";
import { type Child, findProgram, LabError, startChild } from "./child.ts";
import { controlSocket, ejabberdConfig, namesConfig } from "./ejabberd-config.ts";
import { startNameServer } from "./name-server.ts";
import { choosingPorts, freePorts, requireFreePorts, untilPortAnswers } from "./ports.ts";

const controlMsMax = 15_000;
/** ejabberd 24.12 (Debian 13) sleeps five seconds over its control socket before it does anything else. */
const readyMs = 60_000;
/** It writes its tables to disk. */
const stopMs = 8_000;

export const startEjabberd = (options: BrokerOptions): Promise<Broker> =>
  choosingPorts(options.ports !== undefined, () => startOnce(options));

async function startOnce(options: BrokerOptions): Promise<Broker> {
  const { folder, domain, clock, signal } = options;
  const ports = await choosePorts(options);
  await mkdir(join(folder, "data"), { recursive: true, mode: 0o700 });
  await writeFile(join(folder, "ejabberd.yml"), ejabberdConfig(options, ports), { mode: 0o600 });
  await using started = new AsyncDisposableStack();
  const names = started.use(await startNameServer(options.servers?.peers ?? {}));
  await writeFile(join(folder, "names"), namesConfig(names.port));
  const uses = usesOf(options, ports);
  const librariesPath = await findLibraries();
  const begin = (until: AbortSignal) => start(folder, librariesPath, uses, clock, until);
  let child: Child = await begin(signal);
  const register = async (name: string, password: string) => {
    const account = { user: name, host: domain };
    const made = await control(folder, "register", { ...account, password });
    if (made.status === conflict) await demand(folder, "change_password", { ...account, newpass: password });
    else if (made.status !== ok) throw new LabError(`ejabberd did not register ${name}: ${made.text}`);
  };
  started.defer(() => child.stop());
  for (const user of options.users ?? []) await register(user.name, user.password);
  const all = started.move();
  return {
    domain,
    ports,
    register,
    removeUser: name => demand(folder, "unregister", { user: name, host: domain }),
    stop: () => child.stop(),
    kill: () => child.kill(),
    restart: async () => {
      await child.stop();
      child = await begin(new AbortController().signal);
    },
    log: () => child.output(),
    pid: () => child.pid,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function choosePorts({ ports, components = [] }: BrokerOptions): Promise<BrokerPorts> {
  const [c2s = 0, tls = 0, free = 0] = await freePorts(3);
  return { c2s, tls, ...ports, component: components.length === 0 ? 0 : (ports?.component ?? free) };
}

const socketPollMs = 20;

type Uses = Record<string, number>;

function usesOf({ servers }: BrokerOptions, ports: BrokerPorts): Uses {
  const uses: Uses = { "XMPP clients": ports.c2s, "XMPP clients, TLS": ports.tls };
  if (ports.component !== 0) uses["XMPP components"] = ports.component;
  if (servers !== undefined) uses["XMPP servers"] = servers.port;
  return uses;
}

async function start(folder: string, libraries: string, uses: Uses, clock: Clock, signal: AbortSignal) {
  await requireFreePorts(uses);
  // Left by one that was killed, it would be in the way.
  await rm(controlSocket(folder), { force: true });
  return await startChild(
    {
      name: "ejabberd",
      command: findProgram("erl"),
      args: ["-noinput", "-mnesia", "dir", JSON.stringify(join(folder, "data")), "-s", "ejabberd"],
      cwd: folder,
      env: {
        ...process.env,
        HOME: folder,
        ERL_LIBS: libraries,
        ERL_CRASH_DUMP_SECONDS: "0",
        ERL_INETRC: join(folder, "names"),
        EJABBERD_CONFIG_PATH: join(folder, "ejabberd.yml"),
        EJABBERD_LOG_PATH: join(folder, "ejabberd.log"),
      },
      readyMs,
      stopMs,
      ready: async inner => {
        for (const port of Object.values(uses)) await untilPortAnswers(port, clock, inner);
        // Its listeners come one by one, this one perhaps last.
        while (!(await listens(controlSocket(folder)))) await clock.sleep(socketPollMs, inner);
      },
    },
    clock,
    signal,
  );
}

/** The file is there before anybody listens behind it. */
const listens = (path: string): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(path, () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });

/** Where Debian keeps ejabberd's own code differs by machine; its start script says it. */
async function findLibraries(): Promise<string> {
  const script = findProgram("ejabberdctl");
  const found = /^ERL_LIBS='?([^'\n]+)'?$/m.exec(await readFile(script, "utf8"))?.[1];
  if (found === undefined) throw new LabError(`${script} does not say where ejabberd's code is: is it Debian's?`);
  return found;
}

const ok = 200;
const conflict = 409;

async function demand(folder: string, command: string, words: Readonly<Record<string, string>>): Promise<void> {
  const { status, text } = await control(folder, command, words);
  if (status !== ok) throw new LabError(`ejabberd did not ${command.replaceAll("_", " ")}: ${text}`);
}

/** One command of ejabberd's own interface, over its socket. */
function control(folder: string, command: string, words: Readonly<Record<string, string>>) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const asking = request(
      {
        socketPath: controlSocket(folder),
        path: `/api/${command}`,
        method: "POST",
        headers: { host: "localhost", "content-type": "application/json" },
        timeout: controlMsMax,
      },
      answer => {
        let text = "";
        answer.setEncoding("utf8").on("data", chunk => {
          text += chunk;
        });
        answer.once("end", () => resolve({ status: answer.statusCode ?? 0, text: text.trim() }));
      },
    );
    asking.once("timeout", () => asking.destroy(new LabError(`ejabberd did not answer to ${command}`)));
    asking.once("error", reject);
    asking.end(JSON.stringify(words));
  });
}
