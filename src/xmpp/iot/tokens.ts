// Tokens as the appliance meets them: it forwards to its service those whose key answered a challenge, and passes on
// challenges for those it forwarded, to whoever showed them (TOK-CHAL, TOK-FWD). It holds none itself.

import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import type { Log } from "#base/log.ts";
import type { Question, Rule } from "#concentrator/admission.ts";
import type { TokenEvidence } from "#concentrator/basis.ts";
import { noTokens, type Tokens } from "#contract/caller.ts";
import { tokenChallengeMs, tokenHopMs, tokenHopsMax, tokenWaitMs } from "#limits.ts";
import type { Connection } from "../connection.ts";
import { bareJid, normalJid } from "../jid.ts";
import { type Route, route } from "../router.ts";
import { StanzaError } from "../stanza.ts";
import { type Element, firstElement } from "../xml/element.ts";
import { type Generation, generationOf, inEveryGeneration, namespace } from "./generations.ts";
import { isToken, tokensMax } from "./provisioning-device.wire.ts";
import * as wire from "./provisioning-tokens.wire.ts";
import type { Service } from "./registration.ts";
import { createTokenEvidences, type Fate } from "./token-evidence.ts";
import { createTokenProofs, type Shown } from "./token-proofs.ts";
import { createTokenWays } from "./token-ways.ts";

export interface TokenDeskDeps {
  readonly connection: Pick<Connection, "online" | "request">;
  /** The provisioning service: issuer of the tokens that count here. */
  readonly service: () => Service | undefined;
  /** Strangers' tokens are not remembered. */
  readonly isContact: (bareJid: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface TokenDesk {
  /** The rule with proven tokens alone in its questions; what is not proven in time counts as not shown. */
  guard(rule: Rule): Rule;
  /** What he showed last of tokens, and whether they count; asks nobody. */
  explain(bareJid: string): TokenEvidence | undefined;
  /** Told of every request that comes in, before it is answered. */
  seen(stanza: Element): void;
  /** Tells what tokens leave for whom. */
  readonly connection: Pick<Connection, "online" | "request">;
  readonly routes: readonly Route[];
}

/** `isOn`: tokens are taken as evidence. */
export function createTokenDesk(isOn: boolean, deps: TokenDeskDeps): TokenDesk {
  if (!isOn) return noTokenDesk(deps);
  const { connection, clock, log } = deps;
  const ways = createTokenWays(clock);
  const evidences = createTokenEvidences(clock);
  /** How whoever showed a token speaks; the published generation of most software unless known. */
  const spoken = new Map<string, Generation>();

  const proofs = createTokenProofs({
    connection,
    async certificateOf(token, signal) {
      const service = deps.service();
      // Only the issuer knows, and only the own service is believed: others would vouch for whom they like.
      if (service === undefined || wire.issuerOf(token) !== service.jid) throw new Error("issued by somebody else");
      const ns = namespace("provisioningTokens", service.generation);
      const reply = await connection.request("get", service.jid, wire.getCertificate.encode({ token }, ns), { signal });
      if (reply?.name !== wire.certificate.name) throw new Error("no certificate in the answer");
      return wire.certificate.decode(reply);
    },
    generation: to => spoken.get(to) ?? "nf",
    clock,
    log,
    signal: deps.signal,
  });

  const isProven = (shown: Shown): boolean => ["proven", "stale"].includes(proofs.look(shown));

  /** Undefined: not known yet, and worth waiting for. */
  const settled = (shown: Shown): boolean | undefined => {
    const proof = proofs.look(shown);
    if (proof === "proven") return true;
    // A holder answers only for what he has sent just now: asking at another time would only fail (TOK-CHAL-02).
    const canAsk = ways.isFresh(shown.token, shown.to);
    if (proof === "stale") {
      if (canAsk) void proofs.prove(shown);
      return true;
    }
    return proof === "failed" || !canAsk ? false : undefined;
  };

  /** What of the caller's tokens counts: at once where all is known. */
  const proven = ({ caller }: Question): Tokens | Promise<Tokens> => {
    const { bareJid: subject, fullJid: to, tokens } = caller;
    const service = deps.service();
    const distinct = wire.tokenKinds.map(kind => [...new Set(tokens[kind])].filter(isToken));
    const all = [...new Set(distinct.flat())].filter(token => wire.issuerOf(token) === service?.jid);
    const known = new Map(all.map(token => [token, settled({ subject, token, to })]));
    const open = all.filter(token => known.get(token) === undefined);
    const counting = (): Tokens => {
      const [s = [], d = [], u = []] = distinct.map(list => list.filter(token => known.get(token) === true));
      return { service: s, device: d, user: u };
    };
    if (open.length === 0) return counting();
    const asking = open.map(async token => known.set(token, await proofs.prove({ subject, token, to })));
    return within(clock, tokenWaitMs, "the proof of a token", deps.signal, () => Promise.all(asking)).then(
      counting,
      counting,
    );
  };

  const isOurs = (token: string): boolean => wire.issuerOf(token) === deps.service()?.jid;
  const fateOf = (subject: string, token: string): Fate => {
    if (!isOurs(token)) return { provenAt: undefined, dropped: { why: "foreign" } };
    const story = proofs.story({ subject, token });
    if (story?.failed !== undefined) return { provenAt: undefined, dropped: { why: story.failed, at: story.at } };
    const provenAt = story?.at;
    return { provenAt, dropped: isProven({ subject, token, to: subject }) ? undefined : { why: "open" } };
  };

  const alreadyProven = ({ caller: { bareJid: subject, fullJid: to, tokens } }: Question): Tokens => {
    const known = (list: readonly string[]) =>
      [...new Set(list)].filter(token => isOurs(token) && isProven({ subject, token, to }));
    return { service: known(tokens.service), device: known(tokens.device), user: known(tokens.user) };
  };

  const withTokens = (question: Question, tokens: Tokens): Question => ({
    ...question,
    caller: { ...question.caller, tokens },
  });

  return {
    guard: rule => ({
      name: rule.name,
      ask(question, signal, explaining) {
        const { caller, right } = question;
        const { service, device, user } = caller.tokens;
        if (service.length + device.length + user.length === 0) return rule.ask(question, signal, explaining);
        // Only reading and control are put to the service; nothing else looks at tokens.
        if (right !== "read" && right !== "control")
          return rule.ask(withTokens(question, noTokens), signal, explaining);
        // What is explained is what is known: nobody is asked for it.
        const tokens = explaining ? alreadyProven(question) : proven(question);
        if (!("then" in tokens)) return rule.ask(withTokens(question, tokens), signal, explaining);
        return tokens.then(those => rule.ask(withTokens(question, those), signal, explaining));
      },
    }),

    explain: bareJid => evidences.of(bareJid, token => fateOf(bareJid, token)),

    seen(stanza) {
      const from = normalJid(stanza.attrs.from);
      const fromBare = bareJid(stanza.attrs.from);
      const payload = firstElement(stanza);
      if (from === undefined || fromBare === undefined || payload === undefined) return;
      const tokens = tokensIn(payload);
      if (isNone(tokens) || !deps.isContact(fromBare)) return;
      evidences.showed(fromBare, tokens);
      const shown = wellFormed(tokens);
      if (shown.length === 0) return;
      for (const token of shown) ways.came(token, from, fromBare);
      const generation = (["nfi", "nf", "ieee"] as const).find(one => payload.ns.startsWith(`urn:${one}:`));
      if (generation !== undefined) spoken.set(from, generation);
      const [oldest] = spoken.keys();
      if (spoken.size > 1_000 && oldest !== undefined) spoken.delete(oldest);
    },

    connection: {
      get online() {
        return connection.online;
      },
      request(type, to, payload, how) {
        if (to !== undefined) for (const token of wellFormed(tokensIn(payload))) ways.went(token, to);
        return connection.request(type, to, payload, how);
      },
    },

    routes: inEveryGeneration("provisioningTokens", ns => [
      route(["get"], ns, wire.tokenChallenge, async ({ token, data, hops }, { from, signal }) => {
        if (hops >= tokenHopsMax) throw new StanzaError("cancel", "forbidden");
        // Only to whom it was forwarded just now: everybody else has no business with it (TOK-CHAL-02).
        const to = ways.back(token, from, one => isProven({ subject: one.fromBare, token, to: one.from }));
        if (to === undefined || !ways.begin(token, data)) throw new StanzaError("cancel", "forbidden");
        try {
          const onward = wire.tokenChallenge.encode(
            { token, data, hops: hops + 1 },
            namespace("provisioningTokens", spoken.get(to) ?? generationOf("provisioningTokens", ns) ?? "nf"),
          );
          const timeoutMs = tokenChallengeMs - tokenHopMs * (hops + 1);
          const reply = await connection.request("get", to, onward, { timeoutMs, signal });
          if (reply?.name !== wire.tokenChallengeResponse.name) throw new StanzaError("cancel", "forbidden");
          return wire.tokenChallengeResponse.encode(wire.tokenChallengeResponse.decode(reply), ns);
        } finally {
          ways.end(token, data);
        }
      }),
    ]),
  };
}

/** Of one element what is shown as tokens, each once; some may be none. */
function tokensIn({ attrs }: Element): Tokens {
  const of = (kind: wire.TokenKind): readonly string[] => {
    const text = attrs[wire.tokenAttributes[kind]];
    return text === undefined ? [] : [...new Set(text.split(/\s+/))].filter(word => word !== "").slice(0, tokensMax);
  };
  return { service: of("service"), device: of("device"), user: of("user") };
}
const wellFormed = (tokens: Tokens): string[] => wire.tokenKinds.flatMap(kind => tokens[kind]).filter(isToken);
const isNone = ({ service, device, user }: Tokens): boolean => service.length + device.length + user.length === 0;

/**
 * Where tokens are not taken as evidence they go no further: what was not proven must not widen anything (TOK-THR-01), and
 * who decides elsewhere may not know that it was not.
 */
function noTokenDesk({ connection, clock, isContact }: TokenDeskDeps): TokenDesk {
  const evidences = createTokenEvidences(clock);
  return {
    guard: rule => ({
      name: rule.name,
      ask: (question, signal, explaining) =>
        rule.ask({ ...question, caller: { ...question.caller, tokens: noTokens } }, signal, explaining),
    }),
    explain: bareJid => evidences.of(bareJid, () => ({ provenAt: undefined, dropped: { why: "off" } })),
    seen(stanza) {
      const from = bareJid(stanza.attrs.from);
      const payload = firstElement(stanza);
      const tokens = payload && tokensIn(payload);
      if (from !== undefined && tokens !== undefined && !isNone(tokens) && isContact(from))
        evidences.showed(from, tokens);
    },
    connection,
    routes: [],
  };
}
