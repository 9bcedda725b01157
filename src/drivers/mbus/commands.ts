// What an M-Bus line can be told to do: look for meters, make nodes of them, give them addresses, find its baud rate, say how it
// does. Between two steps of a search everybody else has the line.

import type { Clock } from "#base/clock.ts";
import type { Command } from "#contract/command.ts";
import type { Env } from "#contract/driver.ts";
import { doctorCommand } from "../doctor-query.ts";
import { resetCommand, statisticsCommand } from "../line-commands.ts";
import { addCommand, assignCommand } from "./assign-command.ts";
import { doctorOf } from "./doctor-line.ts";
import { createFoundMeters } from "./found.ts";
import type { Line } from "./line.ts";
import { freezeCommand, rateCommands } from "./rate-commands.ts";
import { scanCommand } from "./scan.ts";
import { searchCommand } from "./search-command.ts";

export function lineCommands(line: Line, clock: Clock, env: Pick<Env, "memory" | "addBelow">): readonly Command[] {
  const found = createFoundMeters(line.name, env.memory);
  const { addBelow } = env;
  const canAdd = addBelow !== undefined;
  return [
    scanCommand(line, clock, found.add, canAdd),
    searchCommand(line, found, clock, canAdd),
    ...(addBelow === undefined ? [] : [addCommand(line, found, addBelow)]),
    assignCommand(line, found, clock),
    ...rateCommands(line, clock),
    freezeCommand(line),
    doctorCommand(doctorOf(line), clock),
    statisticsCommand(() => line.tap.use, line.describe, clock),
    resetCommand(() => line.close()),
  ];
}
