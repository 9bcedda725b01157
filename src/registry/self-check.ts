// At start: can others find this component? They look in the items of its domain (PRES-CMP-05); when it is not there,
// everything works and nobody comes, which is hard to see from outside.

import type { Log } from "#base/log.ts";
import type { Connection } from "#xmpp/connection.ts";
import * as disco from "#xmpp/iot/disco.wire.ts";
import { normalJid } from "#xmpp/jid.ts";

/** Tells the log of each local domain that does not list the component, or cannot be asked. Never throws. */
export async function checkListed(
  connection: Connection,
  jid: string,
  localDomains: readonly string[],
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  for (const domain of localDomains) {
    try {
      const query = disco.items.encode({ node: undefined, items: [] }, disco.itemsNs);
      const answer = await connection.request("get", domain, query, { signal });
      const listed = answer === undefined ? [] : disco.items.decode(answer).items.map(item => normalJid(item.jid));
      if (listed.includes(jid)) log.info("listed", { domain });
      else {
        const remedy = `add ${jid} to disco_items of ${domain} in the broker's configuration`;
        log.warning("not-listed", { domain, why: "things of this domain will not find the service", remedy });
      }
    } catch (error) {
      if (signal.aborted) return;
      log.warning("not-checked", { domain, why: error });
    }
  }
}
