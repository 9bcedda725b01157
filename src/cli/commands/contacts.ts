// `isthmus contacts …` and `isthmus events …`: whom the appliance lets in, whom it keeps out, and where it sends what it notes of
// importance. The appliance offers this as commands of its node, to its owner; here they have words of their own.

import type { FilledIn } from "#client/editing.ts";
import { parseNode } from "#contract/node.ts";
import { type CommandBody, type Invocation, type Option, UsageError } from "../command.ts";
import { type Client, clientOptions, withClient } from "../connect.ts";
import { fillForm } from "../form-words.ts";
import { createProgress } from "../progress.ts";
import { createReportPrinter } from "../report-text.ts";

const board = parseNode("board@@Appliance");

/** Fills in the form of a command of the appliance and hands it to `submit`. */
async function through<T>(
  client: Client,
  call: Invocation,
  command: string,
  fields: Readonly<Record<string, string>>,
  submit: (appliance: string, given: FilledIn) => Promise<T>,
): Promise<T | undefined> {
  const appliance = await client.appliance(call.signal);
  const answers = new Map(Object.entries(fields).map(([name, value]) => [name, [value]]));
  return await fillForm(
    { answers, show: false, out: call.out, signal: call.signal },
    {
      fetch: () => client.commands.commandForm(appliance, [board], command, call.signal),
      postBack: given => client.editing.postBack(appliance, given, call.signal),
      submit: given => submit(appliance, given),
    },
  );
}

const act = (call: Invocation, command: string, fields: Readonly<Record<string, string>>, said: string) =>
  withClient(call, async client => {
    await through(client, call, command, fields, (appliance, given) =>
      client.commands.execute(appliance, board, command, given, call.signal),
    );
    call.out.value({ ...fields, command });
    call.out.note(said);
    return 0;
  });

async function report(client: Client, call: Invocation, appliance: string, query: string, given: FilledIn | undefined) {
  using progress = createProgress(!call.out.json);
  using printer = createReportPrinter(call.out, progress);
  for await (const item of client.queries.query(appliance, board, query, given, call.signal)) printer.take(item);
  return printer.succeeded ? 0 : 1;
}

export const contactsList: CommandBody = {
  usage: "",
  details: "Contacts, who has asked and waits for an answer, and who is blocked. For the owner of the appliance.",
  options: clientOptions,
  words: [0, 0],
  run: call =>
    withClient(call, async client =>
      report(client, call, await client.appliance(call.signal), "ListContacts", undefined),
    ),
};

const hours: Readonly<Record<string, Option>> = {
  hours: { type: "string", value: "N", help: "The code is good for so long, 168 at most; 24 unless said." },
};

export const contactsPair: CommandBody = {
  usage: "[--hours N]",
  details: "Whoever opens the code with an XMPP client is let in without a question, once. It is shown only now.",
  options: { ...clientOptions, ...hours },
  words: [0, 0],
  run(call) {
    const said = call.text("hours") ?? "24";
    if (!/^\d{1,3}$/.test(said)) throw new UsageError("--hours is a whole number of hours, 168 at most");
    return withClient(
      call,
      async client =>
        (await through(client, call, "PairingCode", { hours: said }, (appliance, given) =>
          report(client, call, appliance, "PairingCode", given),
        )) ?? 1,
    );
  },
};

const answering = (command: string, details: string, said: (who: string) => string): CommandBody => ({
  usage: "JID",
  details,
  options: clientOptions,
  words: [1, 1],
  run(call) {
    const [who = ""] = call.words;
    return act(call, command, { jid: who }, said(who));
  },
});

export const contactsAccept = answering(
  "AcceptContact",
  "He has asked and waits. He may see that the appliance is there; what it measures is decided separately.",
  who => `${who} is let in.`,
);
export const contactsDecline = answering("DeclineContact", "He has asked and waits.", who => `${who} is turned away.`);
export const contactsBlock = answering(
  "BlockContact",
  "JID is an address, or a domain with everybody in it. What it was allowed to see ends at once, and nothing is heard of it any more.",
  who => `${who} is blocked.`,
);
export const contactsUnblock = answering(
  "UnblockContact",
  "The address is not let in by that; it may ask again.",
  who => `${who} is not blocked any more.`,
);

export const eventsTo: CommandBody = {
  usage: "JID|nowhere",
  details:
    "What the appliance notes of importance is sent there (XEP-0337): who claimed what, what was refused, which lines were lost. docs/events.md lists them.",
  options: clientOptions,
  words: [1, 1],
  run(call) {
    const [to = ""] = call.words;
    const said = to === "nowhere" ? "Events are sent nowhere." : `Events are sent to ${to}.`;
    return act(call, "SendEvents", { jid: to }, said);
  },
};
