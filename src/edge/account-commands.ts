// What the owner of the appliance may do about its account and its services, as commands of its node: another password, out of
// service, and a service that became another one (ACC-IBR-07, ACC-FIND-03).

import type { Log } from "#base/log.ts";
import { type Audit, createAudit } from "#concentrator/audit.ts";
import type { TreeNode } from "#concentrator/forest.ts";
import type { Caller } from "#contract/caller.ts";
import { type Command, query, simple } from "#contract/command.ts";
import { applianceSource, rootRef } from "#contract/node.ts";
import type { Account } from "./account.ts";
import type { ServiceChanges } from "./service-changes.ts";

const words = {
  page: "Account",
  change: "Change the password of the account",
  changed: "The appliance has a new password. Nobody needs to know it.",
  notChanged: "The password was not changed.",
  end: "Take the appliance out of service",
  endConfirm:
    "Every thing of the appliance leaves the registry and is nobody's any more, and the account is removed at the broker. To come back it needs a new invite or key, and everything has to be claimed anew. Continue?",
  ending: "The things leave the registry.",
  left: "Things still in the registry",
  ended:
    "The things are out of the registry. The appliance itself follows now, then its account, and it goes offline for good.",
  kept: "Its nodes stay in its data folder as they are set up, until that is deleted. What people left on them is deleted, and what was measured too, unless the appliance is set up to keep it.",
  services: "Accept the changed services",
  servicesAccepted: "The new services are used from now on.",
  servicesConfirm:
    "Who owns what, and who may read and control it, is said by these services from now on. Accept only what whoever runs the broker has announced. Continue?",
};

export interface AccountCommandsDeps {
  readonly account: Account;
  readonly changes: ServiceChanges;
  /** Bare JID of the owner of the appliance. */
  readonly owner: () => string | undefined;
  readonly log: Log;
}

export function createAccountCommands(deps: AccountCommandsDeps) {
  const audit = createAudit(deps.log);
  return (node: TreeNode, caller: Caller): readonly Command[] =>
    node.ref.sourceId === applianceSource &&
    node.type?.inherits.includes("Appliance") === true &&
    caller.bareJid === deps.owner()
      ? commandsFor(deps, caller, audit)
      : [];
}

function commandsFor({ account, changes }: AccountCommandsDeps, caller: Caller, audit: Audit): readonly Command[] {
  const sort = (key: string) => ({ category: words.page, key });
  return [
    simple({
      id: "ChangePassword",
      title: words.change,
      sort: sort("1"),
      success: words.changed,
      failure: words.notChanged,
      execute: signal => account.changePassword(signal),
    }),
    ...(changes.pending.length === 0
      ? []
      : [
          simple({
            id: "ConfirmServices",
            title: words.services,
            sort: sort("2"),
            confirmation: words.servicesConfirm,
            success: words.servicesAccepted,
            async execute() {
              audit("services-confirmed", caller, [rootRef], {
                to: changes.pending.map(({ said }) => said).join(" "),
              });
              changes.confirm();
            },
          }),
        ]),
    query({
      id: "TakeOutOfService",
      title: words.end,
      sort: sort("3"),
      confirmation: words.endConfirm,
      async query(report, signal) {
        await report.title(words.end);
        await report.status(words.ending);
        audit("out-of-service", caller, [rootRef]);
        await account.takeOutOfService(left => report.status(`${words.left}: ${left}`), signal);
        await report.message(words.ended);
        await report.message(words.kept);
      },
    }),
  ];
}
