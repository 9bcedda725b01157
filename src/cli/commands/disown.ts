// `isthmus owner disown`: a thing is given up, so that somebody else can claim it.

import { describeNode, type NodeRef, parseNode, rootRef, sameNode } from "#contract/node.ts";
import { bareJid, domainOf } from "#xmpp/jid.ts";
import { confirm } from "../ask.ts";
import { type CommandBody, CommandError, UsageError } from "../command.ts";
import { personOptions, withClient } from "../connect.ts";

export const disown: CommandBody = {
  usage: "NODE [--of JID] [--yes]",
  details:
    "NODE is as in `isthmus owner things`, or `appliance` for the appliance itself. Your rules, roles and questions for it end, and it gets a new code: print its label anew with `isthmus labels`. Whoever has that code can claim it.",
  options: {
    ...personOptions,
    of: { type: "string", value: "JID", help: "The appliance, where the identity does not name it." },
    yes: { type: "boolean", help: "Do not ask whether it is meant." },
  },
  words: [1, 1],
  run: call => {
    const of = call.text("of");
    const jid = of === undefined ? undefined : bareJid(of);
    if (of !== undefined && jid === undefined) throw new UsageError(`--of is the JID of an appliance, not "${of}"`);
    return withClient(call, async client => {
      const word = call.words[0] ?? "";
      const asked = word === "appliance" ? rootRef : parseNode(word);
      const owned = await client.owner.things(call.signal, jid === undefined ? client.thingsDomain : domainOf(jid));
      const found = owned.filter(one => isMeant(one.ref, asked) && (jid === undefined || one.jid === jid));
      const [thing, another] = found;
      if (thing === undefined) throw new CommandError(`You do not own ${word}: see \`isthmus owner things\`.`);
      if (another !== undefined)
        throw new CommandError(`You own ${word} of several: say --of ${found.map(one => one.jid).join(" or --of ")}.`);
      const what = `${sameNode(thing.ref, rootRef) ? "the appliance" : `${describeNode(thing.ref)} of`} ${thing.jid}`;
      if (!call.flag("yes"))
        await confirm(`You will own ${what} no more, and your rules for it end. Continue?`, "--yes", call);
      await client.owner.disown(thing, call.signal);
      call.out.value({ disowned: thing });
      call.out.note(`You do not own ${what} any more. It gets a new code: isthmus labels.`);
      return 0;
    });
  },
};

/** A line need not be said: a node's name is one in its source. */
const isMeant = (ref: NodeRef, asked: NodeRef): boolean =>
  asked.partition === "" ? ref.nodeId === asked.nodeId && ref.sourceId === asked.sourceId : sameNode(ref, asked);
