// The last thing that happens to a text before it is written to a log or sent to one: what looks like a secret is blacked out.
// Nobody logs secrets on purpose; they come inside the texts of errors, of peers and of libraries.

const hidden = "***";

/** What a text may hold that is for nobody who reads logs. In this order: the wider patterns would cut the others in two. */
const patterns: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g, hidden],
  // Claim codes: whoever has one may claim.
  [/\biotdisco:[^\s"'<>]*/gi, `iotdisco:${hidden}`],
  // Credentials in the address of a broker, a proxy, a download.
  [/\/\/[^\s/@:"']{0,256}:[^\s/@"']{0,256}@/g, `//${hidden}@`],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${hidden}`],
  // A tag or field that is called KEY, in XML and in JSON, whichever attribute comes first.
  [/(\bname=(["'])KEY\2\s[^<>]{0,200}?\bvalue=)(["'])[\s\S]*?(?:\3|$)/gi, `$1$3${hidden}$3`],
  [/(<(?:password|token|secret|auth|response|challenge|success)\b[^<>]{0,500}>)[^<]+/gi, `$1${hidden}`],
  [
    /\b((?:api[-_]?)?key|pass(?:word|wd|phrase)|pwd|secret|token|preauth|credential)(["']?\s{0,2}[=:]\s{0,2})("[^"]*"?|'[^']*'?|[^\s;,&"'<>]+)/gi,
    `$1$2${hidden}`,
  ],
  // 128 bits and more as digits: KEYs, digests of KEYs, session keys. Nothing a reader of logs could use.
  [/(?<![0-9a-z])[0-9a-f]{32,}(?![0-9a-z])/gi, hidden],
];

/** The text without what looks like a secret. Long texts are to be cut before. */
export const redact = (text: string): string =>
  patterns.reduce((left, [pattern, instead]) => left.replace(pattern, instead), text);
