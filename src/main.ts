// The appliance: opens its files, loads its nodes, goes on the network, and keeps all of it going until it is told to stop.
// An appliance without a network, or without its devices, is still an appliance: nothing here waits for either.

import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import { backoff } from "#base/delays.ts";
import { type Log, type LogEvent, teeLog } from "#base/log.ts";
import { createQuietLog } from "#base/quiet-log.ts";
import { supervise, type Task } from "#base/supervise.ts";
import { createTree, type Tree } from "#concentrator/tree.ts";
import { type BootSettings, ConfigError, readSite } from "#config.ts";
import { Refusal } from "#contract/faults.ts";
import { applianceSource, meteringTopology, type NodeRef } from "#contract/node.ts";
import { createDrivers } from "#drivers/all.ts";
import { announceMs, restartFirstMs, restartMsMax, shutdownMs, taskHealthyMs } from "#limits.ts";
import { serveStatus } from "#link/status-socket.ts";
import { createNetwork } from "./edge/network.ts";
import { readProfiles, showProfileFaults } from "./edge/profiles.ts";
import { importSite } from "./edge/site-import.ts";
import { describeStatus, type EdgeStatus } from "./edge/status.ts";
import { openStores } from "./edge/stores.ts";
import { followTree } from "./edge/things.ts";

/** Lines are put below it; the name a person reads can be changed, as that of any node. */
const siteRef: NodeRef = { nodeId: "site", sourceId: meteringTopology, partition: "" };

export interface EdgeOptions {
  readonly settings: BootSettings;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Told once, when all things are registered or a while has passed: the technician's table and codes. */
  readonly announce?: (status: EdgeStatus) => void;
  /** Aborts `signal` so that whoever started the program starts it again; undefined when nobody would. */
  readonly restart?: () => void;
}

/** Resolves after an orderly stop. Throws `ConfigError` and `DatabaseFault` before anything runs. */
export async function runEdge({ settings, clock, signal, announce, restart, ...options }: EdgeOptions): Promise<void> {
  // What is written is also what may be sent: folded already, and in the same words.
  let send: (line: LogEvent) => void = () => {};
  const quiet = createQuietLog(
    teeLog(options.log, line => send(line)),
    clock,
  );
  const { log } = quiet;
  // A time said without a zone is meant in the configured one, whoever says it (COM-LEX-02).
  process.env.TZ = settings.timeZone;
  const startedAt = clock.monotonic();
  using stores = openStores(settings, clock, log);
  const own = readProfiles(settings, log);
  const tree = createTree({
    drivers: createDrivers(own.profiles),
    nodes: stores.nodes,
    statuses: stores.history.statuses,
    readings: stores.history.readings,
    clock,
    log,
    timeZone: settings.timeZone,
    memoryOf: stores.driverMemory,
    roots: [{ ref: siteRef, displayName: settings.name }],
  });
  tree.import(applianceSource, [{ type: "board.appliance", id: "board", name: "This appliance" }]);
  showProfileFaults(tree, own);
  if (settings.siteFile !== undefined) takeSiteFile(tree, settings.siteFile);

  const network = createNetwork({ settings, stores, tree, clock, log, signal, restart });
  if ((await network.reset.resume()) && settings.siteFile !== undefined) takeSiteFile(tree, settings.siteFile);
  send = network.events.take;
  const status = () =>
    describeStatus({
      ...network,
      name: settings.name,
      room: settings.room,
      language: settings.language,
      tree,
      upSeconds: () => Math.floor((clock.monotonic() - startedAt) / 1000),
    });
  const socket: Task = inner => serveStatus(join(settings.dataFolder, "status.sock"), status, inner);

  const keep = (task: Task) =>
    supervise(
      task,
      {
        delays: () => backoff(restartFirstMs, restartMsMax),
        healthyMs: taskHealthyMs,
        clock,
        failed: (error, nextMs) => log.error("task-failed", { error, nextMs }),
      },
      signal,
    );
  const tasks = [
    quiet.run,
    tree.run,
    stores.history.run,
    followTree(tree, network, clock),
    socket,
    ...network.tasks,
  ].map(keep);
  log.notice("ready", { nodes: tree.sources.values().reduce((sum, { nodes }) => sum + nodes.size, 0) });
  if (announce)
    void announceOnce(
      () => network.discovery.told,
      () => announce(status()),
      clock,
      signal,
    );

  await new Promise<void>(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  // Whatever does not end in time is left behind: the files are closed, and what was committed is on the disk.
  await within(clock, shutdownMs, "shutdown", new AbortController().signal, () => Promise.all(tasks)).catch(error =>
    log.warning("stopped-hard", { error }),
  );
}

function takeSiteFile(tree: Tree, file: string): void {
  try {
    importSite(tree, readSite(file));
  } catch (error) {
    if (error instanceof Refusal) throw new ConfigError(`${file} is not right: ${error.message}`);
    throw error;
  }
}

async function announceOnce(
  told: () => boolean,
  announce: () => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const until = clock.monotonic() + announceMs;
  while (!signal.aborted && clock.monotonic() < until && !told()) await clock.sleep(250, signal).catch(() => {});
  if (!signal.aborted) announce();
}
