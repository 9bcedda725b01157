// That the appliance is to be made as new: a small file in the data folder, there from the wish until all of it is done, so that
// a power cut in the middle is gone on from. Who stands at a stopped appliance may put it there (`isthmus reset`).

import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "#config.ts";
import { writeDurably } from "./account-file.ts";

/** keep: nodes stay as they are configured · wipe: the site is empty. */
export type ResetSettings = "keep" | "wipe";

export interface ResetMark {
  pending(): ResetSettings | undefined;
  begin(settings: ResetSettings): void;
  done(): void;
}

export function createResetMark(dataFolder: string): ResetMark {
  const file = join(dataFolder, "reset.json");
  return {
    pending() {
      if (!existsSync(file)) return undefined;
      try {
        const { settings } = JSON.parse(readFileSync(file, "utf8")) as { settings?: unknown };
        if (settings === "keep" || settings === "wipe") return settings;
      } catch {
        // Said below.
      }
      throw new ConfigError(`${file} is damaged: say again what is wanted with \`isthmus reset\`, or delete it`);
    },
    begin(settings) {
      writeDurably(file, JSON.stringify({ settings }));
    },
    done() {
      rmSync(file, { force: true });
    },
  };
}
