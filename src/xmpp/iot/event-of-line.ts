// From a line of our log to an event for a log elsewhere (XEP-0337). What leaves the machine is named here, fact by fact: what is
// not in the list stays, so that a fact somebody adds is private until he says otherwise (LOG-SND-02, -04, -06).

import type { LogEvent, LogLevel } from "#base/log.ts";
import { shown, stackOf } from "#base/log.ts";
import { redact } from "#base/redaction.ts";
import { eventLogStackBytesMax, eventLogTagsMax, eventLogTextBytesMax } from "#limits.ts";
import { bareJid } from "../jid.ts";
import type { EventLevel, EventLogEntry, EventType } from "./event-log.wire.ts";

/** What concerns security (LOG-AUD-01) is called LikeThis, everything else like-this. */
export const isSecurity = (event: string): boolean => /^[A-Z]/.test(event);

/** Facts that name who acted, the closest to the deed first: the subject of the event, as a bare JID. */
const actors = ["by", "caller", "from", "sender", "owner", "jid", "account"];
/** Facts that name what it happened to. */
const objects = ["node", "nodes", "thing", "meter", "unit", "device"];
/** Facts that say it in words: they become the text. */
const sentences = ["why", "reason", "error", "hint"];
/** All other facts that leave the machine. */
export const toldFacts: ReadonlySet<string> = new Set([
  ...[
    "allow",
    "asked",
    "bytes",
    "command",
    "condition",
    "consent",
    "count",
    "created",
    "direction",
    "domain",
    "driver",
  ],
  ...[
    "dropped",
    "element",
    "event",
    "failed",
    "kept",
    "kind",
    "limit",
    "lost",
    "meter",
    "nextMs",
    "ns",
    "octets",
    "off",
  ],
  ...["offsetMs", "others", "outcome", "owner", "parameter", "present", "public", "registry", "repeated", "resumed"],
  ...[
    "right",
    "role",
    "rows",
    "said",
    "service",
    "step",
    "to",
    "unit",
    "unsaid",
    "until",
    "version",
    "waiting",
    "what",
  ],
]);
/** What was written to a device, and what a form held, is nobody's but the owner's: not even in the words of a refusal. */
const silentOn: ReadonlySet<string> = new Set(["controlled", "not-controlled", "control-refused", "command", "query"]);

const types: Readonly<Record<LogLevel, EventType>> = {
  debug: "Debug",
  info: "Informational",
  notice: "Notice",
  warning: "Warning",
  error: "Error",
};

/** `own`: our bare JID, undefined before the first log-in. */
export function eventOf(line: LogEvent, at: number, own: string | undefined): EventLogEntry {
  const { event, level, facts } = line;
  const words = sentences.filter(name => facts[name] !== undefined && !silentOn.has(event));
  const subject = actors.map(name => actorIn(facts[name])).find(one => one !== undefined);
  const told = Object.entries(facts).filter(([name]) => toldFacts.has(name));
  const tags = told.flatMap(([name, value]) => tagOf(name, value, own)).slice(0, eventLogTagsMax);
  const object = objects.map(name => nodeIn(facts[name])).find(one => one !== undefined);
  const text = [title(event), ...words.map(name => shown(facts[name]))].join(": ");
  const stack = words.includes("error") && level === "error" ? stackIn(facts) : undefined;
  return {
    timestamp: at,
    // An error that concerns security waits for a person: somebody has to look (ACC-FIND-03).
    type: { is: level === "error" && isSecurity(event) ? "Alert" : types[level] },
    level: { is: weightOf(line) },
    id: event,
    object: object && clean(object, own, 1_024),
    subject,
    facility: own,
    module: "isthmus",
    message: { text: clean(text, own, eventLogTextBytesMax) },
    tags,
    stackTrace: stack && clean(stack, own, eventLogStackBytesMax),
  };
}

const weightOf = ({ event, level }: LogEvent): EventLevel => {
  if (level === "error" || (level === "warning" && isSecurity(event))) return "Major";
  return level === "warning" ? "Medium" : "Minor";
};

/** "SpoofedStanza" and "device-lost" as words. */
const title = (event: string): string => {
  const words = event
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .replace(/[-.]/g, " ")
    .toLowerCase();
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
};

const actorIn = (value: unknown): string | undefined => (typeof value === "string" ? bareJid(value) : undefined);

/** The NodeId of the first node meant. */
function nodeIn(value: unknown): string | undefined {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  if (typeof first === "object" && first !== null && "nodeId" in first && typeof first.nodeId === "string")
    return first.nodeId === "" ? undefined : first.nodeId;
  return typeof first === "string" && first !== "" ? first : undefined;
}

function tagOf(name: string, value: unknown, own: string | undefined): EventLogEntry["tags"] {
  const tag = (text: string, type: string) => [{ name, value: clean(text, own, 1_024), type }];
  if (typeof value === "boolean") return tag(String(value), "xs:boolean");
  if (typeof value === "number" && Number.isFinite(value))
    return tag(String(value), Number.isInteger(value) ? "xs:long" : "xs:double");
  return typeof value === "string" ? tag(bareIn(value), "xs:string") : [];
}

/** Of a full JID its account: a resource is a matter between two who are talking (PRES-ID-02). */
const bareIn = (value: string): string => (/^[^\s/]+\/\S/.test(value) ? (bareJid(value) ?? value) : value);

function stackIn({ error, stack }: LogEvent["facts"]): string | undefined {
  if (typeof stack === "string") return stack;
  return error instanceof Error ? stackOf(error) : undefined;
}

/** Without secrets, without our own resource, and no longer than so many bytes in UTF-8; line breaks stay. */
function clean(text: string, own: string | undefined, bytesMax: number): string {
  // Cut before it is looked through, and again after: blacking out may add a little.
  const redacted = redact(cut(text, bytesMax * 2));
  return cut(own === undefined ? redacted : redacted.split(`${own}/`).map(withoutResource).join(own), bytesMax);
}
const withoutResource = (part: string, at: number): string => (at === 0 ? part : part.replace(/^[^\s"',;)]+/, ""));

function cut(text: string, bytesMax: number): string {
  if (text.length <= bytesMax / 4) return text;
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= bytesMax) return text;
  let end = bytesMax;
  // Between characters.
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end));
}
