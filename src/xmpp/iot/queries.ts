// The progress of queries on its way to who started them: numbered without gaps, several items a message, the end last, and in
// the words and kinds of the asker's language and generation (CON-QP). Starting and aborting are in commands.ts.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { StartedQuery } from "#concentrator/queries.ts";
import type { Caller } from "#contract/caller.ts";
import type { Languages } from "#contract/language.ts";
import { describeNode, type NodeRef } from "#contract/node.ts";
import type { Cell, Column } from "#contract/report.ts";
import { queryDelayMs, queryMessagesPerSecondMax, reportItemsMax } from "#limits.ts";
import type { Element } from "#xml/element.ts";
import { formattedBytes } from "#xml/size.ts";
import { batches, createSender } from "./batches.ts";
import type { Generation } from "./generations.ts";
import { type Outgoing, partBytesOf, payloadBytesOf } from "./payload-size.ts";
import { type ProgressItem, queryProgress } from "./queries.wire.ts";

export interface QueryDeliveryDeps extends Outgoing {
  /** Sends a payload in a message to a full JID. Throws `Refusal` busy when the outbox is full. */
  readonly send: (to: string, payload: Element) => void;
  readonly languages: Languages;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface QueryDelivery {
  readonly caller: Caller;
  readonly queryId: string;
  /** As written in the request: clients compare it (CON-QP-02). */
  readonly ref: NodeRef;
  readonly ns: string;
  readonly generation: Generation;
  readonly query: StartedQuery;
}

/** Resolves when the end is sent or nothing more may be said. Never rejects. */
export async function deliverQuery(deps: QueryDeliveryDeps, one: QueryDelivery): Promise<void> {
  const { languages, clock, log, signal } = deps;
  const { caller, queryId, ref, ns, generation, query } = one;
  const say = (text: string) => languages.localize(caller.language, text);
  let seqNr = 0;
  const encode = (items: readonly ProgressItem[]) =>
    queryProgress.encode({ ref, queryId, seqNr: seqNr + 1, items }, ns);
  const send = createSender(
    (items: readonly ProgressItem[]) => {
      deps.send(caller.fullJid, encode(items));
      // Counted when it is on its way: a gap would stall the client for ever (CON-QP-01).
      seqNr++;
    },
    queryMessagesPerSecondMax,
    clock,
    signal,
  );
  const how = {
    delayMs: queryDelayMs,
    weigh: (item: ProgressItem) => formattedBytes(encode([item]), ns),
    weightMax: partBytesOf(deps),
    countMax: 4 * reportItemsMax,
  };
  const sendable = (item: ProgressItem): ProgressItem =>
    how.weigh(item) <= payloadBytesOf(deps)
      ? item
      : {
          kind: "message",
          type: "Warning",
          level: "Medium",
          text: say("A part of the report is too large to be sent."),
        };
  const items = mapped(query.items, item => sendable(asSaid(item as ProgressItem, say, generation)));
  try {
    // The first message may not overtake the answer to the request (CON-QRY-04).
    await clock.sleep(0, signal);
    for await (const batch of batches(items, how, clock, signal)) {
      if (!(await query.mayHear())) return;
      await send(joined(batch));
    }
  } catch (error) {
    if (!signal.aborted) log.error("query-not-delivered", { node: describeNode(ref), to: caller.fullJid, error });
  } finally {
    query.leave();
  }
}

async function* mapped<T, U>(items: AsyncIterable<T>, each: (item: T) => U): AsyncGenerator<U> {
  for await (const item of items) yield each(item);
}

/** Rows of one table that follow each other are one list; of several lines of progress only the last is worth sending. */
function joined(batch: readonly ProgressItem[]): ProgressItem[] {
  const result: ProgressItem[] = [];
  for (const item of batch) {
    const last = result.at(-1);
    if (item.kind === "newRecords" && last?.kind === "newRecords" && last.tableId === item.tableId) {
      result[result.length - 1] = { ...last, records: [...last.records, ...item.records] };
    } else {
      if (item.kind === "status") {
        const before = result.findIndex(({ kind }) => kind === "status");
        if (before >= 0) result.splice(before, 1);
      }
      result.push(item);
    }
  }
  return result;
}

/** What people read in their language, values in the kinds of the generation; ids and values stay. */
function asSaid(item: ProgressItem, say: (text: string) => string, generation: Generation): ProgressItem {
  switch (item.kind) {
    case "title":
    case "status":
    case "message":
      return { ...item, text: say(item.text) };
    case "beginSection":
      return { ...item, header: say(item.header) };
    case "newTable":
      return { ...item, title: say(item.title), columns: item.columns.map(column => withHeader(column, say)) };
    case "newRecords":
      return generation === "ieee" ? { ...item, records: item.records.map(row => row.map(asDouble)) } : item;
    default:
      return item;
  }
}

const withHeader = (column: Column, say: (text: string) => string): Column =>
  column.header === undefined ? column : { ...column, header: say(column.header) };

/** The oldest generation has no quantities (CON-DIS-10). */
const asDouble = (cell: Cell): Cell =>
  cell.kind === "quantity" || cell.kind === "measurement" ? { kind: "double", value: cell.value } : cell;
