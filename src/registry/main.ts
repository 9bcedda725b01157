// The broker-side program: Thing Registry and provisioning service as an external component (XEP-0114) of Prosody or
// ejabberd. Composition root: settings, store, component, registry, one signal for all.

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Clock, systemClock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import { createLog, type Log, silentLog } from "#base/log.ts";
import { foundFormat, type LogFormat, logFormats, logLine } from "#base/log-output.ts";
import { createQuietLog } from "#base/quiet-log.ts";
import { version } from "#base/version.ts";
import { ConfigError, readYaml } from "#config.ts";
import { createAllLanguages } from "#languages/all.ts";
import { shutdownMs } from "#limits.ts";
import { DatabaseFault } from "#store/database.ts";
import { ComponentRefused, createComponent } from "#xmpp/component.ts";
import type { Inbound } from "#xmpp/connection.ts";
import { openAccounts } from "./accounts/accounts.ts";
import { KeysError, keysCommand } from "./accounts/command.ts";
import { SealError } from "./accounts/seal.ts";
import { CheckError, check } from "./check.ts";
import {
  optionOf,
  policyOf,
  type RegistrySettings,
  readSettings,
  SettingsError,
  settingNames,
  standardOf,
  titleOf,
  variableOf,
} from "./config.ts";
import { EventsError, eventsCommand } from "./events/command.ts";
import { openReceiver } from "./events/receiver.ts";
import { checkLink } from "./link.ts";
import { createRegistry, type Registry } from "./registry.ts";
import { checkListed } from "./self-check.ts";
import { openRegistryStore } from "./sqlite/store.ts";
import { tokenOptionsOf } from "./token-settings.ts";

export interface RegistryProgram {
  readonly settings: RegistrySettings;
  readonly secret: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Serves until aborted, whatever the broker does. Throws `DatabaseFault`; `ComponentRefused` when trying again is no use. */
export async function runRegistry(
  { settings, secret, clock, log: everything }: RegistryProgram,
  signal: AbortSignal,
): Promise<void> {
  const quiet = createQuietLog(everything, clock);
  const { log } = quiet;
  await using store = openRegistryStore(settings.database, log);
  using accounts = openAccounts({ ...settings, clock, log });
  using events = openReceiver({ ...settings, clock, log });
  // What fails takes all with it; what is ended from outside ends in the same way.
  const stop = new AbortController();
  const life = AbortSignal.any([signal, stop.signal]);
  let registry: Registry | undefined;
  let ready = false;
  const inbound: Inbound = {
    iq: stanza => registry?.inbound.iq(stanza),
    message: stanza => registry?.inbound.message(stanza),
    presence: stanza => registry?.inbound.presence(stanza),
    online(jid, resumed) {
      registry?.inbound.online(jid, resumed);
      if (!ready) log.notice("ready", { jid, database: settings.database });
      if (!ready) void checkListed(component, settings.jid, settings.localDomains, log, life);
      ready = true;
    },
    offline: reason => registry?.inbound.offline(reason),
  };
  const { host, port, jid, localDomains, allowWeakKey, friendOnAccept } = settings;
  const component = createComponent({ host, port, jid, secret }, inbound, { clock, log });
  const { peerRegistries: peers, parentRegistry: parent, childRegistries: children } = settings;
  const oldDialect = settings.legacy ? { exposeOwner: settings.legacyExposeOwner } : undefined;
  const federation = { peers, parent, children };
  const policy = policyOf(settings);
  const tokens = tokenOptionsOf(settings);
  const languages = createAllLanguages(settings.language);
  const options = { jid, localDomains, allowWeakKey, friendOnAccept, policy, federation, oldDialect, tokens };
  const served = createRegistry({
    options,
    store,
    connection: component,
    clock,
    log,
    signal: life,
    routes: accounts.routes,
    messages: events?.messages ?? [],
    say: english => languages.localize(settings.language, english),
  });
  registry = served;
  const tasks = [component.run(life), served.run(life), quiet.run(life)];
  try {
    await Promise.all(tasks);
  } finally {
    stop.abort(new DOMException("the registry ends", "AbortError"));
    const rest = Promise.allSettled([...tasks, served.idle()]);
    await within(clock, shutdownMs, "the end of what was begun", new AbortController().signal, () => rest).catch(
      error => log.warning("stopped-early", { error }),
    );
    log.notice("stopped");
  }
}

const help = `Thing Registry and provisioning service, a component of an XMPP broker.

  isthmus-registry --config FILE [--SETTING VALUE …] [--debug] [--log text|json|journal]
  isthmus-registry keys …    API keys for the accounts of appliances: see isthmus-registry keys --help
  isthmus-registry log …     events that were received: see isthmus-registry log --help
  isthmus-registry check …   is the broker safe towards other servers: see isthmus-registry check --help

Settings, in FILE (YAML, one a line as name: value), in the environment, or here; the later wins:

${settingNames.map(describeSetting).join("\n")}

Only jid is needed, and the secret shared with the broker: in secretFile, or in ISTHMUS_REGISTRY_SECRET.
`;

function describeSetting(name: string): string {
  const standard = standardOf(name);
  const title = `${titleOf(name)}${standard === "" ? "" : ` (${standard})`}`;
  return `  ${name}\n      ${title}\n      --${optionOf(name)}, ${variableOf(name)}`;
}

async function main(args: readonly string[]): Promise<number> {
  const stop = new AbortController();
  const end = () => stop.abort(new DOMException("interrupted", "AbortError"));
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  try {
    if (args[0] === "keys") return keys(args.slice(1));
    if (args[0] === "log") return received(args.slice(1));
    if (args[0] === "check") return await checked(args.slice(1), stop.signal);
    if (args[0] === "--version") {
      process.stdout.write(`isthmus-registry ${version} on Node ${process.versions.node}\n`);
      return 0;
    }
    const { program, wantsHelp } = readProgram(args);
    if (wantsHelp) process.stdout.write(help);
    else await runRegistry(program(), stop.signal);
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 0;
    const isExpected =
      error instanceof SettingsError ||
      error instanceof ConfigError ||
      error instanceof DatabaseFault ||
      error instanceof KeysError ||
      error instanceof EventsError ||
      error instanceof CheckError ||
      error instanceof SealError ||
      error instanceof ComponentRefused;
    process.stderr.write(`${isExpected ? error.message : error instanceof Error ? error.stack : error}\n`);
    const isUsage =
      (error instanceof KeysError && error.isUsage) || error instanceof EventsError || error instanceof CheckError;
    return isUsage || error instanceof SettingsError || error instanceof ConfigError ? 2 : 1;
  }
}

/** Where the registry's files lie, for what works on them; `unsaid` is thrown when nobody said which registry is meant. */
const databaseOf =
  (unsaid: (message: string) => Error) =>
  (config: string | undefined, said = process.env[variableOf("database")]): string => {
    if (said !== undefined && said !== "") return resolve(said);
    if (config === undefined) throw unsaid("say with --config FILE which registry is meant");
    return String(fileSettings(config).database);
  };
const output = {
  out: (text: string) => void process.stdout.write(text),
  note: (text: string) => void process.stderr.write(text),
};

function keys(args: readonly string[]): number {
  const database = databaseOf(message => new KeysError(message, true));
  keysCommand(args, { ...output, database, clock: systemClock, log: silentLog });
  return 0;
}

function received(args: readonly string[]): number {
  eventsCommand(args, { ...output, database: databaseOf(message => new EventsError(message)), log: silentLog });
  return 0;
}

function checked(args: readonly string[], signal: AbortSignal): Promise<number> {
  const settings = (config: string | undefined) => {
    if (config === undefined) throw new CheckError("say with --config FILE which registry is meant");
    return readSettings(fileSettings(config), process.env, {});
  };
  return check(args, { settings, out: output.out, clock: systemClock, signal });
}

function readProgram(args: readonly string[]): { wantsHelp: boolean; program: () => RegistryProgram } {
  const values = readWords(args);
  return {
    wantsHelp: values.help === true,
    program() {
      const file = typeof values.config === "string" ? values.config : undefined;
      const content = file === undefined ? {} : fileSettings(file);
      const settings = readSettings(content, process.env, values as Record<string, string | undefined>);
      const format = formatOf(values.log);
      process.stderr.on("error", () => {});
      const log = createLog(event => {
        if (event.level !== "debug" || values.debug === true)
          process.stderr.write(logLine(format, event, systemClock.now()));
      });
      const secret = readSecret(settings);
      checkLink(settings, secret);
      return { settings, secret, clock: systemClock, log };
    },
  };
}

function readWords(args: readonly string[]): Record<string, string | boolean | undefined> {
  const options = Object.fromEntries(settingNames.map(name => [optionOf(name), { type: "string" as const }]));
  const more = {
    config: { type: "string" },
    help: { type: "boolean" },
    debug: { type: "boolean" },
    log: { type: "string" },
  } as const;
  try {
    return parseArgs({ args: [...args], options: { ...options, ...more } }).values;
  } catch (error) {
    throw new SettingsError(`${error instanceof Error ? error.message : error}\nTry --help.`);
  }
}

/** journal below systemd, else text, unless said. */
function formatOf(said: string | boolean | undefined): LogFormat {
  if (said === undefined) return foundFormat(process.env);
  const format = logFormats.find(one => one === said);
  if (format === undefined) throw new SettingsError(`--log is ${logFormats.join(", ")}, not "${said}"`);
  return format;
}

/** Paths in the file are taken from the folder it lies in. */
function fileSettings(file: string): Record<string, unknown> {
  const content = readYaml(file) ?? {};
  if (typeof content !== "object" || Array.isArray(content))
    throw new SettingsError(`${file}: settings are expected, one a line, as name: value`);
  const from = dirname(resolve(file));
  const settings = { database: "registry.db", ...content } as Record<string, unknown>;
  for (const name of ["database", "secretFile", "tokenCertificates"]) {
    const path = settings[name];
    if (typeof path === "string") settings[name] = resolve(from, path);
  }
  return settings;
}

function readSecret({ secretFile }: RegistrySettings): string {
  const said = process.env.ISTHMUS_REGISTRY_SECRET ?? "";
  if (said !== "") return said;
  if (secretFile === undefined)
    throw new SettingsError("the secret shared with the broker is missing: say secretFile, or ISTHMUS_REGISTRY_SECRET");
  try {
    const secret = readFileSync(secretFile, "utf8").trim();
    if (secret === "") throw new SettingsError(`secretFile: ${secretFile} is empty`);
    return secret;
  } catch (error) {
    if (error instanceof SettingsError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown reason";
    throw new SettingsError(`secretFile: ${secretFile} cannot be read (${code})`);
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
