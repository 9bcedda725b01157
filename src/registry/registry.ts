// The Thing Registry and provisioning service as one component: takes stanzas, answers by its routes, keeps its roster,
// tells devices what changed. It knows a connection, not a broker, so that it is tested through a pipe of stanzas.

import type { Clock } from "#base/clock.ts";
import { backoff } from "#base/delays.ts";
import type { Log } from "#base/log.ts";
import { supervise, type Task } from "#base/supervise.ts";
import { rootRef } from "#contract/node.ts";
import { namespaces } from "#iot/generations.ts";
import {
  clearBeforeAnswerMs,
  pushNetMs,
  questionOnPresenceMs,
  reconnectFirstMs,
  reconnectMsMax,
  registryRequestsMax,
  serviceGapMs,
} from "#limits.ts";
import { type Element, element, elements } from "#xml/element.ts";
import type { Connection, Inbound } from "#xmpp/connection.ts";
import { createDisco } from "#xmpp/disco.ts";
import { normalJid } from "#xmpp/jid.ts";
import { createRouter, type MessageRoute, type Route } from "#xmpp/router.ts";
import { componentNs, decodeError, encodeError, StanzaError } from "#xmpp/stanza.ts";
import { createBorder } from "./border.ts";
import { createClaims } from "./claims.ts";
import { commandRoutes, discoWithCommands } from "./command-routes.ts";
import { deviceRoutes } from "./device-routes.ts";
import { discoveryRoutes } from "./discovery-routes.ts";
import { createDomainPolicy, everybody } from "./domain-policy.ts";
import { createDoor } from "./door.ts";
import { ownerMessages, ownerRoutes } from "./owner-routes.ts";
import { createPeers } from "./peers.ts";
import { createPushes } from "./pushes.ts";
import type { Say } from "./question-message.ts";
import { createQuestions } from "./questions.ts";
import { createReach } from "./reach.ts";
import { createRules } from "./rules.ts";
import { searchRoutes } from "./search-routes.ts";
import type { RegistryOptions, Service } from "./service.ts";
import type { RegistryStore } from "./store.ts";
import { createEvidence } from "./token-evidence.ts";
import { tokenRoutes } from "./token-routes.ts";
import { createTokens } from "./tokens.ts";

export interface RegistryDeps {
  readonly options: RegistryOptions;
  readonly store: RegistryStore;
  readonly connection: Connection;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Served besides, to whom they allow: no dealings with things. */
  readonly routes?: readonly Route[];
  readonly messages?: readonly MessageRoute[];
  /** What owners read, in their language; English unless given. */
  readonly say?: Say;
}

export interface Registry {
  /** For the component. */
  readonly inbound: Required<Inbound>;
  /** Retries, reminders, expiry; until aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** Resolves when what stanzas have set in motion is done; for tests and an orderly end. */
  idle(): Promise<void>;
}

export function createRegistry(deps: RegistryDeps): Registry {
  const { store, connection, clock, log, signal, options } = deps;
  const domains = new Set(options.localDomains);
  const running = new Set<Promise<void>>();
  const following = new Map<string, { what: string; work: () => Promise<void> }[]>();
  let offlineAt: number | undefined;
  let started = false;

  const background = (what: string, work: () => Promise<void>) => {
    const done: Promise<void> = work()
      .catch(error => {
        if (!signal.aborted) log.error("background-failed", { what, error });
      })
      .finally(() => running.delete(done));
    running.add(done);
  };
  const keep = (what: string, task: Task, until: AbortSignal) => {
    const failed = (error: unknown, nextMs: number) => log.error("task-failed", { what, error, nextMs });
    const delays = () => backoff(reconnectFirstMs, reconnectMsMax);
    return supervise(task, { delays, healthyMs: clearBeforeAnswerMs * 10, clock, failed }, until);
  };
  const requestKey = (from: string, id: string) => `${from}\n${id}`;

  const isLocal = (domain: string) => domains.has(domain);
  const base = { store, connection, clock, log, signal, jid: options.jid, isLocal, background };
  const available = (bare: string, full: string, first: boolean) => {
    background("pushes", () => pushes.deliver(bare, full));
    if (first) background("questions", () => questions.resend(bare, questionOnPresenceMs));
  };
  /** What it missed cannot be known; a clear of everything contains it (PROV-THR-06). */
  const revived = (bare: string) =>
    store.change(records =>
      records.putPending(
        { jid: bare, what: "clearCache", ref: rootRef, owner: undefined, isPublic: false },
        clock.now() + pushNetMs,
      ),
    );
  const peers = createPeers({ ...base, available, revived });
  const pushes = createPushes({ ...base, peers, speaksOld: options.oldDialect !== undefined });
  const policy = createDomainPolicy(options.policy ?? everybody, options.localDomains);
  const border = createBorder(policy, log);
  const reach = createReach({ ...base, returned: () => questions.returned() });
  const questions = createQuestions({ ...base, peers, reach, policy, say: deps.say ?? (english => english) });
  const claims = createClaims({ ...base, pushes, allowWeakKey: options.allowWeakKey });
  const tokens = options.tokens && createTokens({ ...base, options: options.tokens, wake: () => pushes.wake() });
  const service: Service = {
    ...base,
    options,
    peers,
    pushes,
    questions,
    claims,
    rules: createRules(store, clock),
    evidence: tokens && createEvidence({ ...base, tokens, peers }),
    after(request, what, work) {
      const one = requestKey(request.from, request.id);
      following.set(one, [...(following.get(one) ?? []), { what, work }]);
    },
  };

  const reply = (stanza: Element) => {
    try {
      connection.send(stanza);
    } catch (error) {
      log.warning("reply-unsent", { to: stanza.attrs.to, error });
    }
    const one = requestKey(normalJid(stanza.attrs.to) ?? "", stanza.attrs.id ?? "");
    const rest = following.get(one) ?? [];
    following.delete(one);
    for (const { what, work } of rest) background(what, work);
  };

  const door = createDoor(service);
  const served = [
    ...discoveryRoutes(service),
    ...searchRoutes(service),
    ...deviceRoutes(service).map(border.guarded),
    ...ownerRoutes(service),
    ...commandRoutes(service),
    ...(tokens === undefined ? [] : tokenRoutes(service, tokens)),
  ];
  const disco = createDisco({
    features: () => [...router.features, ...new Set((deps.messages ?? []).map(({ ns }) => ns))],
    identity: { category: "component", type: "generic", name: "Thing Registry" },
    node: "urn:isthmus:registry",
  });
  const router = createRouter({
    routes: [...served.map(door), ...discoWithCommands(options.jid, disco.routes), ...(deps.routes ?? [])],
    messages: [...ownerMessages(service), ...(deps.messages ?? [])],
    // Everybody may ask; each route decides by the sender (PRES-CMP-04).
    gate: () => true,
    reply,
    clock,
    log,
    signal,
    concurrentMax: registryRequestsMax,
    replayMs: 60_000,
    replaysMax: 10_000,
  });

  /** Another local part of our domain: nobody is there (PRES-CMP-03). The answer comes from where the question went. */
  const isElsewhere = (stanza: Element) => normalJid(stanza.attrs.to) !== options.jid;
  const refuseElsewhere = (stanza: Element) => {
    const { to, from, id, type } = stanza.attrs;
    if (from === undefined || type === "error" || type === "result") return;
    const error = encodeError(new StanzaError("cancel", "item-not-found"), componentNs);
    connection.send(element(stanza.name, componentNs, { type: "error", id, to: from, from: to }, [error]));
  };

  /** True when it is let in: from a welcome domain. What an error says of the way to a domain is noted (FED-05). */
  const passes = (stanza: Element): boolean => {
    const { from = "", type, id, to } = stanza.attrs;
    const isFault = type === "error";
    const refusal = border.refusal(stanza);
    if (refusal === undefined) {
      if (!isFault || !reach.cameBack(from, decodeError(stanza).condition)) reach.heard(from);
      return true;
    }
    if (stanza.name === "iq" && (type === "get" || type === "set")) {
      const error = encodeError(refusal, componentNs);
      connection.send(element("iq", componentNs, { type: "error", id, to: from, from: to }, [error]));
    }
    return false;
  };

  /** A question that the owner's broker would not keep is asked again when he is seen. */
  const bounced = (stanza: Element) => {
    const ours = new Set(namespaces("provisioningOwner"));
    const key = elements(stanza).find(one => ours.has(one.ns))?.attrs.key ?? stanza.attrs.id;
    const { condition } = decodeError(stanza);
    if (key !== undefined && key !== "")
      background("bounce", () => questions.bounced(key, stanza.attrs.from ?? "", condition));
  };

  return {
    inbound: {
      iq(stanza) {
        if (isElsewhere(stanza)) refuseElsewhere(stanza);
        else if (passes(stanza)) background("iq", () => router.iq(stanza));
      },
      message(stanza) {
        if (isElsewhere(stanza)) refuseElsewhere(stanza);
        else if (!passes(stanza)) return;
        else if (stanza.attrs.type === "error") bounced(stanza);
        else background("message", () => router.message(stanza));
      },
      presence(stanza) {
        if (passes(stanza)) peers.presence(stanza);
      },
      online(_jid, resumed) {
        if (resumed) return;
        const gapMs = offlineAt === undefined ? 0 : clock.monotonic() - offlineAt;
        const first = !started;
        started = true;
        offlineAt = undefined;
        // Deployed devices remember that nobody answered as a refusal, for ever (PROV-CLEAR-05).
        const isOwed = first || gapMs > serviceGapMs;
        const clear = () => store.change(records => records.clearEveryDevice());
        background("online", async () => {
          const isDone =
            !isOwed ||
            (await clear().then(
              () => true,
              () => false,
            ));
          peers.online();
          if (isDone) return;
          // A full disk keeps nobody from being seen; who is there is told once there is room.
          await keep("clears", clear, signal);
          if (!signal.aborted) peers.online();
        });
      },
      offline() {
        offlineAt ??= clock.monotonic();
      },
    },
    async run(stop) {
      await keep("disowns", () => store.change(records => records.restoreDisowns()), stop);
      await Promise.all([
        keep("pushes", pushes.run, stop),
        keep("questions", questions.run, stop),
        keep("reach", reach.run, stop),
        ...(tokens === undefined ? [] : [keep("tokens", tokens.run, stop)]),
      ]);
    },
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
