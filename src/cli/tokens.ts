// The tokens of whoever sits at the command line: each with its key, in a file that only its user can read.

import { createPrivateKey } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";
import { decryptWith, type HeldToken } from "#client/tokens.ts";
import { isToken } from "#iot/provisioning-device.wire.ts";
import { tokenKinds } from "#iot/provisioning-tokens.wire.ts";
import { CommandError } from "./command.ts";
import { checkName, identitiesFolder } from "./identity.ts";

const keptToken = z.strictObject({
  /** Undefined until the service has given one: the key is kept first, so that it is not made twice. */
  token: z.string().refine(isToken, "is not a token").optional(),
  kind: z.enum(tokenKinds as [string, ...string[]]),
  /** PEM, PKCS #8. */
  key: z.string(),
  /** DER in base64. */
  certificate: z.base64(),
});
export type KeptToken = z.output<typeof keptToken>;

export const tokensFolder = (): string => process.env.ISTHMUS_TOKENS ?? join(dirname(identitiesFolder()), "tokens");
const fileOf = (name: string): string => join(tokensFolder(), `${name}.json`);

export const tokenNames = (): string[] =>
  existsSync(tokensFolder())
    ? readdirSync(tokensFolder())
        .filter(file => file.endsWith(".json"))
        .map(file => file.slice(0, -".json".length))
    : [];

/** Undefined when there is none of that name. Throws `CommandError` where the file is damaged. */
export function findToken(name: string): KeptToken | undefined {
  checkName(name);
  const file = fileOf(name);
  if (!existsSync(file)) return undefined;
  try {
    return keptToken.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : "it cannot be read as JSON";
    throw new CommandError(`${file} is not a token: ${why}`);
  }
}

export function saveToken(name: string, kept: KeptToken): string {
  checkName(name);
  mkdirSync(tokensFolder(), { recursive: true, mode: 0o700 });
  const file = fileOf(name);
  // A new file each time: an existing one would keep its own permissions, and be cut short by a full disk.
  const fresh = join(tokensFolder(), `.${name}.${process.pid}`);
  rmSync(fresh, { force: true });
  writeFileSync(fresh, `${JSON.stringify(kept, undefined, 2)}\n`, { mode: 0o600, flag: "wx" });
  renameSync(fresh, file);
  return file;
}

/** PKCS #8 in DER. Throws `CommandError` when the PEM is no RSA key, or is locked with a password. */
export function keyOctets(pem: string, where: string): Uint8Array {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== "rsa") throw new CommandError(`${where} is not an RSA key.`);
    return key.export({ type: "pkcs8", format: "der" });
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`${where} cannot be read as a private key (PEM, without a password).`);
  }
}

/** To be shown with requests. Throws `CommandError`. */
export async function heldTokens(names: readonly string[]): Promise<HeldToken[]> {
  const held: HeldToken[] = [];
  for (const name of names) {
    const kept = findToken(name);
    if (kept?.token === undefined) {
      const known = tokenNames().filter(one => findToken(one)?.token !== undefined);
      throw new CommandError(
        `There is no token "${name}": get one with \`isthmus token get ${name}\`${known.length > 0 ? `, or say one of ${known.join(", ")}` : ""}.`,
      );
    }
    const decrypt = await decryptWith(keyOctets(kept.key, fileOf(name)));
    held.push({ token: kept.token, kind: kept.kind as HeldToken["kind"], decrypt });
  }
  return held;
}
