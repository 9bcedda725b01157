// `isthmus reset`: the appliance as new, wanted by who stands at the machine. An owner who can be reached needs it not: he disowns,
// or runs the command FactoryReset of the appliance.

import { ConfigError, readBootSettings } from "#config.ts";
import { DatabaseFault } from "#store/database.ts";
import { lockFolder } from "#store/folder-lock.ts";
import { createResetMark } from "../../edge/reset-mark.ts";
import { confirm } from "../ask.ts";
import { type CommandBody, CommandError, UsageError } from "../command.ts";

export const reset: CommandBody = {
  usage: "--config FILE [--wipe] [--yes]",
  details:
    "For an appliance whose owner is gone: at its next start nobody owns it and its things any more, and nothing of who did is left. All labels have to be printed anew. The program must not run meanwhile.",
  options: {
    config: { type: "string", value: "FILE", help: "Boot settings (YAML) of the appliance." },
    wipe: { type: "boolean", help: "Empty the site too; what the site file names is set up again." },
    yes: { type: "boolean", help: "Do not ask." },
  },
  words: [0, 0],
  async run(call) {
    const file = call.text("config");
    if (file === undefined) throw new UsageError("Say with --config FILE which appliance is meant.");
    const settings = call.flag("wipe") ? "wipe" : "keep";
    try {
      const { dataFolder } = readBootSettings(file);
      if (!call.flag("yes"))
        await confirm("This ends all ownership of the appliance and its things. Continue?", "--yes", call);
      using _ = lockFolder(dataFolder);
      createResetMark(dataFolder).begin(settings);
      call.out.value({ reset: settings, at: "next start" });
      call.out.note("At its next start the appliance makes itself new.");
      return 0;
    } catch (error) {
      if (error instanceof ConfigError || error instanceof DatabaseFault) throw new CommandError(error.message);
      throw error;
    }
  },
};
