// What the broker asks of us before it makes an account (broker/prosody/mod_isthmus_accounts.lua): our own few words over the
// component's link, since registration happens inside the broker and never reaches a component (ACC-SRV-01). Only a domain that
// we serve may ask, which no client can pretend to be.

import type { Log } from "#base/log.ts";
import { formFieldsMax, formValueCharsMax } from "#limits.ts";
import { child, type Element, element, elements, textOf } from "#xml/element.ts";
import { parseJid } from "#xmpp/jid.ts";
import type { IqRequest, Route } from "#xmpp/router.ts";
import type { SignedField } from "#xmpp/signed-form.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import type { Granted, Submitted } from "./check.ts";
import type { AccountStore } from "./store.ts";

export const accountsNs = "urn:isthmus:accounts:0";
const formNs = "jabber:x:data";

export interface AccountRouteDeps {
  readonly store: AccountStore;
  readonly check: (form: Submitted) => Granted | undefined;
  readonly isLocal: (domain: string) => boolean;
  readonly log: Log;
}

/**
 * `sign` (token, tokenSecret, ip, to; the submitted form) → `granted` (id, key, name) or bad-request without detail;
 * `made` and `unmade` (id) → an empty result; `suspended` → `key` (id) of each key whose accounts are shut out.
 */
export function accountRoutes({ store, check, isLocal, log }: AccountRouteDeps): Route[] {
  const serve = (
    type: "get" | "set",
    name: string,
    answer: (payload: Element, domain: string) => Element | undefined,
  ): Route => ({
    types: [type],
    ns: accountsNs,
    name,
    access: "anyone",
    async handle({ from, payload }) {
      return answer(payload, brokerOf(from, isLocal));
    },
  });
  const idOf = ({ attrs }: Element): number => {
    if (!/^\d{1,15}$/.test(attrs.id ?? "")) throw badRequest();
    return Number(attrs.id);
  };

  return [
    serve("set", "sign", (payload, domain) => {
      const granted = check(submittedOf(payload, domain));
      if (granted === undefined) throw badRequest();
      const { id, key, name } = granted;
      return element("granted", accountsNs, { id: String(id), key, name });
    }),
    serve("set", "made", (payload, domain) => {
      const id = idOf(payload);
      if (!store.made(id, domain)) throw new StanzaError("cancel", "item-not-found");
      log.notice("account-made", { domain, reservation: id });
      return undefined;
    }),
    serve("set", "unmade", (payload, domain) => {
      if (!store.release(idOf(payload), domain)) throw new StanzaError("cancel", "item-not-found");
      return undefined;
    }),
    serve("get", "suspended", () => {
      const keys = store.keys().filter(one => one.state === "suspended");
      return element(
        "suspended",
        accountsNs,
        {},
        keys.map(({ id }) => element("key", accountsNs, { id })),
      );
    }),
  ];
}

/** The domain itself, not an account of it; to anybody else there is nothing here. */
function brokerOf(from: IqRequest["from"], isLocal: (domain: string) => boolean): string {
  const jid = parseJid(from);
  if (jid === undefined || jid.local !== "" || jid.resource !== "" || !isLocal(jid.domain))
    throw new StanzaError("cancel", "service-unavailable");
  return jid.domain;
}

const badRequest = () => new StanzaError("modify", "bad-request");

function submittedOf(payload: Element, domain: string): Submitted {
  const { token = "", tokenSecret = "", ip = "", to = "" } = payload.attrs;
  const form = child(payload, "x", formNs);
  const fields = form === undefined ? [] : elements(form).filter(one => one.ns === formNs && one.name === "field");
  if (fields.length > formFieldsMax) throw badRequest();
  return { fields: fields.map(fieldOf), domain, to, token, tokenSecret, from: ip };
}

function fieldOf(field: Element): SignedField {
  const values = elements(field)
    .filter(one => one.ns === formNs && one.name === "value")
    .map(textOf);
  if (field.attrs.var === undefined || values.some(one => one.length > formValueCharsMax)) throw badRequest();
  return { name: field.attrs.var, values };
}
