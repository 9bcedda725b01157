// Whether a question may be shown to the owner (PROVO-Q-08, FED-04): anybody can send a message that looks like one, also in the
// hope that he gets used to saying yes. It has to come from the service of the device's own domain, about something of his there.

import { rootRef, sameNode } from "#contract/node.ts";
import { questionsJudgedMax } from "#limits.ts";
import { domainOf } from "#xmpp/jid.ts";
import type { OwnedThing, OwnerDeps } from "./owner.ts";
import type { OwnerQuestion } from "./questions.ts";

export interface Vouching {
  /** Undefined: it may be shown; else why not, in words. Never rejects. */
  doubt(question: OwnerQuestion, signal: AbortSignal): Promise<string | undefined>;
  /** A list that is being fetched anyway: each fetching makes the service send its questions once more. */
  learn(domain: string, owned: Promise<readonly OwnedThing[]>): void;
}

export interface VouchingDeps extends Pick<OwnerDeps, "services"> {
  /** What one owns at a domain. */
  readonly things: (domain: string, signal: AbortSignal) => Promise<readonly OwnedThing[]>;
}

/** One question would do to make us ask a service what we own; so many that miss, and it is not asked again. */
const missesMax = 5;

export function createVouching({ services, things }: VouchingDeps): Vouching {
  const lists = new Map<string, { things: Promise<readonly OwnedThing[]>; misses: number }>();
  let judging = 0;

  const remember = (domain: string, owned: Promise<readonly OwnedThing[]>, misses: number) => {
    const one = { things: owned, misses };
    lists.set(domain, one);
    owned.catch(() => {
      if (lists.get(domain) === one) lists.delete(domain);
    });
    return one;
  };

  const ownsThere = async (question: OwnerQuestion, domain: string, signal: AbortSignal): Promise<boolean> => {
    const known = lists.get(domain);
    if (known !== undefined && isAmong(await known.things, question)) return true;
    // It may have been claimed since.
    if (known !== undefined && known.misses >= missesMax) return false;
    const fresh = remember(domain, things(domain, signal), (known?.misses ?? -1) + 1);
    return isAmong(await fresh.things, question);
  };

  const judge = async (question: OwnerQuestion, signal: AbortSignal): Promise<string | undefined> => {
    const domain = domainOf(question.device);
    const { provisioning } = await services(domain, signal);
    if (provisioning?.jid !== question.service) return `${question.service} is not the service of ${domain}`;
    return (await ownsThere(question, domain, signal)) ? undefined : `you own no such thing at ${domain}`;
  };

  return {
    learn: (domain, owned) => void remember(domain, owned, lists.get(domain)?.misses ?? 0),
    async doubt(question, signal) {
      if (judging >= questionsJudgedMax) return "too many questions came at once";
      judging++;
      try {
        return await judge(question, signal);
      } catch (error) {
        return `nobody at ${domainOf(question.device)} could be asked about it: ${(error as Error).message}`;
      } finally {
        judging--;
      }
    },
  };
}

const isAmong = (things: readonly OwnedThing[], { kind, device, node }: OwnerQuestion): boolean =>
  things.some(
    one => one.jid === device && (kind === "isFriend" || sameNode(one.ref, node.nodeId === "" ? rootRef : node)),
  );
