// The border to other domains (FED-03): what comes from a domain that is not welcome is refused before anybody looks into it,
// and what is asked about its people is refused without a question to the owner.

import type { Log } from "#base/log.ts";
import { noCategories } from "#contract/field.ts";
import { inEveryGeneration, namespaces } from "#iot/generations.ts";
import { oldDiscoveryNs } from "#iot/old-discovery.ts";
import * as wire from "#iot/provisioning-device.wire.ts";
import { type Element, firstElement } from "#xml/element.ts";
import { bareJid, domainOf } from "#xmpp/jid.ts";
import type { Route } from "#xmpp/router.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import type { DomainPolicy } from "./domain-policy.ts";

export interface Border {
  /** What an iq, message or presence is refused with; undefined: it may pass. */
  refusal(stanza: Element): StanzaError | undefined;
  /** A route on which devices ask about their callers, now closed to those from denied domains. */
  guarded(route: Route): Route;
}

/** What begins something new: all the rest goes on with what was agreed. */
const beginnings = new Set(["mine", "search", "query"]);

export function createBorder(policy: DomainPolicy, log: Log): Border {
  const discovery = new Set([...namespaces("discovery"), oldDiscoveryNs]);
  const begins = (stanza: Element): boolean => {
    const payload = stanza.name === "iq" ? firstElement(stanza) : undefined;
    return payload !== undefined && discovery.has(payload.ns) && beginnings.has(payload.name);
  };
  return {
    refusal(stanza) {
      const from = bareJid(stanza.attrs.from);
      const standing = from === undefined ? "allow" : policy.standing(from);
      if (from === undefined || standing === "allow" || (standing === "limited" && !begins(stanza))) return undefined;
      const element = stanza.name === "iq" ? firstElement(stanza)?.name : stanza.name;
      log.warning("DomainRefused", { from, domain: domainOf(from), standing, element });
      const why = standing === "deny" ? "has no dealings with" : "takes no new claims and searches from";
      return new StanzaError("auth", "forbidden", `this service ${why} ${domainOf(from)}`);
    },
    guarded: route => ({
      ...route,
      async handle(request) {
        const caller = bareJid(request.payload.attrs.jid);
        if (caller === undefined || policy.standing(caller) !== "deny") return route.handle(request);
        log.info("DecisionDenied", { thing: request.fromBare, caller, why: "its domain is denied" });
        return refusals.get(`${route.ns} ${route.name}`)?.(caller);
      },
    }),
  };
}

/** By namespace and name of the question. */
const refusals = new Map(
  inEveryGeneration("provisioningDevice", (ns, generation): [string, (jid: string) => Element][] => [
    [`${ns} isFriend`, jid => wire.isFriendResponse.encode({ jid, result: false }, ns)],
    [
      `${ns} canRead`,
      jid => wire.canReadResponse.encode({ jid, result: false, categories: noCategories, nodes: [], names: [] }, ns),
    ],
    [
      `${ns} canControl`,
      jid => {
        const parameters = { names: [], form: wire.answeredForm(generation, "none") };
        return wire.canControlResponse.encode({ jid, result: false, nodes: [], parameters }, ns);
      },
    ],
  ]),
);
