// `isthmus-registry check` (FED-01): is the broker set up so that nobody can speak in the name of another domain? Looked at from
// outside, as another server would, with the setting to change for each thing that is wrong.

import { Resolver } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Clock } from "#base/clock.ts";
import { describe } from "#base/log.ts";
import { dnsMs } from "#limits.ts";
import { probeServer, type ServerProbe } from "#xmpp/server-probe.ts";

export interface CheckDeps {
  /** Of the registry that is meant. Throws when nobody said which. */
  readonly settings: (config: string | undefined) => { readonly jid: string; readonly localDomains: readonly string[] };
  readonly out: (text: string) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The words make no sense. */
export class CheckError extends Error {
  override name = "CheckError";
}

const help = `Looks at the broker as another server would: must others encrypt, is its certificate valid, and are they let in
without a certificate of their own? Ends with 1 when something is to be changed.

  isthmus-registry check --config FILE [--server HOST[:PORT]] [--ca FILE]

  --server  where the broker listens for other servers; found in DNS unless said, else port 5269 of the domain
  --ca      PEM file of the authority that signed the broker's certificate, where that is a private one
`;

/** 1 when something is to be changed. Throws `CheckError`. */
export async function check(args: readonly string[], deps: CheckDeps): Promise<number> {
  const { values } = readWords(args);
  if (values.help) {
    deps.out(help);
    return 0;
  }
  const { jid, localDomains } = deps.settings(values.config);
  const ca = values.ca === undefined ? undefined : [readCa(values.ca)];
  let faults = 0;
  for (const domain of localDomains) {
    const { host, port } = values.server === undefined ? await serverOf(domain) : addressOf(values.server);
    const names = jid.endsWith(`.${domain}`) ? [jid] : [];
    const server = { host, port, domain, names, ...(ca && { ca }) };
    deps.out(`${domain}, by way of ${host}:${port}\n`);
    try {
      const findings = judge(await probeServer(server, deps.clock, deps.signal), domain);
      for (const { wrong, text } of findings) deps.out(`  ${wrong ? "WRONG" : "ok   "}  ${text}\n`);
      faults += findings.filter(({ wrong }) => wrong).length;
    } catch (error) {
      deps.signal.throwIfAborted();
      deps.out(`  none   No other server gets through: ${describe(error)}.\n`);
      deps.out(`         That is right where only people of ${domain} are to come; else see docs/federation.md.\n`);
    }
  }
  return faults > 0 ? 1 : 0;
}

interface Finding {
  readonly wrong: boolean;
  readonly text: string;
}

function judge({ encryption, certificate, names, admits }: ServerProbe, domain: string): Finding[] {
  const required = "Prosody: s2s_require_encryption = true. ejabberd: s2s_use_starttls: required.";
  const wrong = (text: string): Finding => ({ wrong: true, text });
  const ok = (text: string): Finding => ({ wrong: false, text });
  if (encryption === "none") return [wrong(`It offers no encryption to other servers. ${required}`)];
  const first =
    encryption === "optional"
      ? wrong(`Other servers may come without encryption. ${required}`)
      : ok("Other servers have to encrypt.");
  if (certificate !== undefined)
    return [
      first,
      wrong(`Other servers will not believe its certificate: ${certificate}. With a private authority: --ca.`),
    ];
  const unproved = Object.entries(names).flatMap(([name, by]) =>
    by === "none"
      ? wrong(
          `The certificate is not for ${name}: what the registry says to people of other servers will not be believed.`,
        )
      : by === "unknown"
        ? wrong(
            `The certificate is not for ${name}, and whether there is another cannot be seen: nobody answers for that name. Is the registry running?`,
          )
        : [],
  );
  const both = Object.values(names).includes("own") ? "Its certificates are" : "Its certificate is";
  const last = admits
    ? wrong(
        "Servers without a valid certificate are let in by a call back (dialback), and can speak for a domain that is not theirs. Prosody: s2s_secure_auth = true. ejabberd: take mod_s2s_dialback out of modules.",
      )
    : ok("Other servers have to show a valid certificate.");
  return [first, ...(unproved.length > 0 ? unproved : [ok(`${both} valid for ${domain} and the registry.`)]), last];
}

/** RFC 6120 section 3.2.1. */
async function serverOf(domain: string): Promise<{ host: string; port: number }> {
  const found = await new Resolver({ timeout: dnsMs, tries: 1 })
    .resolveSrv(`_xmpp-server._tcp.${domain}`)
    .catch(() => []);
  const [first] = found.filter(({ name }) => name !== "" && name !== ".").sort((a, b) => a.priority - b.priority);
  return first === undefined ? { host: domain, port: 5269 } : { host: first.name, port: first.port };
}

function addressOf(text: string): { host: string; port: number } {
  const [, plain, bracketed, port] = /^(?:([^\s[\]:]+)|\[([0-9a-f:.]+)\])(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = plain ?? bracketed;
  if (host === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535)
    throw new CheckError(`--server is HOST or HOST:PORT, not "${text}"`);
  return { host, port: Number(port ?? 5269) };
}

function readWords(args: readonly string[]) {
  const options = {
    config: { type: "string" },
    server: { type: "string" },
    ca: { type: "string" },
    help: { type: "boolean" },
  } as const;
  try {
    return parseArgs({ args: [...args], options });
  } catch (error) {
    throw new CheckError(`${describe(error)}\nTry isthmus-registry check --help.`);
  }
}

function readCa(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new CheckError(`--ca: ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown reason"})`);
  }
}
