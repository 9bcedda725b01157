// The line that every change of state leaves behind (COM-AUTH-10): who did it and from where, what, and to which nodes by their
// whole addresses. Parameters are named; a value is said only where it cannot be a secret.

import type { Log, LogFacts } from "#base/log.ts";
import type { Caller } from "./contract/caller.ts";
import type { NodeRef } from "./contract/node.ts";

export type Audit = (operation: string, caller: Caller, nodes: readonly NodeRef[], facts?: LogFacts) => void;

export function createAudit(log: Log): Audit {
  const lines = log.with({ audit: true });
  return (operation, caller, nodes, facts) =>
    lines.notice(operation, {
      by: caller.bareJid,
      from: caller.fullJid,
      ...(nodes.length > 0 && { nodes }),
      ...facts,
    });
}
