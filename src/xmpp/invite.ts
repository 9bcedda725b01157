// An invitation to an account, as a link or the text of a QR code (XEP-0445, XEP-0401): xmpp:domain?register;preauth=TOKEN, or
// with the name that the account is to have before the domain.

import { inviteCharsMax } from "#limits.ts";
import { parseJid } from "./jid.ts";

export interface Invite {
  readonly domain: string;
  readonly token: string;
  /** Absent: chosen here. */
  readonly username?: string;
}

/** The text is no invitation to an account; the message says what is expected. It never repeats the text, which holds the token. */
export class InviteError extends Error {
  override name = "InviteError";
}

/** Throws `InviteError`. */
export function parseInvite(text: string): Invite {
  const [, address = "", query = ""] = /^xmpp:([^?#]*)\?([^#]*)$/i.exec(text.trim()) ?? [];
  if (text.length > inviteCharsMax || query === "") throw new InviteError(expected);
  const [action = "", ...pairs] = query.split(";");
  if (action === "roster")
    throw new InviteError("that invites a person to be somebody's contact; an appliance needs an invite to an account");
  if (action !== "register") throw new InviteError(expected);
  const tokens = pairs.flatMap(one => /^preauth=(.+)$/.exec(one)?.[1] ?? []).map(plain);
  const [token = ""] = tokens;
  const jid = parseJid(plain(address));
  if (tokens.length !== 1 || token === "" || jid === undefined || jid.resource !== "") throw new InviteError(expected);
  return { domain: jid.domain, token, ...(jid.local === "" ? {} : { username: jid.local }) };
}

const expected = "an invite looks like xmpp:example.org?register;preauth=TOKEN";

/** "" when it is not properly escaped. */
function plain(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
