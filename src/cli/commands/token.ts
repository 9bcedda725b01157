// `isthmus token …`: a key that is known again. Got once for a certificate, then shown with --token (docs/tokens.md).

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { systemClock } from "#base/clock.ts";
import { makeSelfSigned } from "#base/self-signed.ts";
import { decryptWith } from "#client/tokens.ts";
import { isToken } from "#iot/provisioning-device.wire.ts";
import { issuerOf, tokenKinds } from "#iot/provisioning-tokens.wire.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { type CommandBody, CommandError, type Invocation, UsageError } from "../command.ts";
import { personOptions, withClient } from "../connect.ts";
import { findToken, type KeptToken, keyOctets, saveToken, tokenNames, tokensFolder } from "../tokens.ts";

const dayMs = 86_400_000;
const daysMax = 3_650;

export const tokenGet: CommandBody = {
  usage: "NAME [--certificate FILE --key FILE] [--kind user|device|service]",
  details:
    "Asks the provisioning service of one's domain. Without --certificate a key and a certificate that vouches for itself are made; the service says whether it takes such ones.",
  options: {
    ...personOptions,
    certificate: { type: "string", value: "FILE", help: "Certificate (PEM or DER) of an RSA key." },
    key: { type: "string", value: "FILE", help: "Its private key (PEM). Use it for nothing else." },
    kind: { type: "string", value: "KIND", help: `What it stands for: ${tokenKinds.join(", ")}. user unless said.` },
    days: { type: "string", value: "N", help: "How long a certificate made here is good for (365)." },
  },
  words: [1, 1],
  async run(call) {
    const [name = ""] = call.words;
    const kept = await certified(call, name);
    return await withClient(call, async client => {
      const certificate = Buffer.from(kept.certificate, "base64");
      const decrypt = await decryptWith(keyOctets(kept.key, `the key of ${name}`));
      try {
        const token = await client.tokens.get(certificate, decrypt, call.signal);
        const file = saveToken(name, { ...kept, token });
        call.out.value({ name, token, kind: kept.kind });
        call.out.line(token);
        call.out.note(`Kept with its key in ${file}. Show it with --token ${name}.`);
        return 0;
      } catch (error) {
        if (error instanceof StanzaError && error.condition === "not-acceptable")
          throw new CommandError(`The service does not take this certificate: ${error.text || "it did not say why"}.`);
        throw error;
      }
    });
  },
};

/** The key that is there already, that of the files, or a new one, which is kept before anything is asked with it. */
async function certified(call: Invocation, name: string): Promise<KeptToken> {
  const kind = call.text("kind");
  if (kind !== undefined && !(tokenKinds as readonly string[]).includes(kind))
    throw new UsageError(`--kind is ${tokenKinds.join(", ")}, not "${kind}"`);
  const files = [call.text("certificate"), call.text("key")] as const;
  if ((files[0] === undefined) !== (files[1] === undefined))
    throw new UsageError("--certificate and --key: one is of no use without the other");
  const known = findToken(name);
  if (files[0] !== undefined && files[1] !== undefined) {
    const certificate = readCertificateFile(files[0]);
    const key = readFile(files[1]).toString("utf8");
    keyOctets(key, files[1]);
    return { kind: kind ?? known?.kind ?? "user", key, certificate: certificate.toString("base64") };
  }
  const now = systemClock.now();
  if (known !== undefined && Date.parse(new X509Certificate(Buffer.from(known.certificate, "base64")).validTo) > now)
    return { ...known, kind: kind ?? known.kind };
  const text = call.text("days") ?? "365";
  const days = Number(text);
  if (!/^\d{1,4}$/.test(text) || days < 1 || days > daysMax)
    throw new UsageError(`--days is a number from 1 to ${daysMax}, not "${text}"`);
  // A minute back, for a service whose clock is a little behind.
  const made = await makeSelfSigned({ name, from: now - 60_000, to: now + days * dayMs });
  const kept = { kind: kind ?? "user", key: made.key, certificate: Buffer.from(made.certificate).toString("base64") };
  saveToken(name, kept);
  return kept;
}

function readFile(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CommandError(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? "unknown reason"}.`);
  }
}

function readCertificateFile(file: string): Buffer {
  try {
    return new X509Certificate(readFile(file)).raw;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`${file} is not a certificate.`);
  }
}

export const tokenShow: CommandBody = {
  usage: "NAME|TOKEN",
  details: "Says what a token stands for, as its issuer tells it. That somebody knows a token proves nothing.",
  options: personOptions,
  words: [1, 1],
  async run(call) {
    const [word = ""] = call.words;
    const token = word.includes(":") ? word : findToken(word)?.token;
    if (token === undefined) throw new CommandError(`There is no token "${word}" in ${tokensFolder()}.`);
    if (!isToken(token) || issuerOf(token) === "") throw new UsageError(`"${word}" is not a token`);
    return await withClient(call, async client => {
      const der = await client.tokens.certificate(token, call.signal).catch((error: unknown) => {
        if (!(error instanceof StanzaError) || error.condition !== "item-not-found") throw error;
        throw new CommandError(`${issuerOf(token)} knows no such token: it was taken back, or its time is over.`);
      });
      const { subject, issuer, validFrom, validTo, fingerprint256 } = readDer(der);
      call.out.value({ token, subject, issuer, validFrom, validTo, fingerprint256 });
      const vouched = issuer === subject ? "itself" : issuer;
      call.out.line(`Token           ${token}`);
      call.out.line(`Stands for      ${subject.replaceAll("\n", ", ")}`);
      call.out.line(`Vouched for by  ${vouched.replaceAll("\n", ", ")}`);
      call.out.line(`Valid           ${validFrom} to ${validTo}`);
      call.out.line(`Fingerprint     ${fingerprint256}`);
      return 0;
    });
  },
};

function readDer(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch {
    throw new CommandError("The issuer sent something that is no certificate.");
  }
}

export const tokenList: CommandBody = {
  usage: "",
  options: {},
  words: [0, 0],
  async run(call) {
    const rows = tokenNames().map(name => {
      const kept = findToken(name);
      const until = kept === undefined ? "" : readDer(Buffer.from(kept.certificate, "base64")).validTo;
      call.out.value({ name, kind: kept?.kind, token: kept?.token, until });
      return [name, kept?.kind ?? "", kept?.token ?? "not given yet", until];
    });
    if (rows.length === 0) call.out.note("None yet: get one with `isthmus token get NAME`.");
    else call.out.table(["Name", "Kind", "Token", "Valid until"], rows);
    return 0;
  },
};
