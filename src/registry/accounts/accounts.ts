// Accounts by API key, put together: its file, its seal and its routes lie beside the registry's database.

import { dirname, join } from "node:path";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Route } from "#xmpp/router.ts";
import { createAccountCheck } from "./check.ts";
import { accountRoutes } from "./routes.ts";
import { openSeal, type Seal } from "./seal.ts";
import { openAccountStore } from "./store.ts";

/** The database, and the key that seals the secrets in it; to be kept apart in backups. */
export const accountFiles = (database: string): { readonly store: string; readonly seal: string } => ({
  store: join(dirname(database), "accounts.db"),
  seal: join(dirname(database), "accounts.key"),
});

export interface AccountDeps {
  /** Path of the registry's database. */
  readonly database: string;
  readonly localDomains: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

/** Throws `DatabaseFault`. */
export function openAccounts({ database, localDomains, clock, log }: AccountDeps): Disposable & { routes: Route[] } {
  const files = accountFiles(database);
  const store = openAccountStore(files.store, log);
  let kept: Seal | undefined;
  const seal = () => {
    kept ??= openSeal(files.seal, false);
    return kept;
  };
  const domains = new Set(localDomains);
  const check = createAccountCheck({ store, seal, clock, log });
  return {
    routes: accountRoutes({ store, check, isLocal: domain => domains.has(domain), log }),
    [Symbol.dispose]: () => store[Symbol.dispose](),
  };
}
