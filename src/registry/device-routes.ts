// Decision support: what devices ask about their callers (decision-support.md, section 5), in every generation.

import { categoriesOfMask, categoryMask } from "#contract/field.ts";
import { rootRef } from "#contract/node.ts";
import { inEveryGeneration } from "#iot/generations.ts";
import * as wire from "#iot/provisioning-device.wire.ts";
import { type Route, route } from "#xmpp/router.ts";
import { type Ask, decide, decideFriend, type Verdict } from "./decisions.ts";
import type { Service } from "./service.ts";
import { pendingClear } from "./things.ts";

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

    route(["get"], ns, wire.canRead, async ({ jid, tokens, categories, nodes, names }, { from, fromBare }) => {
      const ask: Ask = {
        device: fromBare,
        kind: "read",
        caller: jid,
        tokens,
        nodes,
        categories: categoryMask(categories),
        names,
      };
      const { granted } = await answered(service, ask, from);
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

    route(["get"], ns, wire.canControl, async ({ jid, tokens, nodes, parameters }, { from, fromBare }) => {
      const { names, form } = parameters;
      const ask: Ask = { device: fromBare, kind: "control", caller: jid, tokens, nodes, categories: 0, names };
      const { granted } = await answered(service, ask, from);
      const told = { names: granted?.names ?? [], form: wire.answeredForm(generation, form) };
      return wire.canControlResponse.encode(
        { jid, result: granted !== undefined, nodes: granted?.nodes ?? [], parameters: told },
        ns,
      );
    }),
  ]);

/** The verdict; what the owner has not decided yet is asked of him, and refused until then (PROV-EVAL-06). */
async function answered(service: Service, said: Ask, device: string): Promise<Verdict> {
  const { store, questions } = service;
  const ask = await withEvidence(service, said, device);
  const verdict = await decide(store, ask);
  if (verdict.unanswered.length > 0) {
    const { kind, caller, categories, names } = ask;
    // Where tokens count the owner is shown those that do: he may rest a rule on each of them.
    const tokens = ask.proven ?? ask.tokens;
    await questions.open(verdict.unanswered.map(thing => ({ kind, remote: caller, tokens, categories, names, thing })));
  }
  return verdict;
}

/** The question with what counts of its tokens. Proven too late, they count when the device asks again, which it is told to. */
async function withEvidence(service: Service, ask: Ask, device: string): Promise<Ask> {
  const { evidence, store, clock, pushes } = service;
  if (evidence === undefined || Object.values(ask.tokens).every(list => list.length === 0)) return ask;
  const late = () =>
    service.background("late token", async () => {
      const refs = ask.nodes.length === 0 ? [rootRef] : ask.nodes;
      await store.change(async records => {
        for (const ref of refs) {
          const thing = await records.thing(ask.device, ref);
          if (thing !== undefined) await pendingClear(records, thing, clock.now());
        }
      });
      await pushes.deliver(ask.device);
    });
  return { ...ask, proven: await evidence.proven(device, ask.caller, ask.tokens, late) };
}
