// Every command of the program, in the order of the overview.

import type { Command } from "./command.ts";
import { decodeMbusCommand, decodeModbusCommand } from "./commands/decode.ts";
import { demo } from "./commands/demo.ts";
import { identityAdd, identityList } from "./commands/identity.ts";
import { nodes } from "./commands/nodes.ts";
import { answer, claim, questions, rules, things } from "./commands/owner.ts";
import { read, watch } from "./commands/read.ts";
import { run } from "./commands/run.ts";
import { set } from "./commands/set.ts";
import { status } from "./commands/status.ts";

export const commands: readonly Command[] = [
  run,
  demo,
  status,
  nodes,
  read,
  watch,
  set,
  claim,
  things,
  questions,
  answer,
  rules,
  decodeMbusCommand,
  decodeModbusCommand,
  identityAdd,
  identityList,
];
