// Finding registry and provisioning service of the own domain, and finding them again: at each log-in, soon while one is
// missing, and once a day otherwise (ACC-FIND-03).

import type { Clock } from "#base/clock.ts";
import { backoff } from "#base/delays.ts";
import type { Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import { servicesAgainMs, servicesFirstMs, servicesMsMax } from "#limits.ts";
import type { Connection } from "#xmpp/connection.ts";
import { type Choice, discover, type Services } from "#xmpp/disco.ts";

export interface ServiceSearch {
  /** Works until aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** A new stream was bound: look now. */
  look(): void;
}

/** `choice`: the services that were named, and those that stay the ones that are meant as long as they are there. */
export function createServiceSearch(
  connection: Connection,
  domain: string,
  found: (services: Services) => void,
  choice: () => Choice,
  clock: Clock,
  log: Log,
): ServiceSearch {
  let again = () => {};
  return {
    look: () => again(),
    async run(signal) {
      let delays = backoff(servicesFirstMs, servicesMsMax);
      while (!signal.aborted) {
        using pause = createScope(signal);
        again = () => {
          delays = backoff(servicesFirstMs, servicesMsMax);
          pause.abort();
        };
        const complete = connection.online && (await lookOnce(signal));
        const wait = complete ? servicesAgainMs : delays.next().value;
        await clock.sleep(wait ?? servicesMsMax, pause.signal).catch(() => {});
      }
    },
  };

  async function lookOnce(signal: AbortSignal): Promise<boolean> {
    try {
      const services = await discover(connection, domain, log, signal, choice());
      found(services);
      return services.registry !== undefined && services.provisioning !== undefined;
    } catch (error) {
      if (!signal.aborted) log.warning("services-not-found", { domain, error });
      return false;
    }
  }
}
