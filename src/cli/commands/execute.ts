// `isthmus commands|run-command|query`: what nodes can be told to do, telling them, and reports that come back.

import { writeFileSync } from "node:fs";
import type { CommandInfo } from "#client/commands.ts";
import type { FilledIn } from "#client/editing.ts";
import type { QueryItem } from "#client/queries.ts";
import { describeNode, type NodeRef, parseNode, sameNode } from "#contract/node.ts";
import { confirm } from "../ask.ts";
import { type CommandBody, CommandError, type Invocation, type Option, UsageError } from "../command.ts";
import { type Client, clientOptions, withClient } from "../connect.ts";
import { formOptions, throughForm } from "../form-words.ts";
import { createProgress } from "../progress.ts";
import { createReportPrinter } from "../report-text.ts";

const also: Readonly<Record<string, Option>> = {
  also: { type: "string", value: "NODE", multiple: true, help: "On this node too; may be given again." },
};
const yes: Readonly<Record<string, Option>> = {
  yes: { type: "boolean", help: "Do not ask whether it is meant." },
};

export const commandsOf: CommandBody = {
  usage: "NODE...",
  details: "Of several nodes: the commands they have in common.",
  options: clientOptions,
  words: [1, 1000],
  run: call =>
    withClient(call, async client => {
      const nodes = call.words.map(parseNode);
      const list = await client.commands.commands(await client.appliance(call.signal), nodes, call.signal);
      const sorted = list.toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
      for (const one of sorted) call.out.value(one);
      const rows = sorted.map(one => [one.commandId, one.name, verbs[kindOf(one)], one.sortCategory ?? ""]);
      if (rows.length === 0) call.out.note("There is nothing you can tell it to do.");
      else call.out.table(["Command", "What it does", "By", "Group"], rows);
      return 0;
    }),
};

/** Ordinal, as others sort it. */
const orderOf = ({ sortCategory = "", sortKey = "", commandId }: CommandInfo) =>
  `${sortCategory}\u0000${sortKey}\u0000${commandId}`;

type Kind = "simple" | "parameterized" | "query";
const kindOf = ({ type }: CommandInfo): Kind =>
  type === "Query" ? "query" : type === "Simple" ? "simple" : "parameterized";
const verbs: Readonly<Record<Kind, string>> = {
  simple: "run-command",
  parameterized: "run-command --set",
  query: "query",
};

/** What the words say: nodes that have the command, and the command. */
interface Meant {
  readonly appliance: string;
  readonly nodes: readonly [NodeRef, ...NodeRef[]];
  readonly command: CommandInfo;
}

async function meantBy(client: Client, call: Invocation): Promise<Meant> {
  const [node = "", commandId = ""] = call.words;
  const nodes = [parseNode(node), ...call.texts("also").map(parseNode)] as const;
  const appliance = await client.appliance(call.signal);
  const list = await client.commands.commands(appliance, nodes, call.signal);
  const command = list.find(one => one.commandId.toLowerCase() === commandId.toLowerCase());
  if (command === undefined)
    throw new CommandError(
      `${nodes.map(describeNode).join(", ")}: no command ${commandId}; ` +
        `there ${list.length === 0 ? "are none" : `are ${list.map(one => one.commandId).join(", ")}`}.`,
    );
  return { appliance, nodes, command };
}

const meansIt = async ({ confirmation }: CommandInfo, call: Invocation): Promise<void> => {
  if (confirmation === undefined || call.flag("yes") || call.flag("form")) return;
  await confirm(confirmation, "--yes", call);
};

/** Fills in what the command asks for, if it asks for anything; undefined when the form was only to be shown. */
async function withForm<T>(
  client: Client,
  call: Invocation,
  { appliance, nodes, command }: Meant,
  work: (given: FilledIn | undefined) => Promise<T>,
): Promise<T | undefined> {
  if (kindOf(command) === "simple" && !call.flag("form")) return await work(undefined);
  return await throughForm(call, {
    fetch: () => client.commands.commandForm(appliance, nodes, command.commandId, call.signal),
    postBack: given => client.editing.postBack(appliance, given, call.signal),
    submit: work,
  });
}

export const runCommand: CommandBody = {
  usage: "NODE COMMAND [--set NAME=VALUE]...",
  details: "COMMAND is one of `isthmus commands NODE`; --form shows what it asks for.",
  options: { ...clientOptions, ...also, ...formOptions, ...yes },
  words: [2, 2],
  run: call =>
    withClient(call, async client => {
      const meant = await meantBy(client, call);
      const { appliance, nodes, command } = meant;
      if (kindOf(command) === "query")
        throw new UsageError(`${command.commandId} answers with a report: isthmus query`);
      await meansIt(command, call);
      const results = await withForm(client, call, meant, async given => {
        if (nodes.length > 1)
          return await client.commands.executeCommon(appliance, nodes, command.commandId, given, call.signal);
        await client.commands.execute(appliance, nodes[0], command.commandId, given, call.signal);
        return [{ ok: true, error: undefined }];
      });
      if (results === undefined) return 0;
      for (const [at, { ok, error }] of results.entries()) {
        const node = nodes[at] ?? nodes[0];
        call.out.value({ node, command: command.commandId, ok, ...(error === undefined ? {} : { error }) });
        const said = ok ? (command.success ?? `${command.name}: done.`) : (error ?? command.failure ?? "failed");
        call.out.note(`${describeNode(node)}: ${said}`);
      }
      return results.every(({ ok }) => ok) ? 0 : 1;
    }),
};

export const query: CommandBody = {
  usage: "NODE COMMAND [--set NAME=VALUE]... [--save FILE]",
  details: "Tables are printed as they come; Ctrl-C ends the query over there too.",
  options: {
    ...clientOptions,
    ...also,
    ...formOptions,
    ...yes,
    save: { type: "string", value: "FILE", help: "Write what comes as a file there, instead of printing it." },
  },
  words: [2, 2],
  run: call => withClient(call, client => runQuery(client, call)),
};

async function runQuery(client: Client, call: Invocation): Promise<number> {
  const meant = await meantBy(client, call);
  const { appliance, nodes, command } = meant;
  if (kindOf(command) !== "query") throw new UsageError(`${command.commandId} has no report: isthmus run-command`);
  await meansIt(command, call);
  const succeeded = await withForm(client, call, meant, async given =>
    nodes.length === 1
      ? await follow(client.queries.query(appliance, nodes[0], command.commandId, given, call.signal), call)
      : await followAll(
          client.queries.queryCommon(appliance, nodes, command.commandId, given, call.signal),
          nodes,
          call,
        ),
  );
  return succeeded === false ? 1 : 0;
}

type Items = ReturnType<Client["queries"]["query"]>;
type NodeItems = ReturnType<Client["queries"]["queryCommon"]>;

async function follow(items: Items, call: Invocation): Promise<boolean> {
  const save = call.text("save");
  using progress = createProgress(!call.out.json);
  using printer = createReportPrinter(call.out, progress);
  for await (const item of items) {
    if (save !== undefined && item.kind === "newObject") printer.keep(item.content);
    else printer.take(item);
  }
  if (save !== undefined) {
    writeFileSync(save, printer.objects(), { mode: 0o600 });
    call.out.note(`Written to ${save}.`);
  }
  return printer.succeeded;
}

/** The reports of several nodes come mixed: each is printed when it is complete, in the order of the nodes that were named. */
async function followAll(items: NodeItems, nodes: readonly NodeRef[], call: Invocation): Promise<boolean> {
  using progress = createProgress(!call.out.json);
  const reports = nodes.map(node => ({ node, items: [] as QueryItem[], error: "" }));
  const reportOf = (node: NodeRef) => reports.find(one => sameNode(one.node, node)) ?? reports[0];
  for await (const told of items) {
    const report = reportOf(told.node);
    if ("error" in told && report) report.error = told.error || "it did not begin";
    else if ("item" in told) report?.items.push(told.item);
    progress.show(
      `${reports.filter(one => one.error !== "" || isOver(one.items.at(-1)?.kind)).length} of ${nodes.length}`,
    );
  }
  progress.clear();
  let succeeded = true;
  for (const { node, items: all, error } of reports) {
    call.out.value({ node, ...(error === "" ? {} : { error }) });
    call.out.line(`${describeNode(node)}${error === "" ? "" : `: ${error}`}`);
    using printer = createReportPrinter(call.out, progress);
    for (const item of all) printer.take(item);
    call.out.line();
    succeeded &&= error === "" && printer.succeeded;
  }
  return succeeded;
}

const isOver = (kind: string | undefined): boolean => kind === "done" || kind === "aborted";
