// Which other domains may do what here (FED-03). Owners, searchers and readers may live anywhere; an operator who does not want
// that names domains, and what is not named follows one setting.

import { domainOf } from "#xmpp/jid.ts";

/**
 * allow: as everybody · limited: what was agreed stands, and nothing new begins: no claims, no searches, no questions to
 * owners · deny: nothing is heard, nothing is said, and no caller from there is let in.
 */
export type Standing = "allow" | "limited" | "deny";

export interface DomainPolicyOptions {
  readonly allowed: readonly string[];
  readonly limited: readonly string[];
  readonly denied: readonly string[];
  /** Of domains that are named nowhere. */
  readonly others: Standing;
}

export const everybody: DomainPolicyOptions = { allowed: [], limited: [], denied: [], others: "allow" };

export interface DomainPolicy {
  /** Of the domain of any JID. */
  standing(jid: string): Standing;
}

/** A domain that is named stands for those below it too, for whoever has it makes them; the longest name counts. */
export function createDomainPolicy(options: DomainPolicyOptions, localDomains: readonly string[]): DomainPolicy {
  const named = new Map<string, Standing>();
  for (const one of options.allowed) named.set(one, "allow");
  for (const one of options.limited) named.set(one, "limited");
  for (const one of options.denied) named.set(one, "deny");
  // Things and owners of our own broker are never strangers, whatever is said of others.
  for (const one of localDomains) named.set(one, "allow");
  return {
    standing(jid) {
      for (let domain = domainOf(jid); domain !== ""; domain = domain.slice(domain.indexOf(".") + 1)) {
        const found = named.get(domain);
        if (found !== undefined) return found;
        if (!domain.includes(".")) break;
      }
      return options.others;
    },
  };
}

/** Said twice, or of a domain whose things are served here: one sentence a fault. */
export function policyFaults(options: DomainPolicyOptions, localDomains: readonly string[]): string[] {
  const lists = { allowedDomains: options.allowed, limitedDomains: options.limited, deniedDomains: options.denied };
  const said = new Map<string, string>();
  const faults: string[] = [];
  for (const [list, domains] of Object.entries(lists))
    for (const one of domains) {
      const before = said.get(one);
      if (before !== undefined) faults.push(`${list}: ${one} is in ${before} too`);
      else if (list !== "allowedDomains" && localDomains.includes(one))
        faults.push(`${list}: ${one} is one of localDomains, whose things are served here`);
      said.set(one, list);
    }
  return faults;
}
