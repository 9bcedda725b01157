// What `isthmus-registry keys` prints for people. Owners' names come from whoever made the key, user names from devices: both
// are kept on their line.

import type { AccountRecord, ApiKeyRecord, KeyTerms } from "./keys.ts";

const plain = (text: string): string => text.replace(/\p{C}/gu, "?");

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const all = [head, ...rows].map(row => row.map(plain));
  const widths = head.map((_, index) => Math.max(...all.map(row => row[index]?.length ?? 0)));
  return all
    .map(
      row =>
        `${row
          .map((cell, index) => cell.padEnd(widths[index] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
};

const day = (at: number | undefined): string => (at === undefined ? "-" : new Date(at).toISOString().slice(0, 10));

const stateOf = ({ state, expiresAt, used, accountsMax }: ApiKeyRecord, now: number): string => {
  if (state !== "active") return state;
  if (expiresAt !== undefined && expiresAt <= now) return "ended";
  return used >= accountsMax ? "used up" : "active";
};

export const keyTable = (keys: readonly ApiKeyRecord[], now: number): string =>
  table(
    ["Key", "State", "Accounts", "Prefix", "Ends", "From", "Owner"],
    keys.map(key => [
      key.id,
      stateOf(key, now),
      `${key.used} of ${key.accountsMax}`,
      key.prefix,
      day(key.expiresAt),
      key.networks.length === 0 ? "anywhere" : key.networks.join(" "),
      key.owner,
    ]),
  );

export const accountLines = (accounts: readonly AccountRecord[]): string =>
  table(
    ["Account", "State", "Made", "From"],
    accounts.map(({ name, domain, state, at, from }) => [
      `${name}@${domain}`,
      state === "made" ? "made" : "not confirmed",
      new Date(at).toISOString(),
      from,
    ]),
  );

/** Ready for the settings of an appliance. */
export const keyLines = ({ id, prefix }: KeyTerms, secret: string): string =>
  `# isthmus.yaml, on each appliance
apiKey: ${id}
apiSecretFile: api-secret      # a file with the next line in it, readable by the appliance alone
# ${secret}
accountPrefix: ${prefix}
`;
