// Decision support: what devices ask about their callers (decision-support.md, section 5), in every generation.

import { categoriesOfMask, categoryMask } from "#contract/field.ts";
import { inEveryGeneration } from "#iot/generations.ts";
import * as wire from "#iot/provisioning-device.wire.ts";
import { type Route, route } from "#xmpp/router.ts";
import { type Ask, decide, decideFriend, type Verdict } from "./decisions.ts";
import type { Service } from "./service.ts";

const noTokens = { service: [], device: [], user: [] };

export const deviceRoutes = (service: Service): Route[] =>
  inEveryGeneration("provisioningDevice", (ns, generation) => [
    route(["get"], ns, wire.isFriend, async ({ jid }, { fromBare }) => {
      const { result, unanswered } = await decideFriend(service.store, fromBare, jid);
      if (unanswered !== undefined) {
        const question = { kind: "friend" as const, remote: jid, tokens: noTokens, categories: 0, names: [] };
        await service.questions.open([{ ...question, thing: unanswered }]);
      }
      return wire.isFriendResponse.encode({ jid, result }, ns);
    }),

    route(["get"], ns, wire.canRead, async ({ jid, tokens, categories, nodes, names }, { fromBare }) => {
      const ask: Ask = {
        device: fromBare,
        kind: "read",
        caller: jid,
        tokens,
        nodes,
        categories: categoryMask(categories),
        names,
      };
      const { granted } = await answered(service, ask);
      // Everything is said outright: deployed devices read what is missing as "none" (PROV-RESP-01).
      return wire.canReadResponse.encode(
        {
          jid,
          result: granted !== undefined,
          categories: categoriesOfMask(granted?.categories ?? 0),
          nodes: granted?.nodes ?? [],
          names: granted?.names ?? [],
        },
        ns,
      );
    }),

    route(["get"], ns, wire.canControl, async ({ jid, tokens, nodes, parameters }, { fromBare }) => {
      const { names, form } = parameters;
      const ask: Ask = { device: fromBare, kind: "control", caller: jid, tokens, nodes, categories: 0, names };
      const { granted } = await answered(service, ask);
      const told = { names: granted?.names ?? [], form: wire.answeredForm(generation, form) };
      return wire.canControlResponse.encode(
        { jid, result: granted !== undefined, nodes: granted?.nodes ?? [], parameters: told },
        ns,
      );
    }),
  ]);

/** The verdict; what the owner has not decided yet is asked of him, and refused until then (PROV-EVAL-06). */
async function answered({ store, questions }: Service, ask: Ask): Promise<Verdict> {
  const verdict = await decide(store, ask);
  if (verdict.unanswered.length > 0) {
    const { kind, caller, tokens, categories, names } = ask;
    await questions.open(verdict.unanswered.map(thing => ({ kind, remote: caller, tokens, categories, names, thing })));
  }
  return verdict;
}
