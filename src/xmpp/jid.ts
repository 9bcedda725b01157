// JIDs as text, compared after normalisation. Decisions use the bare JID that the broker stamped (PRES-ID-01).

export interface Jid {
  readonly local: string;
  readonly domain: string;
  readonly resource: string;
}

const domainText =
  /^(?=.{1,255}$)[\p{L}\p{N}]([\p{L}\p{N}-]*[\p{L}\p{N}])?(\.[\p{L}\p{N}]([\p{L}\p{N}-]*[\p{L}\p{N}])?)*$/u;
/** RFC 7622 section 3.3.1: never in a local part; white space and controls neither. */
const localForbidden = /["&'/:<>@\s\p{Cc}\p{Cf}]/u;

/** RFC 7622 sections 3.2 to 3.4: octets of each part. */
const partBytesMax = 1023;
const fits = (part: string): boolean => part.length * 3 <= partBytesMax || utf8.encode(part).length <= partBytesMax;
const utf8 = new TextEncoder();

/** RFC 8265 section 3.3.1, in its order: full and half width forms as their usual ones, lower case, NFC. */
const fold = (part: string): string =>
  /^[!-~]*$/.test(part)
    ? part.toLowerCase()
    : part
        .replace(/[\uFF01-\uFFEE]/g, wide => wide.normalize("NFKC"))
        .toLowerCase()
        .normalize("NFC");

/**
 * Parsed and normalised: local and domain part folded as RFC 7622 has it, the resource NFC. Undefined when it is no JID.
 */
export function parseJid(text: string): Jid | undefined {
  if (text.length > 3071) return undefined;
  const slash = text.indexOf("/");
  const bare = slash < 0 ? text : text.slice(0, slash);
  const resource = slash < 0 ? "" : text.slice(slash + 1).normalize("NFC");
  const at = bare.indexOf("@");
  const local = at < 0 ? "" : fold(bare.slice(0, at));
  const domain = fold(bare.slice(at + 1)).replace(/\.$/, "");
  if (at === 0 || localForbidden.test(local) || (slash >= 0 && resource === "")) return undefined;
  if (/\p{Cc}/u.test(resource) || !fits(local) || !fits(resource)) return undefined;
  return isDomain(domain) ? { local, domain, resource } : undefined;
}

const isDomain = (domain: string): boolean => domainText.test(domain) || /^\[[0-9a-f:.]+\]$/.test(domain);

export const formatJid = ({ local, domain, resource }: Jid): string =>
  `${local === "" ? "" : `${local}@`}${domain}${resource === "" ? "" : `/${resource}`}`;

/** Normalised bare JID, or undefined when the text is no JID. */
export function bareJid(text: string | undefined): string | undefined {
  const jid = text === undefined ? undefined : parseJid(text);
  return jid && formatJid({ ...jid, resource: "" });
}

/** Normalised full text. */
export function normalJid(text: string | undefined): string | undefined {
  const jid = text === undefined ? undefined : parseJid(text);
  return jid && formatJid(jid);
}

/** A JID of a domain alone: no local part, no resource (services, `R` of a claim). */
export const isDomainJid = (text: string): boolean => {
  const jid = parseJid(text);
  return jid !== undefined && jid.local === "" && jid.resource === "";
};

export const domainOf = (text: string): string => parseJid(text)?.domain ?? "";
