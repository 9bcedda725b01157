// The link to the broker (XEP-0114) has neither encryption nor more proof than a shared secret: it stays on the machine or in a
// tunnel, and the secret is one that nobody guesses (DISCO-THR-08). Refused at the start, in words.

import { isIP } from "node:net";
import { linkSecretCharsMin } from "#limits.ts";
import { SettingsError } from "./config.ts";

/** Throws `SettingsError`. */
export function checkLink({ host, tunnel }: { readonly host: string; readonly tunnel: boolean }, secret: string): void {
  if (!tunnel && !isOwnMachine(host))
    throw new SettingsError(
      `host: ${host} is another machine, and the component link is in clear text. Run the registry beside the broker, or lead the link through a tunnel (SSH, WireGuard) and say tunnel: true`,
    );
  if (secret.length < linkSecretCharsMin)
    throw new SettingsError(
      `the secret shared with the broker is too short: who guesses it owns every thing. Make one of 32 random bytes, such as with \`openssl rand -hex 32\`, and give it to the broker too`,
    );
}

function isOwnMachine(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  if (isIP(bare) === 4) return bare.startsWith("127.");
  if (isIP(bare) === 6) return bare === "::1" || /^::ffff:127\./.test(bare);
  return bare === "localhost" || bare.endsWith(".localhost");
}
