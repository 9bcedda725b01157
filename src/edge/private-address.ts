// Addresses that lead into somebody's house instead of the public Internet (RFC 6890 and its registries).

import { BlockList, isIPv6 } from "node:net";

const private4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
];
const private6: readonly (readonly [string, number])[] = [
  ["::", 128],
  ["::1", 128],
  ["64:ff9b:1::", 48],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
];

const list = new BlockList();
for (const [address, bits] of private4) list.addSubnet(address, bits, "ipv4");
for (const [address, bits] of private6) list.addSubnet(address, bits, "ipv6");

/** Also for an IPv4 address written as an IPv6 one. */
export const isPrivateAddress = (address: string): boolean => list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
