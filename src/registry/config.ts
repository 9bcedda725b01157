// Boot settings of the registry component: where the broker is, who the component is there, what it may serve. From a
// file, then the environment, then the command line; the later wins. The secret never stands on a command line.

import * as z from "zod";
import { isToken } from "#iot/provisioning-device.wire.ts";
import { federationPeersMax } from "#limits.ts";
import { bareJid, isDomainJid, parseJid } from "#xmpp/jid.ts";
import { type DomainPolicyOptions, policyFaults } from "./domain-policy.ts";

const domain = z.string().refine(text => isDomainJid(text), "is not a domain, such as things.hub.example");
const switched = () => z.union([z.stringbool(), z.boolean()], { error: "is true or false" }).default(false);
const port = "is a number from 1 to 65535";

/** A list, or a text with blanks or commas between, as on the command line. */
const listOf = <T extends z.ZodType>(one: T) =>
  z
    .preprocess(
      value => (typeof value === "string" ? value.split(/[\s,]+/).filter(part => part !== "") : value),
      z.array(one),
    )
    .default([]);
const domains = () => listOf(domain);
const others = () => domains().refine(list => list.length <= federationPeersMax, `are ${federationPeersMax} at most`);

export const registrySettings = z.strictObject({
  /** The component link has no encryption of its own: loopback, or a tunnel (DISCO-THR-08). */
  host: z.string().min(1).default("127.0.0.1").meta({ title: "Broker host" }),
  port: z.coerce
    .number({ error: port })
    .int({ error: port })
    .min(1, { error: port })
    .max(65_535, { error: port })
    .default(5347)
    .meta({ title: "Component port of the broker" }),
  tunnel: switched().meta({ title: "The way to a broker on another machine is a tunnel" }),
  jid: domain
    .transform(text => parseJid(text)?.domain ?? text)
    .meta({ title: "JID of the component, as the broker knows it" }),
  secretFile: z.string().min(1).optional().meta({ title: "File that holds the secret shared with the broker" }),
  database: z.string().min(1).default("registry.db").meta({ title: "Database file" }),
  /** Without them: the domain that the component's own lies below. */
  localDomains: domains().meta({
    title: "Domains whose accounts may register things; unless said, the one that jid is below",
  }),
  allowWeakKey: switched().meta({ title: "Allow claims with a KEY under 16 characters" }),
  friendOnAccept: switched().meta({ title: "Tell devices to befriend whom their owner accepted" }),
  legacy: switched().meta({ title: "Serve things that speak XEP-0347, too" }),
  legacyExposeOwner: switched().meta({ title: "Tell them the owner of each thing they find" }),
  language: z
    .enum(["en", "sv", "de", "es"], { error: "is en, sv, de or es" })
    .default("en")
    .meta({ title: "Language in which owners are asked" }),
  /** FED-03; a domain stands for those below it, and the longest name counts. */
  allowedDomains: domains().meta({ title: "Other domains that may do everything, where otherDomains says less" }),
  limitedDomains: domains().meta({ title: "Other domains that may keep what was agreed, and begin nothing new" }),
  deniedDomains: domains().meta({ title: "Other domains there are no dealings with" }),
  otherDomains: z
    .enum(["allow", "limited", "deny"], { error: "is allow, limited or deny" })
    .default("allow")
    .meta({ title: "What holds for domains that are not named" }),
  /** Tokens, docs/tokens.md; without the first two there are none. */
  tokenCertificates: z
    .string()
    .min(1)
    .optional()
    .meta({ title: "Folder of authorities whose certificates get tokens, and of pinned ones named after accounts" }),
  tokenPinFirst: switched().meta({ title: "The first key that a local account shows gets a token, and no other does" }),
  revokedTokens: listOf(z.string().refine(isToken, "is not a token")).meta({ title: "Tokens that are taken back" }),
  /** Without them no events are received (docs/events.md). */
  eventLogSenders: listOf(
    z
      .string()
      .refine(text => parseJid(text)?.resource === "", "is no address of a sender, and no domain")
      .transform(text => bareJid(text) ?? text),
  ).meta({ title: "Addresses, and domains with all in them, whose events are taken and kept" }),
  /** Distributed search; without them it is a local one (DISCO-DEBBY-01). */
  peerRegistries: others().meta({ title: "Registries that are asked too when somebody searches everywhere" }),
  parentRegistry: domain.optional().meta({ title: "Registry of the broker above, asked when nothing is found" }),
  childRegistries: others().meta({ title: "Registries of brokers below, who may ask" }),
});
export type RegistrySettings = z.output<typeof registrySettings>;
export type SettingName = keyof RegistrySettings;

export const settingNames = Object.keys(registrySettings.shape) as SettingName[];

/** What a setting is, in words. */
export const titleOf = (name: string): string => String(schemaOf(name)?.meta()?.title ?? name);
/** What it is unless said; "" when that is nothing. */
export const standardOf = (name: string): string => {
  const standard = schemaOf(name)?.safeParse(undefined);
  return standard?.success === true ? String(standard.data ?? "") : "";
};
const schemaOf = (name: string): z.ZodType | undefined => (registrySettings.shape as Record<string, z.ZodType>)[name];

/** "localDomains" → "ISTHMUS_REGISTRY_LOCAL_DOMAINS", and "--local-domains" on the command line. */
export const variableOf = (name: string): string =>
  `ISTHMUS_REGISTRY_${name.replace(/[A-Z]/g, one => `_${one}`).toUpperCase()}`;
export const optionOf = (name: string): string => name.replace(/[A-Z]/g, one => `-${one.toLowerCase()}`);

/** Throws `Error` with one line a fault, each naming the setting and where it was said. */
export function readSettings(
  file: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
  words: Readonly<Record<string, string | undefined>>,
): RegistrySettings {
  const merged: Record<string, unknown> = { ...file };
  const said: Record<string, string> = {};
  for (const name of settingNames) {
    const [variable, word] = [environment[variableOf(name)], words[optionOf(name)]];
    if (variable !== undefined && variable !== "") [merged[name], said[name]] = [variable, variableOf(name)];
    if (word !== undefined) [merged[name], said[name]] = [word, `--${optionOf(name)}`];
  }
  const parsed = registrySettings.safeParse(merged);
  if (!parsed.success) {
    const faults = parsed.error.issues.flatMap(issue => {
      if (issue.code === "unrecognized_keys")
        return issue.keys.map(key => `  ${key}: is no setting; there are ${settingNames.join(", ")}`);
      const name = String(issue.path[0] ?? "the file");
      const isMissing = issue.code === "invalid_type" && merged[name] === undefined;
      return `  ${said[name] ?? name}: ${isMissing ? `is missing (${titleOf(name)})` : issue.message}`;
    });
    throw new SettingsError(["the registry's settings are not right:", ...faults].join("\n"));
  }
  const { data } = parsed;
  const parent = data.jid.slice(data.jid.indexOf(".") + 1);
  const settings =
    data.localDomains.length > 0 || parent === data.jid ? withLocal(data) : { ...data, localDomains: [parent] };
  const faults = policyFaults(policyOf(settings), settings.localDomains);
  if (faults.length > 0)
    throw new SettingsError(["the registry's settings are not right:", ...faults.map(one => `  ${one}`)].join("\n"));
  return settings;
}

export function policyOf(settings: RegistrySettings): DomainPolicyOptions {
  const plain = (list: readonly string[]) => list.map(one => parseJid(one)?.domain ?? one);
  const { allowedDomains, limitedDomains, deniedDomains, otherDomains: others } = settings;
  return { allowed: plain(allowedDomains), limited: plain(limitedDomains), denied: plain(deniedDomains), others };
}

function withLocal(settings: RegistrySettings): RegistrySettings {
  if (settings.localDomains.length === 0)
    throw new SettingsError(
      `localDomains: ${settings.jid} is below no other domain, so say whose accounts may register things`,
    );
  return { ...settings, localDomains: settings.localDomains.map(one => parseJid(one)?.domain ?? one) };
}

/** The settings are wrong: the message names which, and what is expected. */
export class SettingsError extends Error {
  override name = "SettingsError";
}
