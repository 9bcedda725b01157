// `isthmus status`: how the appliance on this machine is doing.

import { resolve } from "node:path";
import { systemClock } from "#base/clock.ts";
import { askStatus, NotRunningError } from "#link/status-socket.ts";
import { withoutCodes } from "../codes.ts";
import { type CommandBody, CommandError } from "../command.ts";
import { runningDemo } from "../identity.ts";
import { printStatus, type Status } from "../status-text.ts";

export const status: CommandBody = {
  usage: "[--data FOLDER] [--codes]",
  options: {
    data: {
      type: "string",
      value: "FOLDER",
      help: "The appliance's data folder; the running demonstration's, else ./data.",
    },
    codes: { type: "boolean", help: "Show the code to claim each unclaimed thing with." },
  },
  words: [0, 0],
  async run(call) {
    const folder = call.text("data") ?? runningDemo()?.dataFolder ?? "data";
    try {
      const status = (await askStatus(resolve(folder, "status.sock"), systemClock, call.signal)) as Status;
      const draw = call.flag("codes") ? (await import("../qr-code.ts")).qrCode : undefined;
      call.out.value(draw ? status : withoutCodes(status));
      printStatus(status, call.out, draw);
      return 0;
    } catch (error) {
      if (error instanceof NotRunningError) throw new CommandError(error.message);
      throw error;
    }
  },
};
