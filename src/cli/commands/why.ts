// `isthmus why`: why somebody may, or may not. The appliance explains it from what it knows, asking nobody; what the owner himself
// was asked, and has not answered, his service says.

import type { AskedOfOwner } from "#client/owner-lists.ts";
import type { QueryItem } from "#client/queries.ts";
import { type Category, categoryNames } from "#contract/field.ts";
import type { Submission } from "#contract/filled-form.ts";
import { describeNode, type NodeRef, parseNode } from "#contract/node.ts";
import { bareJid, domainOf } from "#xmpp/jid.ts";
import { shownJid } from "#xmpp/shown-jid.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { type CommandBody, CommandError, type Invocation, UsageError } from "../command.ts";
import { type Client, clientOptions, withClient } from "../connect.ts";
import { refusalWords } from "../refusal-words.ts";

const rights = ["read", "control", "friend"];
const kinds: Readonly<Record<string, string>> = { read: "canRead", control: "canControl", friend: "isFriend" };
/** Who is let in is decided once for the whole appliance. */
const applianceNode = "board@@Appliance";
/** The service is asked beside the point: nobody waits long for it. */
const serviceMs = 3_000;

export const why: CommandBody = {
  usage: "WHO NODE read|control|friend [FIELD] [--category NAME]",
  details:
    "WHO is an address like name@domain. Only the owner of the node is told; the owner of the appliance, where nobody else owns it. Nobody is asked for it, so it answers the same while the owner's service is away.",
  options: {
    ...clientOptions,
    category: {
      type: "string",
      value: "NAME",
      help: `As if he asked for this category: ${categoryNames.join(", ")}. What he asked last unless said.`,
    },
  },
  words: [3, 4],
  run: call => {
    const [who = "", place = "", right = "", field = ""] = call.words;
    const caller = bareJid(who);
    if (caller === undefined || !/[@.]/.test(caller)) throw new UsageError(`"${who}" is no address: say name@domain`);
    if (!rights.includes(right)) throw new UsageError(`say read, control or friend, not "${right}"`);
    const category = call.text("category") ?? "";
    if (category !== "" && !categoryNames.includes(category as Category))
      throw new UsageError(`"${category}" is no category: say ${categoryNames.join(", ")}`);
    const node = parseNode(right === "friend" ? applianceNode : place);
    return withClient(call, async client => {
      const appliance = await client.appliance(call.signal);
      const values = { caller, right, field, category };
      const items: QueryItem[] = [];
      try {
        for await (const item of client.queries.query(appliance, node, "Why", filled(values), call.signal))
          items.push(item);
      } catch (error) {
        if (!(error instanceof StanzaError) || error.condition !== "item-not-found") throw error;
        throw new CommandError(`${refusalWords(error)} Only the owner of a node is told why.`);
      }
      const explained = explanationOf(items);
      const asked = await askedOf(client, appliance, call);
      const open = asked?.filter(one => isAbout(one, { appliance, node, caller, right }));
      call.out.value({
        caller,
        node,
        right,
        ...(field === "" ? {} : { field }),
        ...explained,
        questions: open ?? null,
      });
      for (const sentence of explained.sentences) call.out.line(sentence);
      showRemembered(explained.remembered, call);
      for (const line of questionsOf(open)) call.out.line(line);
      return items.at(-1)?.kind === "done" && !explained.failed ? 0 : 1;
    });
  },
};

const filled = (values: Readonly<Record<string, string>>): Submission => ({
  fields: Object.entries(values)
    .filter(([, value]) => value !== "")
    .map(([name, value]) => ({ name, values: [value] })),
});

type Row = Readonly<Record<string, string | number | boolean>>;

/** The sentences, and the rows of its tables by the ids of their columns; times in ISO 8601. */
export function explanationOf(items: readonly QueryItem[]) {
  const sentences: string[] = [];
  const tables: { id: string; columns: string[]; rows: Row[] }[] = [];
  let failed = false;
  for (const item of items) {
    if (item.kind === "message") sentences.push(item.text);
    if (item.kind === "message" && item.type !== "Information") failed = true;
    if (item.kind === "newTable")
      tables.push({ id: item.tableId, columns: item.columns.map(({ columnId }) => columnId), rows: [] });
    if (item.kind !== "newRecords") continue;
    const table = tables.find(({ id }) => id === item.tableId);
    for (const record of item.records) {
      const cells = record.flatMap((cell, at): [string, Row[string]][] => {
        const column = table?.columns[at];
        if (column === undefined || cell.kind === "void") return [];
        if (cell.kind === "dateTime") return [[column, new Date(cell.value).toISOString()]];
        return cell.kind === "string" || cell.kind === "boolean" ? [[column, cell.value]] : [];
      });
      table?.rows.push(Object.fromEntries(cells));
    }
  }
  // Each table by a column that no other has: those that are empty are left out.
  const rowsWith = (column: string) => tables.find(({ columns }) => columns.includes(column))?.rows ?? [];
  const [steps, remembered, tokens] = ["step", "leftFields", "issuer"].map(rowsWith) as [Row[], Row[], Row[]];
  return { sentences, failed, steps, remembered, tokens };
}

/** Undefined when the service could not be asked. */
async function askedOf(client: Client, appliance: string, call: Invocation): Promise<AskedOfOwner[] | undefined> {
  try {
    return await client.owner.asked(
      AbortSignal.any([call.signal, AbortSignal.timeout(serviceMs)]),
      domainOf(appliance),
    );
  } catch {
    call.signal.throwIfAborted();
    return undefined;
  }
}

interface About {
  readonly appliance: string;
  readonly node: NodeRef;
  readonly caller: string;
  readonly right: string;
}

const isAbout = (one: AskedOfOwner, { appliance, node, caller, right }: About): boolean =>
  one.jid === bareJid(appliance) &&
  one.remote === shownJid(caller) &&
  one.kind === kinds[right] &&
  // What is no thing of its own is asked about as the appliance.
  (right === "friend" || one.ref.nodeId === "" || one.ref.nodeId === node.nodeId);

function showRemembered(rows: readonly Row[], call: Invocation): void {
  // One answer is in the sentences already.
  if (rows.length < 2) return;
  const columns = ["answer", "fields", "categories", "leftFields", "leftCategories", "since", "until"];
  call.out.line();
  call.out.table(
    ["Answer", "Fields", "Categories", "Left", "", "Learned", "Ends"],
    rows.map(row => columns.map(name => String(row[name] ?? ""))),
  );
}

function questionsOf(open: readonly AskedOfOwner[] | undefined): string[] {
  if (open === undefined) return ["Your service cannot be reached: what it has asked of you is not known here."];
  return open.map(({ key, asked, sent, times, ref, names }) => {
    const what = [describeNode(ref), names].filter(part => part !== "").join(", ");
    const often = `${times} time${times === 1 ? "" : "s"}`;
    const told = sent === "" ? "not sent to you yet" : `sent to you ${often}, last ${local(sent)}`;
    return `You were asked about this on ${local(asked)} (${what}; ${told}): isthmus owner answer ${key.replace(/^-+/, "").slice(0, 8)} yes|no`;
  });
}

/** "2026-11-20 14:02", in the time zone of who reads it. */
const local = (iso: string): string => new Date(iso).toLocaleString("sv", { dateStyle: "short", timeStyle: "short" });
