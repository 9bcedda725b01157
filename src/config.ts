// Boot settings of the edge program: what it must know before it can be reached. Everything else is a node's setting and
// is edited while running. One flat zod object, the same dialect as node settings; from a YAML or JSON file.

import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse as parseYaml } from "yaml";
import * as z from "zod";
import type { SiteNode } from "#concentrator/tree.ts";
import { apiKeyCharsMax, downloadDelayMsMax, identifierCharsMax, nodesMax } from "#limits.ts";
import { parseInvite } from "#xmpp/invite.ts";
import { bareJid, isDomainJid, parseJid } from "#xmpp/jid.ts";

const serviceJid = (title: string) =>
  z
    .string()
    .refine(isDomainJid, "is not the address of a service, such as things.example.org")
    .transform(text => bareJid(text) ?? text)
    .optional()
    .meta({ title });

export const bootSettings = z.strictObject({
  /** XMPP domain of the broker: the account, the registry and the decisions live there. */
  domain: z.string().min(1).max(253).meta({ title: "XMPP domain" }),
  /** Only where DNS does not say where the broker is. */
  host: z.string().min(1).optional().meta({ title: "Broker host" }),
  port: z.int().min(1).max(65_535).optional().meta({ title: "Broker port" }),
  security: z
    .enum(["tls", "starttls"])
    .default("tls")
    .meta({ title: "How host is spoken to: tls from the first byte, or starttls" }),
  caFile: z.string().optional().meta({ title: "Certificate authority (PEM)", description: "Only for a private one." }),
  // Who says who owns what and who may what, where the domain lists several; usually one component is both.
  registry: serviceJid("Thing registry, where the domain lists several (JID)"),
  provisioning: serviceJid("Provisioning service, where it is another one (JID)"),
  /** An existing account; without it one is created by in-band registration, once. */
  account: z.string().min(1).optional().meta({ title: "Account name" }),
  passwordFile: z.string().optional().meta({ title: "File that holds the password" }),
  accountPrefix: z
    .string()
    .regex(/^[a-z0-9-]{1,20}$/)
    .default("isthmus")
    .meta({ title: "Name prefix of an account to be created" }),
  // With what an account is created, where the broker does not create them for anyone (docs/accounts.md).
  invite: z
    .string()
    .superRefine((text, context) => {
      const fault = inviteFault(text);
      if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
    })
    .optional()
    .meta({ title: "Invite to an account" }),
  apiKey: z.string().min(1).max(apiKeyCharsMax).optional().meta({ title: "API key that signs the registration" }),
  apiSecretFile: z.string().optional().meta({ title: "File that holds the secret of the API key" }),
  allowUnsigned: z.boolean().default(false).meta({ title: "Register unsigned where no signature is asked for" }),
  /** Only of an account of our own making. */
  passwordDays: z.int().min(0).max(3_650).default(0).meta({ title: "Days until the password is changed; 0: never" }),
  /** Where the databases, the credentials and the status socket lie. */
  dataFolder: z.string().default("data").meta({ title: "Data folder" }),
  /** Nodes to create at start where they do not exist yet. */
  siteFile: z.string().optional().meta({ title: "Site file" }),
  /** The owner's own profiles of meters (docs/profiles.md); "profiles" in the data folder unless said. */
  profilesFolder: z.string().optional().meta({ title: "Folder of own profiles" }),
  name: z.string().min(1).max(128).default("Isthmus").meta({ title: "Name of the appliance" }),
  room: z.string().max(128).default("").meta({ title: "Where it hangs" }),
  timeZone: z
    .string()
    .default(Intl.DateTimeFormat().resolvedOptions().timeZone)
    .refine(zone => isTimeZone(zone), "not a time zone of the IANA database")
    .meta({ title: "Time zone of the meters" }),
  /** Spoken to who does not ask for another one. */
  language: z.enum(["en", "sv", "de", "es"]).default("en").meta({ title: "Language" }),
  // Who may what beyond what the interfaces fix (docs/architecture.md, "Who decides").
  ownersEdit: z.boolean().default(false).meta({ title: "Who owns a meter may change its settings" }),
  contactsSeeDevices: z.boolean().default(true).meta({ title: "Contacts see that the field devices are there" }),
  contactsSeeAppliance: z.boolean().default(false).meta({ title: "Contacts see the appliance's own node" }),
  /** Asks who shows a token for the proof that it is his, and lets rules rest on it (docs/tokens.md). */
  tokens: z.boolean().default(false).meta({ title: "Take tokens as evidence" }),
  neighboursSee: z.boolean().default(false).meta({ title: "Who owns a meter sees, as any contact, the others too" }),
  /** A broker or other service that tells the time over XMPP: readings are marked when ours is too far from it. */
  clockSource: z.string().min(1).max(3071).optional().meta({ title: "Clock to compare with (JID)" }),
  /** Software updates are looked for only when both are given; they are downloaded, never installed. */
  updatePackage: z.string().min(1).max(255).optional().meta({ title: "Name of the software package" }),
  updateKeyFile: z.string().optional().meta({ title: "Public key of the manufacturer (PEM)" }),
  /** Spreads the downloads of a fleet. */
  updateJitterSeconds: z
    .int()
    .min(0)
    .max(86_400)
    .default(downloadDelayMsMax / 1_000)
    .meta({ title: "Spread of downloads (s)" }),
  /** Where what the log says of importance is sent to (XEP-0337); nowhere unless said here or by the owner. */
  eventLog: z
    .string()
    .refine(text => parseJid(text)?.resource === "", "is not an address such as log.hub.example or name@domain")
    .transform(text => bareJid(text) ?? text)
    .optional()
    .meta({ title: "Receiver of events (JID)" }),
  eventLogLevel: z
    .enum(["info", "notice", "warning", "error"])
    .default("notice")
    .meta({ title: "Least level of events that are sent; what concerns security always is" }),
  eventLogStored: z.boolean().default(false).meta({ title: "Brokers may store events for the receiver" }),
  historyDays: z.int().min(1).max(36_500).default(730).meta({ title: "Days of history to keep" }),
  /** What was measured while somebody owned it, once he does not any more: what his successor may read says much of him. */
  formerOwnersHistory: z
    .enum(["forget", "keep"])
    .default("forget")
    .meta({ title: "History of a node when its owner is gone" }),
  /** Spreads registrations of a fleet after a broker's restart. */
  registrationJitterSeconds: z.int().min(0).max(3600).default(60).meta({ title: "Spread of registrations (s)" }),
});
export type BootSettings = z.output<typeof bootSettings>;

/** The file or one of its settings is wrong: the message names the file, the line or the setting, and what is expected. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

/** Reads and checks a boot file; paths in it are taken from the folder it lies in. Throws `ConfigError`. */
export function readBootSettings(file: string): BootSettings {
  const settings = check(bootSettings, withInvitedDomain(readYaml(file)), file);
  requireOneWay(settings, file);
  const from = dirname(resolve(file));
  const absolute = (path: string | undefined) => (path === undefined ? undefined : resolve(from, path));
  const dataFolder = resolve(from, settings.dataFolder);
  return {
    ...settings,
    dataFolder,
    profilesFolder: absolute(settings.profilesFolder) ?? join(dataFolder, "profiles"),
    ...present({
      caFile: absolute(settings.caFile),
      passwordFile: absolute(settings.passwordFile),
      apiSecretFile: absolute(settings.apiSecretFile),
      siteFile: absolute(settings.siteFile),
      updateKeyFile: absolute(settings.updateKeyFile),
    }),
  };
}

/** An invite says whose it is; a domain that was configured comes first (ACC-FIND-01). */
function withInvitedDomain(content: unknown): unknown {
  if (typeof content !== "object" || content === null || "domain" in content) return content;
  if (!("invite" in content) || typeof content.invite !== "string" || inviteFault(content.invite)) return content;
  return { ...content, domain: parseInvite(content.invite).domain };
}

function inviteFault(text: string): string | undefined {
  try {
    parseInvite(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Two ways to the account would leave open which one made it. */
function requireOneWay({ domain, account, invite, apiKey, apiSecretFile }: BootSettings, file: string): void {
  const invited = invite && parseInvite(invite).domain;
  const ways = Object.entries({ account, invite, apiKey }).filter(([, value]) => value !== undefined);
  const fault =
    invited !== undefined && invited !== parseJid(domain)?.domain
      ? `invite: it is for ${invited}, and domain says ${domain}`
      : ways.length > 1
        ? `${ways.map(([name]) => name).join(" and ")}: only one of them can make the account`
        : (apiKey === undefined) !== (apiSecretFile === undefined)
          ? "apiKey and apiSecretFile: one is of no use without the other"
          : undefined;
  if (fault !== undefined) throw new ConfigError(`${file} is not right:\n  ${fault}`);
}

const siteNode: z.ZodType<SiteNode> = z.strictObject({
  type: z.string().min(1),
  id: z.string().min(1).max(identifierCharsMax),
  name: z.string().max(128).optional(),
  settings: z.record(z.string(), z.unknown()).optional(),
  tags: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  registered: z.boolean().optional(),
  historyDays: z.int().min(1).max(36_500).optional(),
  nodes: z.lazy(() => z.array(siteNode)).optional(),
});
export const siteFile = z.strictObject({
  // Of the node at the top: heeded while there is nothing below it.
  id: z.string().min(1).max(identifierCharsMax).optional(),
  name: z.string().max(128).optional(),
  nodes: z.array(siteNode).max(nodesMax),
});
export type Site = z.output<typeof siteFile>;

export const readSite = (file: string): Site => check(siteFile, readYaml(file), file);

const unread: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "this user may not",
  EISDIR: "it is a folder",
};

export function readYaml(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code = "unknown reason" } = error as NodeJS.ErrnoException;
    throw new ConfigError(`${file} cannot be read: ${unread[code] ?? code}`);
  }
  try {
    return parseYaml(text, { prettyErrors: true });
  } catch (error) {
    // The first line says what and where; the others draw it.
    throw new ConfigError(`${file}: ${(error as Error).message.split("\n")[0]}`);
  }
}

export function check<S extends z.ZodType>(schema: S, value: unknown, file: string): z.output<S> {
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.flatMap(issue => {
    const place = issue.path.join(".");
    if (issue.code === "unrecognized_keys")
      return issue.keys.map(key => `  ${place === "" ? "" : `${place}.`}${key}: is no setting`);
    return `  ${place || "the file"}: ${issue.message}`;
  });
  throw new ConfigError([`${file} is not right:`, ...faults].join("\n"));
}

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

const present = <T extends object>(values: { [K in keyof T]: T[K] | undefined }): Partial<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
