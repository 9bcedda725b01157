// Brokers that announce themselves in the local network, by multicast DNS (RFC 6762): asked only when a person says so. Anybody in
// the house may answer anything; what is found counts for nothing until its certificate is verified and a person agreed.

import { createSocket } from "node:dgram";
import type { Clock } from "#base/clock.ts";
import { localBrokersAgainMs, localBrokersMax, localBrokersMs } from "#limits.ts";
import { isDomainJid } from "#xmpp/jid.ts";
import { type DnsRecord, decodeAnswer, encodePointerQuestion } from "./dns-message.ts";

const service = "_xmpp-client._tcp.local";

export interface LocalBroker {
  /** As it says of itself. */
  readonly domain: string;
  /** Address or name of the machine. */
  readonly host: string;
  readonly port: number;
}

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** `place`: whom to ask; all of the local network unless said. Rejects when there is no network to ask. */
export async function findLocalBrokers(
  clock: Clock,
  signal: AbortSignal,
  place: Place = { address: "224.0.0.251", port: 5353 },
): Promise<readonly LocalBroker[]> {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  const records = new Map<string, DnsRecord>();
  socket.on("message", message => {
    for (const one of decodeAnswer(message) ?? []) {
      if (records.size < localBrokersMax * 8) records.set(JSON.stringify(one), one);
    }
  });
  const failed = new Promise<never>((_, reject) => socket.on("error", reject));
  failed.catch(() => {});
  const question = encodePointerQuestion(service);
  const asking = async () => {
    const until = clock.monotonic() + localBrokersMs;
    while (clock.monotonic() < until) {
      await new Promise<void>((resolve, reject) =>
        socket.send(question, place.port, place.address, error => (error ? reject(error) : resolve())),
      );
      await clock.sleep(localBrokersAgainMs, signal);
    }
  };
  try {
    await Promise.race([asking(), failed]);
  } finally {
    socket.close();
  }
  return brokersIn([...records.values()]).slice(0, localBrokersMax);
}

/** Names of accounts that are announced too are not used: those of a registry could be anybody's (ACC-FIND-03). */
export function brokersIn(records: readonly DnsRecord[]): LocalBroker[] {
  const found = new Map<string, LocalBroker>();
  for (const pointer of records) {
    if (pointer.type !== "ptr" || pointer.name !== service) continue;
    const of = records.filter(({ name }) => name === pointer.target);
    const server = of.find(one => one.type === "srv");
    if (server === undefined) continue;
    const address = records.find(one => one.type === "address" && one.name === server.target);
    const texts = of.flatMap(one => (one.type === "txt" ? one.texts : []));
    const said = texts.map(one => /^(?:ordom|domain)=(.+)$/i.exec(one)?.[1]).find(one => one !== undefined);
    const domain = (said ?? server.target).toLowerCase().replace(/\.$/, "");
    // No authority gives certificates for these names, so nothing could prove them.
    if (!isDomainJid(domain) || domain.endsWith(".local") || server.port === 0) continue;
    const host = address?.type === "address" ? address.address : server.target;
    found.set(`${domain} ${host} ${server.port}`, { domain, host, port: server.port });
  }
  return [...found.values()].sort((a, b) => a.domain.localeCompare(b.domain, "en"));
}
