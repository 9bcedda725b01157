// Where events are sent to (LOG-SND-01): to the JID of the boot file, or to the one the owner named in a command, for which a
// receiver found on the own domain is proposed. Whoever merely offers to receive them gets nothing.

import * as z from "zod";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createAudit } from "#concentrator/audit.ts";
import type { TreeNode } from "#concentrator/forest.ts";
import type { BootSettings } from "#config.ts";
import type { Caller } from "#contract/caller.ts";
import { type Command, parameterized } from "#contract/command.ts";
import { Refusal } from "#contract/faults.ts";
import { applianceSource } from "#contract/node.ts";
import { createEventLog, type EventLog } from "#iot/event-log.ts";
import type { Connection } from "#xmpp/connection.ts";
import { bareJid } from "#xmpp/jid.ts";
import type { Stores } from "./stores.ts";

const words = {
  page: "Event log",
  send: "Send events to a log elsewhere",
  sent: "From now on events are sent as you said.",
  address: "Receiver",
  addressHelp:
    "What the appliance notes of importance is sent to this address: who claimed what, what was refused, which lines were lost. The word nowhere ends it.",
  fixed: "The receiver is written in the appliance's boot file: change it there.",
};

/** An empty field means the default, as in every form: to end it takes a word. */
const nowhere = "nowhere";

export interface EventSendingDeps {
  readonly settings: Pick<BootSettings, "eventLog" | "eventLogLevel" | "eventLogStored">;
  readonly stores: Pick<Stores, "ownership">;
  readonly connection: Pick<Connection, "jid" | "online" | "send">;
  /** Bare JID of the owner of the appliance. */
  readonly owner: () => string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface EventSending extends EventLog {
  /** A receiver on the own domain, which the owner may choose; undefined when there is none. */
  serviceFound(jid: string | undefined): void;
  readonly commands: (node: TreeNode, caller: Caller) => readonly Command[];
  /** Another owner, or none: nothing more goes where the former one wanted it. */
  ownerGone(): void;
}

export function createEventSending({ settings, stores, owner, log, ...deps }: EventSendingDeps): EventSending {
  const audit = createAudit(log);
  let chosen = stores.ownership.service("eventLog")?.jid ?? "";
  let found: string | undefined;
  const destination = (): string | undefined => settings.eventLog ?? (chosen === "" ? undefined : chosen);
  const events = createEventLog({
    ...deps,
    destination,
    level: settings.eventLogLevel,
    stored: settings.eventLogStored,
    log,
  });

  const command = (caller: Caller): Command =>
    parameterized({
      id: "SendEvents",
      title: words.send,
      sort: { category: words.page, key: "1" },
      success: words.sent,
      settings: z.object({
        jid: z
          .string()
          .max(2_047)
          .refine(text => bareJid(text) !== undefined, "an address like log.domain or name@domain")
          .default(destination() ?? found ?? nowhere)
          .meta({ title: words.address, description: words.addressHelp, page: words.page }),
      }),
      async execute({ jid }) {
        if (settings.eventLog !== undefined) throw new Refusal("not-allowed", words.fixed);
        chosen = jid === nowhere ? "" : (bareJid(jid) ?? "");
        stores.ownership.rememberService("eventLog", { jid: chosen, generation: "" });
        audit("event-log-chosen", caller, [], { to: chosen === "" ? nowhere : chosen });
        events.wake();
      },
    });

  return {
    take: events.take,
    bounced: events.bounced,
    wake: events.wake,
    run: events.run,
    get waiting() {
      return events.waiting;
    },
    serviceFound(jid) {
      found = jid;
    },
    ownerGone() {
      if (chosen === "") return;
      chosen = "";
      stores.ownership.rememberService("eventLog", { jid: "", generation: "" });
      events.wake();
    },
    commands: (node, caller) =>
      node.ref.sourceId === applianceSource &&
      node.type?.inherits.includes("Appliance") === true &&
      caller.bareJid === owner()
        ? [command(caller)]
        : [],
  };
}
