// The things of an appliance as its labels need them, asked of it over the network; and new codes for them. What may be seen is
// the appliance's to say: codes are for its owner and for installers.

import { homedir } from "node:os";
import { join } from "node:path";
import type { Submission } from "#contract/filled-form.ts";
import { type NodeRef, parseNode } from "#contract/node.ts";
import type { Cell } from "#contract/report.ts";
import type { LabelThing } from "#labels/face.ts";
import { labelsAskedMax } from "#limits.ts";
import { bareJid } from "#xmpp/jid.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { CommandError, type Invocation } from "../command.ts";
import type { Client } from "../connect.ts";
import type { Progress } from "../progress.ts";
import type { Listed, ListedThing } from "./things.ts";

/** Where the appliance itself stands among its nodes. */
const board = parseNode("board@@Appliance");

export interface Renewed {
  readonly things: readonly ListedThing[];
  /** Why some have the codes they had; empty when all are new. */
  readonly faults: readonly string[];
}

/** Throws `CommandError` for who may not see them. */
export async function thingsOf(client: Client, call: Invocation, progress: Progress): Promise<Listed> {
  const appliance = await client.appliance(call.signal);
  const answer = await ask(client, appliance, "Labels", [], call, progress);
  if (answer.faults.length > 0) throw new CommandError(answer.faults.join("\n"));
  return {
    things: answer.things,
    registry: answer.registry,
    language: answer.language,
    printedFile: join(stateFolder(), "labels", `${(bareJid(appliance) ?? appliance).replace(/[^\w.@-]/g, "_")}.json`),
  };
}

/** One after the other, as many as go; those that got a new code, with it. */
export async function newCodes(
  client: Client,
  call: Invocation,
  things: readonly ListedThing[],
  progress: Progress,
): Promise<Renewed> {
  const appliance = await client.appliance(call.signal);
  const renewed: ListedThing[] = [];
  for (let from = 0; from < things.length; from += labelsAskedMax) {
    const ids = things.slice(from, from + labelsAskedMax).map(({ ref }) => ref.nodeId);
    const answer = await ask(client, appliance, "NewCodes", ids, call, progress);
    renewed.push(...answer.things);
    if (answer.faults.length > 0) return { things: renewed, faults: answer.faults };
  }
  return { things: renewed, faults: [] };
}

/** The node that is asked: of one line who sets up that line may ask too. */
function askedNode(call: Invocation): NodeRef {
  const line = call.text("line");
  const [only, ...others] = call.texts("node");
  if (line !== undefined) return parseNode(line);
  return only !== undefined && only !== "appliance" && others.length === 0 ? parseNode(only) : board;
}

async function ask(
  client: Client,
  appliance: string,
  command: "Labels" | "NewCodes",
  nodes: readonly string[],
  call: Invocation,
  progress: Progress,
) {
  const given: Submission = { fields: [{ name: "nodes", values: nodes }] };
  const tables = new Map<string, readonly string[]>();
  const rows: ReadonlyMap<string, string>[] = [];
  const faults: string[] = [];
  try {
    for await (const item of client.queries.query(appliance, askedNode(call), command, given, call.signal)) {
      if (item.kind === "status") progress.show(item.text);
      else if (item.kind === "newTable")
        tables.set(
          item.tableId,
          item.columns.map(({ columnId }) => columnId),
        );
      else if (item.kind === "newRecords")
        rows.push(...item.records.map(one => rowOf(tables.get(item.tableId) ?? [], one)));
      else if (item.kind === "message" && item.type !== "Information") faults.push(item.text);
      else if (item.kind === "aborted" && faults.length === 0)
        faults.push("The appliance broke off its answer: ask again.");
    }
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error;
    throw new CommandError(refusals[error.condition] ?? error.message);
  }
  const about = rows.find(row => row.has("registry"));
  return {
    registry: about?.get("registry") ?? "",
    language: about?.get("language") ?? "en",
    things: rows.flatMap(row => thingOf(row, call.text("line"))),
    faults,
  };
}

const onlyFor =
  "There is nothing of this name, or its labels are not for you: they are for the owner of the appliance and for installers. " +
  "Who sets up one line says which with --line.";
const refusals: Readonly<Record<string, string>> = { forbidden: onlyFor, "item-not-found": onlyFor };

function rowOf(columns: readonly string[], cells: readonly Cell[]): ReadonlyMap<string, string> {
  return new Map(
    columns.map((column, at) => {
      const cell = cells[at];
      return [column, cell !== undefined && "value" in cell ? String(cell.value) : ""];
    }),
  );
}

const states: readonly LabelThing["state"][] = ["unregistered", "registered", "claimed"];

function thingOf(row: ReadonlyMap<string, string>, line: string | undefined): ListedThing[] {
  const said = (column: string) => row.get(column) ?? "";
  const state = states.find(one => one === said("state"));
  if (state === undefined) return [];
  const ref: NodeRef = { nodeId: said("node"), sourceId: said("source"), partition: said("partition") };
  const [name, serial, model, room] = [said("name"), said("serial"), said("model"), said("room")];
  const uri = said("code") === "" ? undefined : said("code");
  // What is below the line that was asked is all there is.
  return [{ ref, name, serial, model, room, state, uri, above: line === undefined ? [] : [parseNode(line).nodeId] }];
}

const stateFolder = (): string => join(process.env.XDG_STATE_HOME ?? join(homedir(), ".local", "state"), "isthmus");
