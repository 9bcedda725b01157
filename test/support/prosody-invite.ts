// An invitation (XEP-0445) as the operator of a Prosody makes one: with its own tool, by the words that 0.12 and 13 both know.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

/** @param folder that of a lab broker which runs @param address a domain, or the account the invitation is for */
export async function prosodyInvite(folder: string, address: string): Promise<string> {
  const words = ["--config", join(folder, "prosody.cfg.lua"), "shell", "invite", "create_account", address];
  const { stdout } = await promisify(execFile)("prosodyctl", words);
  const made = /^OK: (xmpp:\S+)$/m.exec(stdout)?.[1];
  if (made === undefined) throw new Error(`prosodyctl made no invitation: ${stdout}`);
  return made;
}
