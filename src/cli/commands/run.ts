// `isthmus run`: the appliance itself.

import { systemClock } from "#base/clock.ts";
import { createLog } from "#base/log.ts";
import { foundFormat, type LogFormat, logFormats, logLine } from "#base/log-output.ts";
import { ConfigError, readBootSettings } from "#config.ts";
import { runEdge } from "../../main.ts";
import { type CommandBody, CommandError, type Invocation, UsageError } from "../command.ts";
import { printCodes, printStatus } from "../status-text.ts";

/** EX_TEMPFAIL: asked over the network to restart, it stops in order and leaves starting to whoever watches over it. */
const restartCode = 75;

export const run: CommandBody = {
  usage: "--config FILE",
  details:
    "Prints its nodes and, for the appliance and every unclaimed thing, the code to claim it with. Ctrl-C stops it; told to restart it ends with the exit code 75.",
  options: {
    config: { type: "string", value: "FILE", help: "Boot settings (YAML): domain, dataFolder, siteFile …" },
    codes: { type: "string", value: "WHEN", help: "Print claim codes: once (unless said), or never." },
    debug: { type: "boolean", help: "Log more." },
    log: {
      type: "string",
      value: "FORMAT",
      help: "text, json or journal; unless said, journal below systemd, else text.",
    },
  },
  words: [0, 0],
  async run(call) {
    const file = call.text("config");
    if (file === undefined)
      throw new CommandError("Say with --config FILE which boot settings to use; the README shows one.");
    const format = formatOf(call);
    // Who reads the log may go away; that is no reason to stop reading meters.
    process.stderr.on("error", () => {});
    const log = createLog(event => {
      if (event.level !== "debug" || call.flag("debug"))
        process.stderr.write(logLine(format, event, systemClock.now()));
    });
    const restart = new AbortController();
    try {
      await runEdge({
        settings: readBootSettings(file),
        clock: systemClock,
        log,
        signal: AbortSignal.any([call.signal, restart.signal]),
        restart: () => restart.abort(),
        announce: status => {
          call.out.value(status);
          printStatus(status, call.out, false);
          if (call.text("codes") !== "never") printCodes(status.nodes, call.out);
        },
      });
      return restart.signal.aborted ? restartCode : 0;
    } catch (error) {
      if (error instanceof ConfigError) throw new CommandError(error.message);
      throw error;
    }
  },
};

function formatOf(call: Invocation): LogFormat {
  const said = call.text("log");
  if (said === undefined) return foundFormat(process.env);
  const format = logFormats.find(one => one === said);
  if (format === undefined) throw new UsageError(`--log is ${logFormats.join(", ")}, not "${said}".`);
  return format;
}
