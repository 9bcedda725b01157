// `isthmus set`: control parameters of nodes.

import { parseControlValue } from "#client/things.ts";
import { describeNode, parseNode } from "#contract/node.ts";
import { parameterFaults } from "#iot/control.wire.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { type CommandBody, CommandError, UsageError } from "../command.ts";
import { clientOptions, withClient } from "../connect.ts";
import { safe } from "../output.ts";

export const set: CommandBody = {
  usage: "NODE NAME=VALUE...",
  details: "The device takes all values or says which it does not take; what can be read back is read back.",
  options: clientOptions,
  words: [2, 100],
  run: call =>
    withClient(call, async client => {
      const [node = "", ...assignments] = call.words;
      const values = assignments.map(one => {
        const at = one.indexOf("=");
        if (at < 1) throw new UsageError(`"${one}" is not NAME=VALUE`);
        return { name: one.slice(0, at), value: parseControlValue(one.slice(at + 1)) };
      });
      try {
        const done = await client.things.set(
          await client.appliance(call.signal),
          [parseNode(node)],
          values,
          call.signal,
        );
        call.out.value({ done: true, nodes: done.nodes, parameters: done.parameters });
        call.out.note(`${done.nodes.map(describeNode).join(", ")}: ${done.parameters.join(", ")} is set.`);
        return 0;
      } catch (error) {
        if (!(error instanceof StanzaError)) throw error;
        const faults = parameterFaults(error.details);
        if (faults.length === 0) throw error;
        throw new CommandError(faults.map(({ name, message }) => safe(`${name}: ${message}`)).join("\n"));
      }
    }),
};
