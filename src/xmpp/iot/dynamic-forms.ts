// Forms that change while they are filled in: a form with fields others depend on has a session, is posted back, and comes
// again as the answers so far make it (XEP-0336, DF-DYN-01…07). One handler for all operations, since all that a client
// names is the session.

import { randomBytes } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import { type Caller, noTokens, type Tokens } from "#contract/caller.ts";
import { Refusal } from "#contract/faults.ts";
import { type Form, inWords, type Submission } from "#contract/filled-form.ts";
import type { Languages } from "#contract/language.ts";
import { formIdleMs, formsMax, formsPerJidMax } from "#limits.ts";
import { type IqRequest, type Route, route } from "#xmpp/router.ts";
import { dynamicNs, form as formCodec, formNs, giveUp, postBack, type SubmissionOnWire } from "./data-form.wire.ts";

/** The form of an operation with these answers in it, their faults on them; nothing is stored. Throws `Refusal`. */
export type Refill = (submission: Submission, language: string, signal: AbortSignal) => Promise<Form>;

export interface DynamicForms {
  readonly routes: readonly Route[];
  /** The form with a session in it, where it has a field that is posted back, and as this caller reads it. */
  shown(caller: Pick<Caller, "fullJid" | "language">, form: Form, refill: Refill, session?: string): Form;
  /** The form as this caller reads it, with a session that keeps the evidence he gave for it, if any (CTR-FORM-07). */
  bound(caller: Caller, form: Form): Form;
  /** The evidence given now, else what the form was asked for with. */
  tokensOf(fullJid: string, session: string, given: Tokens): Tokens;
  /** The form came back for good. */
  ended(fullJid: string, session: string): void;
  gone(fullJid: string): void;
  withdrawn(bareJid: string): void;
}

interface Session {
  readonly fullJid: string;
  /** Undefined: nothing in the form depends on anything, it is not posted back. */
  readonly refill: Refill | undefined;
  readonly tokens: Tokens;
  /** Monotonic. */
  usedAt: number;
}

export function createDynamicForms({ clock, languages }: { clock: Clock; languages: Languages }): DynamicForms {
  /** Longest unused first. */
  const sessions = new Map<string, Session>();

  const use = (id: string, session: Session) => {
    sessions.delete(id);
    sessions.set(id, { ...session, usedAt: clock.monotonic() });
  };
  const tidy = (fullJid: string) => {
    for (const [id, { usedAt }] of sessions) {
      if (sessions.size < formsMax && clock.monotonic() - usedAt < formIdleMs) break;
      sessions.delete(id);
    }
    // However many resources he has: the forms of others are not to go for his.
    const own = [...sessions].filter(([, session]) => bareOf(session.fullJid) === bareOf(fullJid));
    for (const [id] of own.slice(0, Math.max(0, own.length - formsPerJidMax + 1))) sessions.delete(id);
  };
  const find = (submission: SubmissionOnWire | undefined, fullJid: string) => {
    if (submission === undefined) throw new Refusal("bad-request", "A form is expected.");
    const session = sessions.get(submission.session);
    const alive = session !== undefined && clock.monotonic() - session.usedAt < formIdleMs;
    // Somebody else's is as unknown as one that has run out (DF-DYN-02).
    if (!alive || session.fullJid !== fullJid || session.refill === undefined)
      throw new Refusal("not-found", "This form is not open any more; ask for it anew.");
    return { id: submission.session, session, submission, refill: session.refill };
  };
  const drop = (goes: (session: Session) => boolean) => {
    for (const [id, session] of sessions) if (goes(session)) sessions.delete(id);
  };

  const answerPostBack = async (
    value: { submission: SubmissionOnWire | undefined },
    { from, language, signal }: IqRequest,
  ) => {
    const { id, session, submission, refill } = find(value.submission, from);
    use(id, session);
    const form = await refill(submission, language, signal);
    return formCodec.encode(shown({ fullJid: from, language }, form, refill, id), formNs);
  };
  const answerGiveUp = async (value: { submission: SubmissionOnWire | undefined }, { from }: IqRequest) => {
    sessions.delete(find(value.submission, from).id);
    return undefined;
  };

  const inLanguage = (language: string, form: Form) => inWords(form, text => languages.localize(language, text));
  const open = (fullJid: string, session: Omit<Session, "fullJid" | "usedAt">, known = ""): string => {
    const former = sessions.get(known);
    const id = former?.fullJid === fullJid ? known : randomBytes(16).toString("hex");
    if (id !== known) tidy(fullJid);
    use(id, { ...session, fullJid, usedAt: 0 });
    return id;
  };
  const shown: DynamicForms["shown"] = ({ fullJid, language }, form, refill, known) => ({
    ...inLanguage(language, form),
    session: form.fields.some(field => field.postBack) ? open(fullJid, { refill, tokens: noTokens }, known) : "",
  });

  return {
    routes: [route(["set"], dynamicNs, postBack, answerPostBack), route(["set"], dynamicNs, giveUp, answerGiveUp)],
    shown,
    bound({ fullJid, language, tokens }, form) {
      const bare = Object.values(tokens).every(list => list.length === 0);
      return { ...inLanguage(language, form), session: bare ? "" : open(fullJid, { refill: undefined, tokens }) };
    },
    tokensOf(fullJid, session, given) {
      const known = sessions.get(session);
      const alive = known?.fullJid === fullJid && clock.monotonic() - known.usedAt < formIdleMs;
      return alive && Object.values(given).every(list => list.length === 0) ? known.tokens : given;
    },
    ended(fullJid, session) {
      if (sessions.get(session)?.fullJid === fullJid) sessions.delete(session);
    },
    gone: fullJid => drop(session => session.fullJid === fullJid),
    withdrawn: bareJid => drop(session => bareOf(session.fullJid) === bareJid),
  };
}

const bareOf = (fullJid: string): string | undefined => fullJid.split("/", 1)[0];
