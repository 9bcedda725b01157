// The appliance's own last sessions, in a small file of the data folder. After a power cut the broker takes the session for alive
// for some minutes, so that it can be resumed, and shows it to the next one: that is no thief (PRES-ID-03).

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { formerSessionsMax } from "#limits.ts";
import { writeDurably } from "./account-file.ts";

export interface LastSessions {
  /** A new session was bound, not an old one resumed. Does not throw. */
  began(fullJid: string): void;
  /** True for each former session once in the session that runs: what left does not come back. */
  isFormer(fullJid: string): boolean;
}

export function createLastSessions(dataFolder: string): LastSessions {
  const file = join(dataFolder, "sessions.json");
  let all = read(file);
  let shown = new Set<string>();
  return {
    began(fullJid) {
      shown = new Set(all);
      all = [fullJid, ...all].slice(0, formerSessionsMax);
      try {
        writeDurably(file, JSON.stringify(all));
      } catch {
        // A disk that is full is told elsewhere; here it costs a warning too many after the next power cut.
      }
    },
    isFormer: fullJid => shown.delete(fullJid),
  };
}

function read(file: string): string[] {
  try {
    const found: unknown = JSON.parse(readFileSync(file, "utf8"));
    return Array.isArray(found) ? found.filter(one => typeof one === "string").slice(0, formerSessionsMax) : [];
  } catch {
    // None yet, or damaged: then none is known.
    return [];
  }
}
