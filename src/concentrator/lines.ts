// Sole ownership of physical lines: one key a line, whoever opens it. Two nodes on one serial port would garble each other's
// answers, so the second is refused with the name of the first.

import { DeviceFault } from "./contract/faults.ts";

export interface Lines {
  /** Throws `DeviceFault` unreachable when another owner has the line. Dispose to give it back; twice is harmless. */
  own(line: string, owner: string): Disposable;
}

export function createLines(): Lines {
  const owners = new Map<string, { readonly owner: string }>();
  return {
    own(line, owner) {
      const present = owners.get(line);
      if (present !== undefined) {
        const port = line.replace(/^(serial|tcp|udp):/, "");
        throw new DeviceFault("unreachable", `${port} is in use by the node ${present.owner}.`);
      }
      const mine = { owner };
      owners.set(line, mine);
      return {
        [Symbol.dispose]() {
          if (owners.get(line) === mine) owners.delete(line);
        },
      };
    },
  };
}
