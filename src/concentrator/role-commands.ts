// Giving, taking back and listing roles as commands of a node, for who may do so there; on a node of the appliance itself they
// mean the whole of it.

import * as z from "zod";
import type { Caller } from "./contract/caller.ts";
import { type Command, parameterized, query } from "./contract/command.ts";
import { applianceSource, describeNode, type NodeRef, rootRef } from "./contract/node.ts";
import { noCell, textCell, timeCell } from "./contract/report.ts";
import type { TreeNode } from "./forest.ts";
import type { Roles } from "./roles.ts";

const words = {
  page: "Roles",
  grant: "Give somebody a role",
  granted: "The role is given.",
  revoke: "Take a role back",
  revokeConfirm: "He loses at once what the role allowed him. Continue?",
  revoked: "The role is taken back.",
  list: "List the roles",
  person: "Address",
  personHelp: "Of the person: name@domain.",
  role: "Role",
  roleHelp: "An installer sets up and maintains, a viewer sees and reads.",
  days: "Days",
  daysHelp: "After so many days the role ends by itself; 0 means until it is taken back.",
  where: "Where",
  giver: "Given by",
  since: "Since",
  until: "Until",
};

const jid = z
  .string()
  .min(3)
  .max(2_047)
  .regex(/^[^@/\s]+@[^@/\s]+$/, "an address like name@domain")
  .meta({ title: words.person, description: words.personHelp, page: words.page });
const dayMs = 86_400_000;

export function roleCommands(roles: Roles, now: () => number, node: TreeNode, caller: Caller): readonly Command[] {
  const place: NodeRef = node.ref.sourceId === applianceSource ? rootRef : node.ref;
  const [first, ...others] = roles.mayGrant(caller, place);
  if (first === undefined) return [];
  const role = z
    .enum([first, ...others])
    .default(first)
    .meta({ title: words.role, description: words.roleHelp, page: words.page });
  const days = z
    .int()
    .min(0)
    .max(3_650)
    .default(0)
    .meta({ title: words.days, description: words.daysHelp, page: words.page });
  return [
    parameterized({
      id: "GrantRole",
      title: words.grant,
      sort: { category: words.page, key: "1" },
      success: words.granted,
      settings: z.object({ jid, role, days }),
      async execute(values) {
        const until = values.days === 0 ? undefined : now() + values.days * dayMs;
        roles.grant(caller, { jid: values.jid, role: values.role, node: place, until });
      },
    }),
    parameterized({
      id: "RevokeRole",
      title: words.revoke,
      sort: { category: words.page, key: "2" },
      confirmation: words.revokeConfirm,
      success: words.revoked,
      settings: z.object({ jid, role }),
      async execute(values) {
        roles.revoke(caller, { jid: values.jid, role: values.role, node: place });
      },
    }),
    query({
      id: "ListRoles",
      title: words.list,
      sort: { category: words.page, key: "3" },
      async query(report) {
        const table = await report.table(words.page, [
          { columnId: "jid", header: words.person },
          { columnId: "role", header: words.role },
          { columnId: "where", header: words.where },
          { columnId: "by", header: words.giver },
          { columnId: "since", header: words.since },
          { columnId: "until", header: words.until },
        ]);
        for (const one of roles.list(caller, place)) {
          const until = one.until === undefined ? noCell : timeCell(one.until);
          const where = textCell(describeNode(one.node));
          await table.row(textCell(one.jid), textCell(one.role), where, textCell(one.by), timeCell(one.at), until);
        }
        await table.done();
      },
    }),
  ];
}
