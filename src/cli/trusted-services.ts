// The services one has dealt with, by domain, kept beside the identity between commands: as a known host is, the first stays the
// one that is meant, and another in its place is a matter for the person. What is kept is no secret, but worth changing to others.

import { existsSync, readFileSync } from "node:fs";
import * as z from "zod";
import { trustedDomainsMax } from "#limits.ts";
import { isDomainJid } from "#xmpp/jid.ts";
import { CommandError } from "./command.ts";
import { writePrivately } from "./private-file.ts";

/** JIDs. */
export interface Trusted {
  readonly registry?: string | undefined;
  readonly provisioning?: string | undefined;
}

export interface TrustedServices {
  at(domain: string): Trusted;
  /** What is known already stays. Throws what writing a file throws. */
  learn(domain: string, found: Trusted): void;
  /** False when nothing was known of it. */
  forget(domain: string): boolean;
  /** The one learned first comes first. */
  all(): readonly (Trusted & { readonly domain: string })[];
}

const service = z.string().refine(isDomainJid).optional();
const schema = z.record(z.string(), z.strictObject({ registry: service, provisioning: service }));

/** Throws `CommandError` when the file is there and is none. */
export function openTrustedServices(file: string): TrustedServices {
  const known = read(file);
  const write = () => writePrivately(file, `${JSON.stringify(Object.fromEntries(known), undefined, 2)}\n`);
  return {
    at: domain => known.get(domain) ?? {},
    learn(domain, found) {
      const before = known.get(domain) ?? {};
      const registry = before.registry ?? found.registry;
      const provisioning = before.provisioning ?? found.provisioning;
      if (registry === before.registry && provisioning === before.provisioning) return;
      known.set(domain, { registry, provisioning });
      const [oldest = ""] = known.keys();
      if (known.size > trustedDomainsMax) known.delete(oldest);
      write();
    },
    forget(domain) {
      if (!known.delete(domain)) return false;
      write();
      return true;
    },
    all: () => [...known].map(([domain, one]) => ({ domain, ...one })),
  };
}

function read(file: string): Map<string, Trusted> {
  if (!existsSync(file)) return new Map();
  try {
    return new Map(Object.entries(schema.parse(JSON.parse(readFileSync(file, "utf8")))));
  } catch {
    // Not begun anew by itself: that is what somebody who broke it would have wanted.
    throw new CommandError(`${file} is damaged: remove it, and services are learned anew.`);
  }
}

/** For who has no file: what is learned lasts as long as the connection. */
export function createTrustedServices(): TrustedServices {
  const known = new Map<string, Trusted>();
  return {
    at: domain => known.get(domain) ?? {},
    learn: (domain, found) => void known.set(domain, { ...found, ...known.get(domain) }),
    forget: domain => known.delete(domain),
    all: () => [...known].map(([domain, one]) => ({ domain, ...one })),
  };
}
