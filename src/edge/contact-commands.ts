// The contacts of the appliance as commands of its node, for its owner alone: an installer could keep the owner's people out.

import * as z from "zod";
import type { TreeNode } from "#concentrator/forest.ts";
import type { Caller } from "#contract/caller.ts";
import { type Command, parameterized, query, queryWith } from "#contract/command.ts";
import { applianceSource } from "#contract/node.ts";
import { noCell, textCell, timeCell } from "#contract/report.ts";
import type { Contacts } from "./contacts.ts";

const words = {
  page: "Contacts",
  list: "List the contacts",
  accept: "Let somebody in",
  accepted: "He may see that the appliance is there; what it measures is decided separately.",
  decline: "Turn somebody away",
  declined: "He is turned away.",
  block: "Block an address",
  blockConfirm: "What this address was allowed to see ends at once, and nothing is heard of it any more. Continue?",
  blocked: "The address is blocked.",
  unblock: "Unblock an address",
  unblocked: "The address is not blocked any more. It is not let in by that.",
  pair: "Make a pairing code",
  pairHelp: "Whoever opens it with an XMPP client is let in without being asked about, once.",
  code: "Pairing code",
  hours: "Hours",
  hoursHelp: "The code is good for so long.",
  address: "Address",
  addressHelp: "name@domain, or a domain with everybody in it.",
  state: "State",
  since: "Since",
  by: "By",
  until: "Until",
  asks: "asks to be let in",
  contact: "contact",
  isBlocked: "blocked",
};

const address = z
  .string()
  .min(3)
  .max(2_047)
  .regex(/^[^\s/]+$/, "an address like name@domain")
  .meta({ title: words.address, description: words.addressHelp, page: words.page });
const hours = z
  .int()
  .min(1)
  .max(168)
  .default(24)
  .meta({ title: words.hours, description: words.hoursHelp, page: words.page });

const states = { asks: words.asks, contact: words.contact, blocked: words.isBlocked } as const;

export interface ContactCommandsDeps {
  readonly contacts: Contacts;
  /** Bare JID of the owner of the appliance. */
  readonly owner: () => string | undefined;
}

export function createContactCommands({ contacts, owner }: ContactCommandsDeps) {
  const sort = (key: string) => ({ category: words.page, key });
  const settings = z.object({ jid: address });
  const commandsFor = (caller: Caller): readonly Command[] => [
    query({
      id: "ListContacts",
      title: words.list,
      sort: sort("1"),
      async query(report) {
        const table = await report.table(words.page, [
          { columnId: "jid", header: words.address },
          { columnId: "state", header: words.state },
          { columnId: "since", header: words.since },
          { columnId: "by", header: words.by },
        ]);
        for (const { jid, state, at, by } of contacts.list())
          await table.row(
            textCell(jid),
            textCell(states[state]),
            at === undefined ? noCell : timeCell(at),
            textCell(by ?? ""),
          );
        await table.done();
      },
    }),
    parameterized({
      id: "AcceptContact",
      title: words.accept,
      sort: sort("2"),
      success: words.accepted,
      settings,
      async execute({ jid }) {
        contacts.answer(caller, jid, true);
      },
    }),
    parameterized({
      id: "DeclineContact",
      title: words.decline,
      sort: sort("3"),
      success: words.declined,
      settings,
      async execute({ jid }) {
        contacts.answer(caller, jid, false);
      },
    }),
    parameterized({
      id: "BlockContact",
      title: words.block,
      sort: sort("4"),
      confirmation: words.blockConfirm,
      success: words.blocked,
      settings,
      execute: ({ jid }) => contacts.block(caller, jid),
    }),
    parameterized({
      id: "UnblockContact",
      title: words.unblock,
      sort: sort("5"),
      success: words.unblocked,
      settings,
      execute: ({ jid }) => contacts.unblock(caller, jid),
    }),
    queryWith({
      id: "PairingCode",
      title: words.pair,
      sort: sort("6"),
      settings: z.object({ hours }),
      async query(values, report) {
        const { uri, until } = contacts.pair(caller, values.hours * 3_600_000);
        await report.title(words.pair);
        const table = await report.table(words.code, [
          { columnId: "code", header: words.code },
          { columnId: "until", header: words.until },
        ]);
        await table.row(textCell(uri), timeCell(until));
        await table.done();
        await report.message(words.pairHelp);
      },
    }),
  ];
  return (node: TreeNode, caller: Caller): readonly Command[] =>
    node.ref.sourceId === applianceSource &&
    node.type?.inherits.includes("Appliance") === true &&
    caller.bareJid === owner()
      ? commandsFor(caller)
      : [];
}
