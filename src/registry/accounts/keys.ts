// API keys that sign registrations of accounts (XEP-0348): whose they are, what they allow, and what makes one refuse
// (ACC-SRV-03, ACC-SRV-04). Pure but for the random secret.

import { randomBytes } from "node:crypto";
import { BlockList, isIP } from "node:net";
import { apiKeyCharsMax, keyAccountsMax, keyNetworksMax, keyPrefixCharsMax, keyRatePerMinuteMax } from "#limits.ts";

/** revoked: makes no account any more. suspended: neither that, and the accounts it made are shut out until it is resumed. */
export type KeyState = "active" | "revoked" | "suspended";

/** What is decided when a key is made. Times in milliseconds since 1970 UTC. */
export interface KeyTerms {
  readonly id: string;
  /** Who answers for it: a JID, a name, an order. */
  readonly owner: string;
  readonly accountsMax: number;
  /** User names must begin with it. */
  readonly prefix: string;
  readonly expiresAt: number | undefined;
  /** CIDR; empty: from anywhere. */
  readonly networks: readonly string[];
  readonly perMinute: number;
  readonly burst: number;
  /** For devices without a clock: a day of grace, and nonces are remembered that long. */
  readonly clockless: boolean;
}

export interface ApiKeyRecord extends KeyTerms {
  readonly state: KeyState;
  readonly createdAt: number;
  /** Accounts made or being made. One that is removed is not given back. */
  readonly used: number;
}

export interface AccountRecord {
  readonly id: number;
  readonly key: string;
  readonly domain: string;
  readonly name: string;
  /** reserved: the broker has not said yet that it made it. */
  readonly state: "reserved" | "made";
  readonly at: number;
  readonly from: string;
}

/** 256 bits, in letters that survive forms, files and labels. */
export const newSecret = (): string => randomBytes(32).toString("base64url");

/** Undefined when all is well, else what is wrong with the term, for whoever makes the key. */
export function faultOf(terms: KeyTerms): string | undefined {
  const { id, owner, accountsMax, prefix, networks, perMinute, burst } = terms;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id) || id.length > apiKeyCharsMax)
    return `a key is called by letters, digits, . _ - (up to ${apiKeyCharsMax}), not "${id}"`;
  if (owner.trim() === "") return "say whose the key is (--owner): a JID, a name, an order";
  if (!isCount(accountsMax, keyAccountsMax)) return `--accounts is a number from 1 to ${keyAccountsMax}`;
  if (!/^[a-z0-9-]+$/.test(prefix) || prefix.length > keyPrefixCharsMax)
    return `--prefix is made of a-z, 0-9 and - (up to ${keyPrefixCharsMax})`;
  if (networks.length > keyNetworksMax) return `a key is for up to ${keyNetworksMax} networks`;
  const wrong = networks.find(one => blockOf(one) === undefined);
  if (wrong !== undefined) return `--network is an address range such as 192.0.2.0/24 or 2001:db8::/32, not "${wrong}"`;
  if (!isCount(perMinute, keyRatePerMinuteMax)) return `--rate is a number a minute, from 1 to ${keyRatePerMinuteMax}`;
  return isCount(burst, keyAccountsMax) ? undefined : `--burst is a number from 1 to ${keyAccountsMax}`;
}

const isCount = (value: number, max: number): boolean => Number.isInteger(value) && value >= 1 && value <= max;

function blockOf(cidr: string): BlockList | undefined {
  const [address = "", bits = "", ...more] = cidr.split("/");
  const family = isIP(address);
  if (family === 0 || more.length > 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) {
    return undefined;
  }
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family === 4 ? "ipv4" : "ipv6");
  return list;
}

/** Whether the address, as the broker saw it, lies in one of the ranges; no range is every address. */
export function isWithin(networks: readonly string[], address: string): boolean {
  if (networks.length === 0) return true;
  // One socket for both families tells IPv4 this way.
  const plain = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
  const family = isIP(plain);
  if (family === 0) return false;
  return networks.some(one => blockOf(one)?.check(plain, family === 4 ? "ipv4" : "ipv6") ?? false);
}
