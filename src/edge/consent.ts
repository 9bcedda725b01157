// Who is let in: who has a role here, then owners and services, then whom the owner's service lets in. Decided and explained from
// the same sources.

import type { Explained } from "#concentrator/admission.ts";
import type { Roles } from "#concentrator/roles.ts";
import { allCategories } from "#contract/field.ts";
import type { Provisioning } from "#iot/provisioning.ts";
import type { Consent } from "#xmpp/presence.ts";

export interface LettingIn {
  decide(bareJid: string, signal: AbortSignal): Promise<Consent>;
  /** What `decide` would say, and why; asks nobody. */
  explain(bareJid: string): Explained;
}

export interface LettingInDeps {
  readonly roles: Pick<Roles, "of">;
  /** It is the registry, which has to see when we are there, and need not be the service that decides (PRES-SUB-01). */
  readonly isRegistry: (bareJid: string) => boolean;
  readonly provisioning: Pick<Provisioning, "decideSubscription" | "explainSubscription">;
}

export function createLettingIn({ roles, isRegistry, provisioning }: LettingInDeps): LettingIn {
  return {
    async decide(jid, signal) {
      if (isRegistry(jid)) return "accept";
      if (roles.of(jid).length > 0) return "accept-and-subscribe";
      const decided = await provisioning.decideSubscription(jid, signal);
      if (decided.kind === "accept") return decided.subscribeBack ? "accept-and-subscribe" : "accept";
      return decided.kind === "decline" && decided.unanswered ? "decline-for-now" : decided.kind;
    },
    explain(jid) {
      if (isRegistry(jid)) return { ...yes, rule: "services", because: { kind: "registry" } };
      const [role] = roles.of(jid);
      if (role !== undefined) return { ...yes, rule: "roles", because: { kind: "role", role } };
      const known = provisioning.explainSubscription(jid);
      switch (known.kind) {
        case "service":
          return { ...yes, rule: "services", because: { kind: "decider" } };
        case "owner":
          return { ...yes, rule: "owner", because: { kind: "owner", of: "something" } };
        case "unowned":
        case "unknown":
          return { rule: "provisioning", because: undefined, granted: undefined, deny: known.reason };
        case "service's word": {
          const { decided, because } = known;
          const isAllowed = "answer" in decided && decided.answer.allow;
          const deny = "answer" in decided ? undefined : decided.failed;
          return { rule: "provisioning", because, granted: isAllowed ? yes.granted : undefined, deny };
        }
      }
    },
  };
}

const yes = { granted: { categories: allCategories, names: [] }, deny: undefined };
