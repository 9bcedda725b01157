// `npm run bench [readout] [decision] [start] [concentrator] [mbus] [modbus] [registry] [--json]`: measures what the targets are about, on real parts, and
// prints each figure beside its target. Without words it measures everything.

import { systemClock } from "#base/clock.ts";
import { concentratorFigures } from "./concentrator.ts";
import { decisionFigures } from "./decision.ts";
import { type Figure, formatFigures } from "./figures.ts";
import { mbusDecodeFigures } from "./mbus-decode.ts";
import { mbusLineFigures } from "./mbus-line.ts";
import { modbusFigures } from "./modbus.ts";
import { readoutFigures } from "./readout.ts";
import { registryFigures } from "./registry.ts";
import { startFigures } from "./start.ts";

const parts: Readonly<Record<string, (note: Note, signal: AbortSignal) => Promise<Figure[]>>> = {
  readout: readoutFigures,
  decision: decisionFigures,
  start: startFigures,
  concentrator: concentratorFigures,
  registry: registryFigures,
  modbus: modbusFigures,
  mbus: async (note, signal) => [...(await mbusDecodeFigures(note, signal)), ...(await mbusLineFigures(note, signal))],
};

/** Says what is being done; on standard error, so that standard output holds nothing but figures. */
export type Note = (text: string) => void;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const words = args.filter(word => word !== "--json");
  const unknown = words.filter(word => !Object.hasOwn(parts, word));
  if (unknown.length > 0) {
    console.error(`bench does not know "${unknown[0]}": say any of ${Object.keys(parts).join(", ")}, and --json.`);
    return 2;
  }
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort(new Error("interrupted")));
  const figures: Figure[] = [];
  for (const name of words.length > 0 ? words : Object.keys(parts)) {
    try {
      figures.push(...((await parts[name]?.(text => console.error(`${name}: ${text}`), stop.signal)) ?? []));
    } catch (error) {
      if (stop.signal.aborted) return 130;
      console.error(`${name}: ${error instanceof Error ? error.message : error}`);
      return 1;
    }
  }
  const machine = `Node ${process.versions.node}, ${new Date(systemClock.now()).toISOString()}`;
  if (args.includes("--json")) console.log(JSON.stringify({ machine, figures }));
  else console.log(formatFigures(machine, figures));
  return 0;
}
