// `isthmus setup`: makes or completes the boot file of an appliance, from the invite that came with it, or from what a person
// says; also, when he asks for it, from what announces itself in the local network (ACC-FIND-01).

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { Document, isMap, parseDocument } from "yaml";
import { type Clock, systemClock } from "#base/clock.ts";
import { ConfigError, readBootSettings } from "#config.ts";
import { readAuthority } from "#edge/account-file.ts";
import { DialError, dial } from "#xmpp/dial.ts";
import { InviteError, parseInvite } from "#xmpp/invite.ts";
import { isDomainJid } from "#xmpp/jid.ts";
import { confirm } from "../ask.ts";
import { type CommandBody, CommandError, type Invocation, UsageError } from "../command.ts";
import { findLocalBrokers, type LocalBroker, type Place } from "../local-brokers.ts";

export const setup: CommandBody = {
  usage: "[INVITE] [--config FILE]",
  details:
    "INVITE is the text of the code that came with the appliance: xmpp:example.org?register;preauth=… Quote it, it holds semicolons. What the file says already stays. The appliance makes its account when it runs.",
  options: {
    config: { type: "string", value: "FILE", help: "The boot file; isthmus.yaml unless said." },
    domain: { type: "string", value: "DOMAIN", help: "The XMPP domain, where there is no invite." },
    registry: { type: "string", value: "JID", help: "The thing registry, where the domain has several." },
    provisioning: { type: "string", value: "JID", help: "Who decides for owners, where it is not the registry." },
    data: { type: "string", value: "FOLDER", help: "Where the appliance keeps what it learns." },
    name: { type: "string", value: "TEXT", help: "Name of the appliance." },
    ca: { type: "string", value: "FILE", help: "A private certificate authority (PEM)." },
    find: { type: "boolean", help: "Look for a broker in the local network, and ask before it is used." },
    accept: { type: "string", value: "DOMAIN", help: "With --find: use this domain when it is found, without asking." },
  },
  words: [0, 1],
  run: call => setUp(call, systemClock),
};

/** `place`: whom to ask with --find, for tests. */
export async function setUp(call: Invocation, clock: Clock, place?: Place): Promise<number> {
  try {
    return await makeFile(call, clock, place);
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError(error.message);
    throw error;
  }
}

async function makeFile(call: Invocation, clock: Clock, place: Place | undefined): Promise<number> {
  const file = call.text("config") ?? "isthmus.yaml";
  const document = open(file);
  const values = await valuesOf(call, document, clock, place);
  if (values.domain === undefined && !document.has("domain") && !document.has("invite"))
    throw new UsageError("setup needs an invite, --domain or --find");
  for (const [name, value] of Object.entries(values)) document.set(name, value);
  // A whole file or none: what it says is checked before it is in place.
  const beside = `${file}.new`;
  write(beside, document.toString());
  try {
    const { domain } = readBootSettings(beside);
    renameSync(beside, file);
    call.out.value({ file, domain });
    call.out.note(`${file} is ready for ${domain}. Start the appliance with: isthmus run --config ${file}`);
    return 0;
  } catch (error) {
    rmSync(beside, { force: true });
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.message.replaceAll(beside, file));
  }
}

function open(file: string): Document {
  if (!existsSync(file)) return new Document({});
  const document = parseDocument(readFileSync(file, "utf8"));
  const [fault] = document.errors;
  if (fault !== undefined) throw new CommandError(`${file}: ${fault.message.split("\n")[0]}`);
  if (document.contents === null) return new Document({});
  if (!isMap(document.contents)) throw new CommandError(`${file} is no boot file: settings are expected`);
  return document as unknown as Document;
}

async function valuesOf(call: Invocation, document: Document, clock: Clock, place: Place | undefined) {
  const [text] = call.words;
  if (call.text("accept") !== undefined && !call.flag("find")) throw new UsageError("--accept is said with --find");
  const known = document.get("domain");
  const invited = text === undefined ? undefined : inviteOf(text);
  const said = call.text("domain");
  if (said !== undefined && !isDomainJid(said))
    throw new UsageError(`--domain is a domain such as example.org, not "${said}"`);
  const ways = [text, said, call.flag("find") ? "find" : undefined].filter(one => one !== undefined);
  if (ways.length > 1)
    throw new UsageError("an invite, --domain and --find each say the domain: one of them is enough");
  const found = call.flag("find") ? await find(call, clock, place) : undefined;
  const domain = invited?.domain ?? said ?? found?.domain;
  if (domain !== undefined && known !== undefined && known !== domain)
    throw new CommandError(
      `${call.text("config") ?? "isthmus.yaml"} is for ${known}: an appliance keeps to one domain. Use another file and another data folder for ${domain}.`,
    );
  return Object.fromEntries(
    Object.entries({
      domain,
      invite: text?.trim(),
      ...(found?.at ?? {}),
      registry: serviceIn(call, "registry"),
      provisioning: serviceIn(call, "provisioning"),
      dataFolder: absolute(call.text("data")),
      name: call.text("name"),
      caFile: absolute(call.text("ca")),
    }).filter(([, value]) => value !== undefined),
  );
}

function serviceIn(call: Invocation, option: "registry" | "provisioning"): string | undefined {
  const said = call.text(option);
  if (said !== undefined && !isDomainJid(said))
    throw new UsageError(`--${option} is the address of a service, such as things.example.org, not "${said}"`);
  return said;
}

/** The file takes paths from its own folder, a person from where he stands. */
const absolute = (path: string | undefined) => (path === undefined ? undefined : resolve(path));

function inviteOf(text: string) {
  try {
    return parseInvite(text);
  } catch (error) {
    if (error instanceof InviteError) throw new UsageError(error.message);
    throw error;
  }
}

interface Found {
  readonly domain: string;
  /** Where DNS does not lead there. */
  readonly at: { readonly host: string; readonly port: number; readonly security: "starttls" } | undefined;
}

/** Announced, proven by its certificate, and agreed to. */
async function find(call: Invocation, clock: Clock, place: Place | undefined): Promise<Found> {
  const accepted = call.text("accept");
  const ca = call.text("ca");
  const trust = ca === undefined ? {} : { ca: [readAuthority(ca)] };
  const brokers = await findLocalBrokers(clock, call.signal, place).catch((error: unknown) => {
    call.signal.throwIfAborted();
    throw new CommandError(`The local network cannot be asked: ${(error as Error).message}`);
  });
  if (brokers.length === 0)
    throw new CommandError("Nobody in the local network announces a broker with a domain of its own.");
  for (const broker of brokers) {
    if (accepted !== undefined && broker.domain !== accepted) continue;
    const proven = await prove(broker, trust, clock, call);
    if (proven === undefined) continue;
    if (accepted === undefined)
      await confirm(
        `${broker.domain} announces itself in this network, at ${broker.host}, and its certificate is valid. Use it?`,
        `--accept ${broker.domain}`,
        call,
      );
    return proven;
  }
  throw new CommandError(
    accepted === undefined
      ? "None of the brokers found here could prove its domain."
      : `${accepted} was not found here, or could not prove itself.`,
  );
}

async function prove(
  { domain, host, port }: LocalBroker,
  trust: { readonly ca?: readonly string[] },
  clock: Clock,
  call: Invocation,
): Promise<Found | undefined> {
  const reach = async (at: object): Promise<boolean> => {
    try {
      (await dial({ domain, ...trust, ...at }, { clock }, call.signal)).destroy();
      return true;
    } catch (error) {
      call.signal.throwIfAborted();
      if (!(error instanceof DialError)) throw error;
      call.out.note(error.message);
      return false;
    }
  };
  if (await reach({})) return { domain, at: undefined };
  const at = { host, port, security: "starttls" as const };
  return (await reach({ host, port, tls: "starttls" })) ? { domain, at } : undefined;
}

/** Holds a token until the account is made: for its owner alone. */
function write(file: string, text: string): void {
  const descriptor = openSync(file, "w", 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
