// What the appliance itself can be told to do, as commands of its node: keep a copy of its configuration, start again, give its
// site away as text and take one in. Who may is decided as for any command: it is its owner's (COM-AUTH-03).

import { join } from "node:path";
import * as z from "zod";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { TreeNode } from "#concentrator/forest.ts";
import type { Tree } from "#concentrator/tree.ts";
import { type Command, parameterized, query, simple } from "#contract/command.ts";
import { Refusal } from "#contract/faults.ts";
import { applianceSource, meteringTopology } from "#contract/node.ts";
import { integerCell, textCell } from "#contract/report.ts";
import { objectPartBytesMax, siteCharsMax } from "#limits.ts";
import { importSite } from "./site-import.ts";
import { readSiteText, type TextFault, writeSite } from "./site-text.ts";

const words = {
  appliance: "Appliance",
  site: "Site",
  backup: "Back up the configuration",
  copying: "Copying.",
  copied: "Backup",
  file: "File on the appliance",
  size: "Octets",
  left: "Rights that were learned from the provisioning service are not in it: they are asked for again.",
  restart: "Restart the appliance's program",
  restartConfirm: "Readouts that are under way are cut off, and nobody is answered for some seconds. Continue?",
  restarted: "The program is stopping and is started again.",
  restartFailed: "The program could not be stopped.",
  noRestart: "This program was started by nobody who would start it again: stop and start it by hand.",
  exportSite: "Export the site as text",
  exported: "Site",
  nodes: "Nodes",
  secrets: "Left out, being secret, to be entered again",
  importSite: "Import a site from text",
  imported: "The site was imported.",
  importFailed: "Nothing was imported.",
  text: "Site (YAML)",
  textHelp: "What is not there yet is created, all of it or nothing; what is there stays as it is.",
};

export interface ApplianceDeps {
  readonly tree: Pick<Tree, "sources" | "import" | "edit">;
  /** Where backups lie. */
  readonly folder: string;
  /** Writes a copy of the configuration; resolves with its octets. */
  readonly backUp: (file: string) => Promise<number>;
  /** Stops in order, so that whoever watches over the program starts it again; undefined when nobody does. */
  readonly restart: (() => void) | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** The commands of a node: none but for the appliance's own. */
export function createApplianceCommands(deps: ApplianceDeps): (node: TreeNode) => readonly Command[] {
  const commands: readonly Command[] = [
    backupCommand(deps),
    restartCommand(deps),
    exportCommand(deps),
    importCommand(deps),
  ];
  return node => (node.ref.sourceId === applianceSource && node.type?.inherits.includes("Appliance") ? commands : []);
}

const backupCommand = ({ folder, backUp, clock, log }: ApplianceDeps): Command =>
  query({
    id: "Backup",
    title: words.backup,
    sort: { category: words.appliance, key: "1" },
    async query(report) {
      await report.title(words.backup);
      await report.status(words.copying);
      const file = join(folder, backupName(clock.now()));
      const octets = await backUp(file);
      log.notice("backed-up", { file, octets });
      const table = await report.table(words.copied, [
        { columnId: "file", header: words.file },
        { columnId: "size", header: words.size, alignment: "Right" },
      ]);
      await table.row(textCell(file), integerCell(octets));
      await table.done();
      await report.message(words.left);
    },
  });

/** Sorts by age. */
const backupName = (now: number): string => `edge-${new Date(now).toISOString().replace(/[:.]/g, "-")}.db`;
export const backupPattern = /^edge-\d{4}-.*\.db$/;

const restartCommand = ({ restart, clock, log, signal }: ApplianceDeps): Command =>
  simple({
    id: "Restart",
    title: words.restart,
    sort: { category: words.appliance, key: "2" },
    confirmation: words.restartConfirm,
    success: words.restarted,
    failure: words.restartFailed,
    async execute() {
      if (restart === undefined) throw new Refusal("not-allowed", words.noRestart);
      log.notice("restart-asked-for");
      // Not before the answer has left.
      clock.sleep(restartAfterMs, signal).then(restart, () => {});
    },
  });

const restartAfterMs = 1_000;

const exportCommand = ({ tree }: ApplianceDeps): Command =>
  query({
    id: "ExportSite",
    title: words.exportSite,
    sort: { category: words.site, key: "1" },
    async query(report) {
      const { text, nodes, secrets } = writeSite(tree, meteringTopology);
      await report.title(words.exportSite);
      const table = await report.table(words.exported, [
        { columnId: "nodes", header: words.nodes, alignment: "Right" },
      ]);
      await table.row(integerCell(nodes));
      await table.done();
      // The parts put together are the text: a long one is more than a message carries.
      for (const part of partsOf(new TextEncoder().encode(text))) await report.object("text/yaml", part);
      if (secrets.length > 0) await report.message(`${words.secrets}: ${secrets.join(", ")}`, "Warning");
    },
  });

/** Cut between characters: each part is text by itself too. */
function* partsOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let from = 0; from < bytes.length; ) {
    let to = Math.min(bytes.length, from + objectPartBytesMax);
    while (to < bytes.length && ((bytes[to] as number) & 0xc0) === 0x80) to--;
    yield bytes.subarray(from, to);
    from = to;
  }
}

const importSettings = z.object({
  site: z
    .string()
    .min(1)
    .max(siteCharsMax)
    .meta({ title: words.text, description: words.textHelp, page: words.site, lines: true }),
});

const importCommand = ({ tree, log }: ApplianceDeps): Command =>
  parameterized({
    id: "ImportSite",
    title: words.importSite,
    sort: { category: words.site, key: "2" },
    success: words.imported,
    failure: words.importFailed,
    settings: importSettings,
    async execute({ site }) {
      const read = readSiteText(site);
      if ("faults" in read) throw rejected(read.faults);
      try {
        const { created, present } = importSite(tree, read.site);
        log.notice("site-imported", { created: created.length, present: present.length });
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        // The refusal names the node by its path.
        const nodeId = error.message.split(":")[0]?.split("/").at(-1)?.trim() ?? "";
        throw rejected([{ line: read.lineOf(nodeId), message: error.message }]);
      }
    },
  });

const rejected = (faults: readonly TextFault[]): Refusal => {
  const message = faults.map(fault => `Line ${fault.line}: ${fault.message}`).join("\n");
  return new Refusal("not-acceptable", message, [{ name: "site", message }]);
};
