// `isthmus doctor`: how the field lines of an appliance are doing and what is likely wrong with them, for somebody on a ladder.
// Each line examines itself; this asks them all at once and shows one after the other.

import type { NodeInfo } from "#client/nodes.ts";
import type { QueryItem } from "#client/queries.ts";
import type { Submission } from "#contract/filled-form.ts";
import { describeNode, type NodeRef, nodeKey, parseNode } from "#contract/node.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { type CommandBody, CommandError, type Invocation, UsageError } from "../command.ts";
import { type Client, clientOptions, withClient } from "../connect.ts";
import { createProgress, type Progress } from "../progress.ts";
import { createReportPrinter } from "../report-text.ts";
import { openTraceFile } from "../trace-file.ts";

const commandId = "Doctor";
const secondsMax = 3_600;

export const doctor: CommandBody = {
  usage: "[--line NODE] [--seconds N] [--watch-only] [--trace FILE]",
  details:
    "Watches the lines while everything goes on as usual, and asks their units in between; nothing is written to any device. " +
    "The exit code is 1 when something is wrong.",
  options: {
    ...clientOptions,
    line: { type: "string", value: "NODE", help: "Only this line; all of them unless said." },
    seconds: { type: "string", value: "N", help: "How long; 20 unless said." },
    "watch-only": { type: "boolean", help: "Ask the units nothing, only watch what goes on anyway." },
    trace: { type: "string", value: "FILE", help: "Write what is said on the line meanwhile to this file." },
  },
  words: [0, 0],
  run: call => {
    const seconds = Number(call.text("seconds") ?? "20");
    if (!(Number.isInteger(seconds) && seconds >= 1 && seconds <= secondsMax))
      throw new UsageError(`--seconds is a whole number from 1 to ${secondsMax}`);
    return withClient(call, client => examine(client, call, seconds));
  },
};

interface Patient {
  readonly ref: NodeRef;
  readonly name: string;
}

async function examine(client: Client, call: Invocation, seconds: number): Promise<number> {
  const appliance = await client.appliance(call.signal);
  const patients = await patientsOf(client, appliance, call);
  const path = call.text("trace");
  if (path !== undefined && patients.length > 1)
    throw new UsageError(`--trace is of one line: say --line, one of ${patients.map(nameOf).join(", ")}`);
  const given = formOf(seconds, !call.flag("watch-only"));
  using progress = createProgress(!call.out.json);
  const tracing = startTrace(client, appliance, patients[0], path, call);
  try {
    const well = await examineAll(client, appliance, patients, given, progress, call);
    return well ? 0 : 1;
  } finally {
    progress.clear();
    await tracing.end();
  }
}

const nameOf = ({ ref }: Patient): string => describeNode(ref);

const formOf = (seconds: number, ask: boolean): Submission => ({
  fields: [
    { name: "seconds", values: [`${seconds}`] },
    { name: "ask", values: [`${ask}`] },
  ],
});

/** The lines that can examine themselves: the one that was named, or all that one may tell what to do. */
async function patientsOf(client: Client, appliance: string, call: Invocation): Promise<readonly Patient[]> {
  const { signal } = call;
  const only = call.text("line");
  if (only !== undefined) {
    const ref = parseNode(only);
    const node = await client.things.node(appliance, ref, signal);
    if (!(await isPatient(client, appliance, node, signal)))
      throw new CommandError(`${only} is no line that could be examined.`);
    return [{ ref: node.ref, name: node.displayName ?? "" }];
  }
  const sources = await client.things.sources(appliance, signal);
  const lists = await Promise.all(sources.map(({ sourceId }) => topNodes(client, appliance, sourceId, signal)));
  const found: Patient[] = [];
  for (const node of lists.flat()) {
    if (await isPatient(client, appliance, node, signal)) found.push({ ref: node.ref, name: node.displayName ?? "" });
  }
  if (found.length === 0) throw new CommandError("There is no M-Bus or Modbus line here that you could examine.");
  return found;
}

/** Lines hang below the node at the top of their source. */
async function topNodes(client: Client, appliance: string, sourceId: string, signal: AbortSignal) {
  const nodes = await client.things.allNodes(appliance, sourceId, signal);
  const byKey = new Map(nodes.map(node => [nodeKey(node.ref), node]));
  const depth = (node: NodeInfo): number => {
    const above = node.parent && byKey.get(nodeKey({ sourceId, ...node.parent }));
    return above === undefined || above === node ? 0 : 1 + (above.parent === undefined ? 0 : 1);
  };
  return nodes.filter(node => node.hasCommands && depth(node) <= 1);
}

async function isPatient(client: Client, appliance: string, node: NodeInfo, signal: AbortSignal): Promise<boolean> {
  if (!node.hasCommands) return false;
  try {
    const commands = await client.commands.commands(appliance, [node.ref], signal);
    return commands.some(one => one.commandId === commandId);
  } catch (error) {
    // Who may see a line need not be one who may tell it what to do.
    if (error instanceof StanzaError) return false;
    throw error;
  }
}

/** All at once, told one after the other; with --json as it comes, each item with its line. */
async function examineAll(
  client: Client,
  appliance: string,
  patients: readonly Patient[],
  given: Submission,
  progress: Progress,
  call: Invocation,
): Promise<boolean> {
  const reports = patients.map(({ ref }) =>
    collect(client.queries.query(appliance, ref, commandId, given, call.signal), progress),
  );
  for (const report of reports) report.catch(() => {});
  let well = true;
  for (const [at, { ref, name }] of patients.entries()) {
    const items = await (reports[at] as Promise<readonly QueryItem[]>);
    progress.clear();
    call.out.value({ line: ref });
    if (at > 0) call.out.line();
    call.out.line(`${describeNode(ref)}${name === "" || name === ref.nodeId ? "" : `  ${name}`}`);
    using printer = createReportPrinter(call.out, progress);
    for (const item of items) printer.take(item);
    well &&= printer.succeeded && !items.some(isComplaint);
  }
  return well;
}

const isComplaint = (item: QueryItem): boolean => item.kind === "message" && item.type !== "Information";

async function collect(items: AsyncIterable<QueryItem>, progress: Progress): Promise<readonly QueryItem[]> {
  const all: QueryItem[] = [];
  for await (const item of items) {
    if (item.kind === "status") progress.show(item.text);
    else all.push(item);
  }
  return all;
}

/** Listens to the line until ended; who may not listen is told, and is examined all the same. */
function startTrace(
  client: Client,
  appliance: string,
  patient: Patient | undefined,
  path: string | undefined,
  call: Invocation,
) {
  if (path === undefined || patient === undefined) return { end: async () => {} };
  const file = openTraceFile(path, describeNode(patient.ref));
  const stop = new AbortController();
  const signal = AbortSignal.any([call.signal, stop.signal]);
  const listening = (async () => {
    try {
      for await (const item of client.sniffers.sniff(appliance, patient.ref, undefined, signal)) file.take(item);
    } catch (error) {
      if (!signal.aborted) return (error as Error).message;
    }
    return undefined;
  })();
  return {
    async end() {
      stop.abort();
      const refused = await listening;
      file[Symbol.dispose]();
      call.out.line();
      if (refused !== undefined) call.out.note(`No trace: ${refused}`);
      else call.out.note(`${file.items} frames and remarks are written to ${path}.`);
    },
  };
}
