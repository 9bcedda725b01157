// `isthmus roles …`: who else may see, maintain or set up the appliance, or one node of it. The appliance offers this as commands
// of its nodes; here they have words of their own.

import { parseNode } from "#contract/node.ts";
import { type CommandBody, type Invocation, type Option, UsageError } from "../command.ts";
import { clientOptions, withClient } from "../connect.ts";
import { fillForm } from "../form-words.ts";
import { createProgress } from "../progress.ts";
import { createReportPrinter } from "../report-text.ts";

const nodeOption: Readonly<Record<string, Option>> = {
  node: { type: "string", value: "NODE", help: "Only of this node and those below; the whole appliance unless said." },
};
const placeOf = (call: Invocation) => parseNode(call.text("node") ?? "board@@Appliance");

export const rolesList: CommandBody = {
  usage: "[--node NODE]",
  options: { ...clientOptions, ...nodeOption },
  words: [0, 0],
  run: call =>
    withClient(call, async client => {
      const appliance = await client.appliance(call.signal);
      using progress = createProgress(false);
      using printer = createReportPrinter(call.out, progress);
      const items = client.queries.query(appliance, placeOf(call), "ListRoles", undefined, call.signal);
      for await (const item of items) printer.take(item);
      return printer.succeeded ? 0 : 1;
    }),
};

const change =
  (command: "GrantRole" | "RevokeRole", said: (who: string, role: string) => string) =>
  (call: Invocation): Promise<number> => {
    const [who = "", role = ""] = call.words;
    const days = call.text("days");
    if (days !== undefined && !/^\d{1,4}$/.test(days)) throw new UsageError("--days is a whole number of days");
    const fields = { jid: who, role, ...(days === undefined ? {} : { days }) };
    return withClient(call, async client => {
      const appliance = await client.appliance(call.signal);
      const answers = new Map(Object.entries(fields).map(([name, value]) => [name, [value]]));
      await fillForm(
        { answers, show: false, out: call.out, signal: call.signal },
        {
          fetch: () => client.commands.commandForm(appliance, [placeOf(call)], command, call.signal),
          postBack: given => client.editing.postBack(appliance, given, call.signal),
          submit: given => client.commands.execute(appliance, placeOf(call), command, given, call.signal),
        },
      );
      call.out.value({ ...fields, command });
      call.out.note(said(who, role));
      return 0;
    });
  };

export const rolesGrant: CommandBody = {
  usage: "JID ROLE [--node NODE] [--days N]",
  details: "ROLE is installer, who sets up and maintains, or viewer, who sees and reads.",
  options: {
    ...clientOptions,
    ...nodeOption,
    days: { type: "string", value: "N", help: "The role ends by itself after so many days." },
  },
  words: [2, 2],
  run: change("GrantRole", (who, role) => `${who} is ${role} now.`),
};

export const rolesRevoke: CommandBody = {
  usage: "JID ROLE [--node NODE]",
  details: "What the role allowed ends at once.",
  options: { ...clientOptions, ...nodeOption },
  words: [2, 2],
  run: change("RevokeRole", (who, role) => `${who} is ${role} no longer.`),
};
