// Tokens as they are asked for: a certificate becomes a token in two steps, and anybody may have the certificate of a token
// (ProvisioningTokens), in every generation and, where it is served at all, in the dialect of XEP-0324.

import { createRate } from "#base/rate.ts";
import { inEveryGeneration } from "#iot/generations.ts";
import * as wire from "#iot/provisioning-tokens.wire.ts";
import { countedSendersMax, tokenQuestionsPerMinute } from "#limits.ts";
import { type Route, route } from "#xmpp/router.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { oldProvisioningNs } from "./old-dialect.ts";
import type { Service } from "./service.ts";
import type { Tokens } from "./tokens.ts";

export function tokenRoutes({ clock, options }: Pick<Service, "clock" | "options">, tokens: Tokens): Route[] {
  const perMinute = () =>
    createRate(clock, tokenQuestionsPerMinute, 60_000 / tokenQuestionsPerMinute, countedSendersMax);
  const [issuing, looking] = [perMinute(), perMinute()];
  const limited = (rate: typeof issuing, sender: string) => {
    if (!rate.take(sender))
      throw new StanzaError("wait", "resource-constraint", "too many requests about tokens; try again later");
  };

  const issuingRoutes = (ns: string): Route[] => [
    route(["get"], ns, wire.getToken, async (certificate, { from, fromBare }) => {
      limited(issuing, fromBare);
      return wire.getTokenChallenge.encode(await tokens.begin(from, certificate), ns);
    }),
    route(["get"], ns, wire.getTokenChallengeResponse, async ({ seqnr, data }, { from, fromBare }) => {
      limited(issuing, fromBare);
      return wire.getTokenResponse.encode({ token: await tokens.finish(from, seqnr, data) }, ns);
    }),
  ];
  const lookUp = (ns: string): Route =>
    route(["get"], ns, wire.getCertificate, async ({ token }, { fromBare }) => {
      limited(looking, fromBare);
      const found = await tokens.find(token);
      if (found === undefined) throw new StanzaError("cancel", "item-not-found", "no such token");
      return wire.certificate.encode(found.certificate, ns);
    });

  const old = options.oldDialect === undefined ? [] : issuingRoutes(oldProvisioningNs);
  return [...inEveryGeneration("provisioningTokens", ns => [...issuingRoutes(ns), lookUp(ns)]), ...old];
}
