// The appliance's files, all in its data folder: configuration and ownership, history, and the account's secret.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { type BootSettings, ConfigError } from "#config.ts";
import { backupsMax, clockEarliestMs } from "#limits.ts";
import { backUp, thinOut } from "#store/backup.ts";
import { createContactStore } from "#store/contacts.ts";
import { type Database, openDatabase } from "#store/database.ts";
import { createDecisionStore } from "#store/decisions.ts";
import { createDriverMemory, forgetDrivers } from "#store/driver-memory.ts";
import { lockFolder } from "#store/folder-lock.ts";
import { createGrantStore } from "#store/grants.ts";
import { openHistory } from "#store/history.ts";
import { edgeMigrations } from "#store/migrations.ts";
import { createNodeStore } from "#store/nodes.ts";
import { createOutboxStore, openOutboxDatabase } from "#store/outbox.ts";
import { createOwnershipStore } from "#store/ownership.ts";
import { createPartingStore } from "#store/partings.ts";
import { createPublicationStore } from "#store/publications.ts";
import { createAccountFile } from "./account-file.ts";
import { backupPattern } from "./appliance-commands.ts";
import { createLastSessions } from "./last-sessions.ts";
import { createResetMark } from "./reset-mark.ts";

/** Made before an upgrade of the schema; and a history that was set aside. */
const oldCopyPattern = /^(edge\.db\.schema-\d+|history\.db\.damaged-.*)$/;

export function openStores(settings: BootSettings, clock: Clock, log: Log) {
  const { dataFolder } = settings;
  makeFolder(dataFolder);
  using opened = new DisposableStack();
  opened.use(lockFolder(dataFolder));
  const database = openDatabase(join(dataFolder, "edge.db"), edgeMigrations, log);
  opened.defer(() => database.close());
  const waiting = openOutboxDatabase(join(dataFolder, "outbox.db"), log);
  opened.defer(() => waiting.close());
  const file = createAccountFile(settings);
  const resetMark = createResetMark(dataFolder);
  const credentials = {
    ...file,
    /**
     * With the account goes what it was worth something for: who owned what, and who might do what; and whom its list of contacts
     * was to be rid of. The rest of what people left goes as with a reset, which is noted first: a power cut loses nothing of it.
     */
    retire() {
      resetMark.begin("keep");
      file.retire();
      wipe(
        database,
        ["things", "services", "decisions", "grants", "publications", "blocked", "pairings", "farewells"],
        "UPDATE decision_epoch SET service = '', account = ''",
      );
      wipe(waiting, ["outbox"]);
    },
  };
  const history = opened.use(
    openHistory(join(dataFolder, "history.db"), {
      clock,
      log,
      keepMs: settings.historyDays * 86_400_000,
      clockTrusted: () => clock.now() >= clockEarliestMs,
    }),
  );
  const files = opened.move();
  return {
    history,
    nodes: createNodeStore(database),
    ownership: createOwnershipStore(database),
    decisions: createDecisionStore(database),
    grants: createGrantStore(database),
    contacts: createContactStore(database),
    partings: createPartingStore(database),
    publications: createPublicationStore(database),
    driverMemory: createDriverMemory(database, clock, log),
    forgetDrivers: () => forgetDrivers(database),
    resetMark,
    sessions: createLastSessions(dataFolder),
    outbox: createOutboxStore(waiting),
    credentials,
    backups: join(dataFolder, "backups"),
    /** Copies of the configuration as it was, besides: made before an upgrade. */
    copies: [
      { folder: join(dataFolder, "backups"), pattern: backupPattern },
      { folder: dataFolder, pattern: oldCopyPattern },
    ],
    /** What was deleted is not left in the files either. History is too large for that. */
    scrub() {
      for (const one of [database, waiting]) {
        one.exec("VACUUM");
        one.pragma("wal_checkpoint(TRUNCATE)");
      }
    },
    /** A copy of the configuration in `backups`: rights that were learned are left out, being the service's to say again. */
    async backUp(file: string): Promise<number> {
      const folder = join(dataFolder, "backups");
      makeFolder(folder);
      const octets = await backUp(database, file, ["decisions", "pairings", "partings", "farewells"]);
      thinOut(folder, backupPattern, backupsMax);
      return octets;
    },
    [Symbol.dispose]: () => files.dispose(),
  };
}
export type Stores = ReturnType<typeof openStores>;

/** Nothing of it is left in free pages of the file either. */
function wipe(database: Database, tables: readonly string[], besides?: string): void {
  database.pragma("secure_delete = ON");
  database.transaction(() => {
    for (const table of tables) database.prepare(`DELETE FROM ${table}`).run();
    if (besides !== undefined) database.exec(besides);
  })();
  database.pragma("wal_checkpoint(TRUNCATE)");
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new ConfigError(`dataFolder: ${folder} cannot be made (${(error as NodeJS.ErrnoException).code})`);
  }
}
