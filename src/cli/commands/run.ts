// `isthmus run`: the appliance itself.

import { systemClock } from "#base/clock.ts";
import { createLog } from "#base/log.ts";
import { foundFormat, type LogFormat, logFormats, logLine } from "#base/log-output.ts";
import { bootSettings, ConfigError, readBootSettings } from "#config.ts";
import { runEdge } from "../../main.ts";
import { withoutCodes } from "../codes.ts";
import { type CommandBody, CommandError, type Invocation, UsageError } from "../command.ts";
import { printStatus } from "../status-text.ts";

/** EX_TEMPFAIL: asked over the network to restart, it stops in order and leaves starting to whoever watches over it. */
const restartCode = 75;

export const run: CommandBody = {
  usage: "--config FILE",
  details: `Prints its nodes and, at a terminal, for the appliance and every unclaimed thing, the code to claim it with. Ctrl-C stops it; told to restart it ends with the exit code 75.

Boot settings, in FILE as name: value, one a line (${`\`isthmus setup\``} makes one):
${Object.entries(bootSettings.shape)
  .map(([name, schema]) => `${name}: ${schema.meta()?.title ?? ""}`)
  .join("\n")}`,
  options: {
    config: { type: "string", value: "FILE", help: "Boot settings (YAML): domain, dataFolder, siteFile …" },
    codes: {
      type: "string",
      value: "WHEN",
      help: "Print claim codes: once, or never; unless said, once at a terminal.",
    },
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
    if (file === undefined) throw new UsageError("Say with --config FILE which boot settings to use.");
    const format = formatOf(call);
    const draw = showsCodes(call) ? (await import("../qr-code.ts")).qrCode : undefined;
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
          call.out.value(draw ? status : withoutCodes(status));
          printStatus(status, call.out, draw);
        },
      });
      return restart.signal.aborted ? restartCode : 0;
    } catch (error) {
      if (error instanceof ConfigError) throw new CommandError(error.message);
      throw error;
    }
  },
};

/** What is printed elsewhere than at a terminal is kept, by systemd in its journal: whoever may read that could claim things. */
function showsCodes(call: Invocation): boolean {
  const said = call.text("codes");
  if (said === undefined) return process.stdout.isTTY === true;
  if (said !== "once" && said !== "never") throw new UsageError(`--codes is once or never, not "${said}".`);
  return said === "once";
}

function formatOf(call: Invocation): LogFormat {
  const said = call.text("log");
  if (said === undefined) return foundFormat(process.env);
  const format = logFormats.find(one => one === said);
  if (format === undefined) throw new UsageError(`--log is ${logFormats.join(", ")}, not "${said}".`);
  return format;
}
