// The account of the appliance while it is used: its password is changed, by its owner's word or by the calendar, and it is given
// back when the appliance is taken out of service: things first, then the account, then what is kept here (ACC-IBR-07).

import type { Clock } from "#base/clock.ts";
import { backoff } from "#base/delays.ts";
import { describe, type Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import type { Task } from "#base/supervise.ts";
import type { OwnershipStore } from "#concentrator/ownership.ts";
import type { BootSettings } from "#config.ts";
import { Refusal } from "#contract/faults.ts";
import { type NodeRef, rootRef, sameNode } from "#contract/node.ts";
import type { Discovery } from "#iot/discovery.ts";
import {
  accountIdleMs,
  accountLeaveAfterMs,
  accountLookMs,
  clockEarliestMs,
  passwordAgainMs,
  passwordAgainMsMax,
  thingsLeaveEachMs,
  thingsLeaveMs,
} from "#limits.ts";
import { child, type Element, element } from "#xml/element.ts";
import type { Connection } from "#xmpp/connection.ts";
import { bareJid } from "#xmpp/jid.ts";
import { freshPassword } from "#xmpp/registration.ts";
import { registerNs } from "#xmpp/registration-form.ts";
import type { Credentials } from "#xmpp/sasl.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import type { AccountFile } from "./account-file.ts";

const words = {
  configured:
    "The account is written in the appliance's boot file, so it is not the appliance's to change or to remove.",
  leaving: "The appliance is being taken out of service.",
  none: "There is no account yet.",
  away: "There is no connection to the broker: the account would be left behind. Try again when there is.",
};

export interface AccountDeps {
  readonly settings: Pick<BootSettings, "domain" | "passwordDays">;
  readonly stores: {
    readonly credentials: AccountFile;
    /** Things that the registry may still have. */
    readonly ownership: Pick<OwnershipStore, "all">;
  };
  readonly session: Pick<Connection, "online" | "request">;
  readonly discovery: () => Pick<Discovery, "service" | "list" | "removed" | "thingsChanged">;
  /** The account is gone: so is what people left here. What is cut off goes on at the next start. */
  readonly forgetPeople: () => Promise<unknown>;
  /** Ends the program, to be started again; undefined when nobody would. */
  readonly restart: (() => void) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Account {
  /** Bare; known before the first log-in of this run, so that what was learned before it counts from the start. */
  jid(): string | undefined;
  /** Throws `Refusal`, and what a request throws when whether it was heard is unknown: the next log-in finds out. */
  changePassword(signal: AbortSignal): Promise<void>;
  /**
   * Takes the things out of the registry, telling how many are left; the appliance itself and the account follow a moment after
   * it resolved, when the answer has left, and as often as it takes. Throws `Refusal`; what is out of the registry then is offered
   * anew, as nobody's.
   */
  takeOutOfService(told: (left: number) => Promise<void>, signal: AbortSignal): Promise<void>;
  /** A stream was bound: what waits for one goes on. */
  online(): void;
  /** Nothing is to be registered any more. */
  readonly leaving: boolean;
  readonly run: Task;
}

export function createAccount(deps: AccountDeps): Account {
  const { settings, session: connection, clock, log } = deps;
  const { credentials, ownership } = deps.stores;
  const { domain } = settings;
  let leaving = false;
  let changing: Promise<void> | undefined;
  let wake = () => {};

  const ask = (type: "get" | "set", content: readonly Element[], signal: AbortSignal) =>
    connection.request(type, domain, element("query", registerNs, {}, content), { signal });
  const own = (): Credentials => {
    if (credentials.configured) throw new Refusal("not-allowed", words.configured);
    const known = credentials.load();
    if (known === undefined) throw new Refusal("not-allowed", words.none);
    return known;
  };
  const requireConnection = () => {
    if (!connection.online) throw new Refusal("busy", words.away);
  };

  const change = async (signal: AbortSignal): Promise<void> => {
    const { username, password: _, next, ...rest } = own();
    if (leaving) throw new Refusal("not-allowed", words.leaving);
    requireConnection();
    // One that was asked for and not confirmed may hold already: the same is asked for again.
    const password = next ?? freshPassword();
    const before = credentials.load() as Credentials;
    credentials.save({ ...before, next: password });
    const field = (name: string, text: string) => element(name, registerNs, {}, [text]);
    try {
      await ask("set", [field("username", username), field("password", password)], signal);
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      if (next === undefined) credentials.save(before);
      throw new Refusal("not-allowed", `The broker did not change the password: ${error.message}`);
    }
    credentials.save({ ...rest, username, password, since: clock.now() });
    log.notice("PasswordChanged", { account: `${username}@${domain}` });
  };

  /** Resolves with how many of the things the registry did not let go of in time. */
  const unregister = async (
    which: (ref: NodeRef) => boolean,
    told: (left: number) => Promise<void>,
    signal: AbortSignal,
  ): Promise<number> => {
    const discovery = deps.discovery();
    const things = discovery.list().filter(({ ref }) => which(ref));
    const until = clock.monotonic() + thingsLeaveMs + things.length * thingsLeaveEachMs;
    for (const { ref } of things) discovery.removed(ref);
    const left = () => ownership.all().filter(({ ref }) => which(ref)).length;
    // Where no registry was ever found nobody has anything to let go of.
    while (discovery.service !== undefined && left() > 0) {
      if (clock.monotonic() > until) return left();
      await told(left());
      await clock.sleep(accountLookMs, signal);
    }
    return 0;
  };

  /** The appliance itself, and then the account: when nobody is to be told any more. */
  const leave = async (signal: AbortSignal): Promise<void> => {
    const left = await unregister(
      () => true,
      async () => {},
      signal,
    );
    if (left > 0) log.warning("things-not-unregistered", { count: left });
    else await giveBack(signal);
  };

  const giveBack = async (signal: AbortSignal): Promise<void> => {
    const { username } = own();
    try {
      await ask("set", [element("remove", registerNs)], signal);
    } catch (error) {
      if (!(error instanceof StanzaError)) {
        // Some brokers end the stream instead of answering. The next log-in is refused when it was done.
        log.info("account-removal-unanswered", { reason: describe(error) });
        return;
      }
      log.error("account-not-removed", { account: `${username}@${domain}`, why: error.message });
      const { leaving: _, ...kept } = own();
      credentials.save(kept);
      leaving = false;
      deps.discovery().thingsChanged();
      return;
    }
    credentials.retire();
  };

  const isDue = (): boolean => {
    const known = credentials.load();
    const periodMs = settings.passwordDays * 86_400_000;
    const now = clock.now();
    if (known === undefined || credentials.configured || periodMs === 0 || leaving || now < clockEarliestMs)
      return false;
    if (known.since === undefined) credentials.save({ ...known, since: now });
    return known.since !== undefined && now - known.since >= periodMs;
  };

  return {
    jid() {
      const known = credentials.load();
      return known === undefined ? undefined : bareJid(`${known.username}@${domain}`);
    },
    changePassword(signal) {
      changing ??= change(signal).finally(() => {
        changing = undefined;
      });
      return changing;
    },
    async takeOutOfService(told, signal) {
      const known = own();
      requireConnection();
      await changing?.catch(() => {});
      const answer = await ask("get", [], signal).catch((error: unknown) => {
        if (error instanceof StanzaError)
          throw new Refusal("not-allowed", `The broker does not let accounts be given back: ${error.message}`);
        throw error;
      });
      if (answer !== undefined && child(answer, "registered") === undefined)
        throw new Refusal("not-allowed", "The broker does not say that this account could be given back.");
      leaving = true;
      try {
        // The appliance itself is the last to go: it is by owning it that somebody may follow this.
        const left = await unregister(ref => !sameNode(ref, rootRef), told, signal);
        if (left > 0) {
          throw new Refusal(
            "busy",
            `The registry did not answer for ${left} of the things; the others are out of it, and are offered to it again. Try again later.`,
          );
        }
        credentials.save({ ...known, leaving: true });
        wake();
      } catch (error) {
        leaving = false;
        deps.discovery().thingsChanged();
        throw error;
      }
    },
    online: () => wake(),
    get leaving() {
      return leaving || credentials.load()?.leaving === true || credentials.retired() !== undefined;
    },
    async run(signal) {
      const pauses = () => backoff(passwordAgainMs, passwordAgainMsMax);
      let again = pauses();
      let goingAs: string | undefined;
      while (!signal.aborted) {
        using pause = createScope(signal);
        wake = () => pause.abort();
        let wait = accountIdleMs;
        const known = credentials.load();
        if (known?.leaving) {
          goingAs = known.username;
          // Not before the answer to who asked for it has left.
          await clock.sleep(accountLeaveAfterMs, signal).catch(() => {});
          if (!signal.aborted && connection.online) await leave(signal).catch(() => {});
          wait = accountLookMs;
        } else if (known === undefined && goingAs !== undefined) {
          log.notice("AccountRemoved", { account: `${goingAs}@${domain}` });
          goingAs = undefined;
          await deps.forgetPeople().catch((error: unknown) => log.warning("owner-not-forgotten", { error }));
          deps.restart?.();
        } else if (connection.online && isDue()) {
          try {
            await this.changePassword(signal);
            again = pauses();
          } catch (error) {
            if (signal.aborted) return;
            log.warning("password-not-changed", { error });
            wait = again.next().value as number;
          }
        }
        await clock.sleep(wait, pause.signal).catch(() => {});
      }
    },
  };
}
