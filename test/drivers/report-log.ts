// A report that only remembers what was written, for commands of drivers without a concentrator around them.

import type { Command } from "#contract/command.ts";
import type { Device } from "#contract/driver.ts";
import type { Cell, Report } from "#contract/report.ts";

export interface ReportLog extends Report {
  readonly statuses: string[];
  readonly messages: string[];
  /** Rows of all tables, a cell as its value, void as undefined. */
  readonly rows: unknown[][];
  /** Each with its content type. */
  readonly objects: (readonly [contentType: string, text: string])[];
}

export function reportLog(): ReportLog {
  const statuses: string[] = [];
  const messages: string[] = [];
  const rows: unknown[][] = [];
  const objects: [string, string][] = [];
  return {
    objects,
    statuses,
    messages,
    rows,
    async title() {},
    async status(text) {
      statuses.push(text);
    },
    async beginSection() {},
    async endSection() {},
    async table(_title, columns) {
      return {
        async row(...cells: readonly Cell[]) {
          if (cells.length > columns.length) throw new Error("more cells than columns");
          rows.push(cells.map(cell => ("value" in cell ? cell.value : undefined)));
        },
        async done() {},
      };
    },
    async object(contentType, content) {
      objects.push([contentType, new TextDecoder().decode(content)]);
    },
    async message(text) {
      messages.push(text);
    },
  };
}

export function commandOf(device: Device, id: string): Command {
  const found = device.commands?.find(one => one.id === id);
  if (found === undefined) throw new Error(`no command ${id}`);
  return found;
}

/** Runs a query with the settings given, checked as the concentrator checks them. */
export async function ask(
  device: Device,
  id: string,
  given: Record<string, unknown> = {},
  signal: AbortSignal = new AbortController().signal,
  report: ReportLog = reportLog(),
): Promise<ReportLog> {
  const command = commandOf(device, id);
  if (command.kind !== "query") throw new Error(`${id} is no query`);
  await command.query(command.settings?.parse(given) ?? {}, report, signal);
  return report;
}
