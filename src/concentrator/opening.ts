// The field side of the tree: opens devices in the background, closes them with their line, and reopens what went away by
// backoff. Each attempt has a number; what belongs to an older number has no say, so there are never two loops a device.

import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import { backoff } from "#base/delays.ts";
import { type Log, stackOf } from "#base/log.ts";
import { closeMs, openedAtOnceMax, openMs, reopenFirstMs, reopenHealthyMs, reopenMsMax } from "#limits.ts";
import type { Agenda } from "./agenda.ts";
import type { Added, ChildNode, Device, Memory, NodeType } from "./contract/driver.ts";
import { DeviceFault } from "./contract/faults.ts";
import { describeNode } from "./contract/node.ts";
import { type TreeNode, withDescendants } from "./forest.ts";
import type { Lines } from "./lines.ts";
import { describeFault, type FaultEvent, type FaultText } from "./status.ts";

export interface OpeningDeps {
  readonly agenda: Agenda;
  readonly lines: Lines;
  readonly clock: Clock;
  readonly log: Log;
  readonly timeZone: string;
  /** By the driver's name, the first part of its types' names. */
  readonly memoryOf?: ((driver: string) => Memory) | undefined;
  readonly addBelow?: (node: TreeNode, children: readonly ChildNode[]) => Added;
  /** The node is open. `cleared` is the fault that had kept it from opening, if any: that one is over now. */
  opened(node: TreeNode, cleared: FaultEvent | undefined): void;
  failed(node: TreeNode, fault: FaultText): void;
}

export interface Opening {
  /** Begins to open the node and, when it is open, its children. Returns at once. */
  open(node: TreeNode): void;
  /** Closes the node and all below it, bounded, and ends every attempt to reopen. */
  close(node: TreeNode): Promise<void>;
  /** Closes it and all below it, and opens it with what its settings are now. Returns at once. */
  reopen(node: TreeNode): void;
}

/** What is known of one node's opening. */
interface Attempt {
  number: number;
  scope: AbortController;
  leases: Disposable[];
  delays: Iterator<number> | undefined;
  retry: Disposable | undefined;
  openedAt: number;
  /** What the last attempts failed with. */
  fault: FaultEvent | undefined;
}

export function createOpening(deps: OpeningDeps): Opening {
  const { agenda, clock, log } = deps;
  const attempts = new WeakMap<TreeNode, Attempt>();

  const attemptOf = (node: TreeNode): Attempt => {
    let attempt = attempts.get(node);
    if (attempt === undefined) {
      attempt = {
        number: 0,
        scope: new AbortController(),
        leases: [],
        delays: undefined,
        retry: undefined,
        openedAt: 0,
        fault: undefined,
      };
      attempts.set(node, attempt);
    }
    return attempt;
  };

  const begin = async (node: TreeNode): Promise<void> => {
    const { type, settings, parent } = node;
    if (type === undefined || settings === undefined || (parent !== undefined && parent.opened === undefined)) return;
    const attempt = attemptOf(node);
    attempt.retry?.[Symbol.dispose]();
    const number = ++attempt.number;
    const scope = new AbortController();
    const leases: Disposable[] = [];
    Object.assign(attempt, { scope, leases });
    const current = () => attempt.number === number;
    try {
      const device = await openDevice(node, type, settings, scope.signal, leases);
      if (!current()) return void (await dispose(node, device, leases));
      settleOpened(node, device, scope, current);
    } catch (error) {
      release(leases);
      if (current()) fail(node, error);
    }
  };

  const openDevice = (
    node: TreeNode,
    type: NodeType,
    settings: NonNullable<TreeNode["settings"]>,
    signal: AbortSignal,
    leases: Disposable[],
  ): Promise<Device> => {
    const name = describeNode(node.ref);
    return within(clock, openMs, name, signal, async inner => {
      const env = {
        clock,
        log: log.with({ node: name }),
        timeZone: deps.timeZone,
        ...(deps.memoryOf && { memory: deps.memoryOf(type.name.split(".")[0] ?? "") }),
        ...(deps.addBelow && {
          addBelow: (children: readonly ChildNode[]) => deps.addBelow?.(node, children) as Added,
        }),
        // The one cast that the typed parent of a node type needs.
        parent: (node.parent?.type?.root ? undefined : node.parent?.opened?.device) as never,
        own: (line: string) => {
          inner.throwIfAborted();
          const lease = deps.lines.own(line, name);
          leases.push(lease);
          return lease;
        },
      };
      const device = await type.open(settings, env, inner);
      // Too late: nobody waits for it any more, and it must not keep the line.
      if (inner.aborted) await dispose(node, device, leases);
      return device;
    });
  };

  const settleOpened = (node: TreeNode, device: Device, scope: AbortController, current: () => boolean) => {
    const attempt = attemptOf(node);
    const { fault } = attempt;
    attempt.openedAt = clock.monotonic();
    attempt.fault = undefined;
    node.opened = { device, signal: scope.signal };
    node.readable = device.read !== undefined || device.watch !== undefined;
    node.parameters = device.parameters ?? [];
    // A child may add to what its parent can be told: a value of a topic, a register of a unit.
    if (node.parent?.opened !== undefined) node.parent.parameters = node.parent.opened.device.parameters ?? [];
    device.closed?.then(fault => {
      if (current()) void lose(node, fault);
    });
    deps.opened(node, fault);
    void openAll(node.children, current);
  };

  const openAll = async (nodes: Iterable<TreeNode>, current: () => boolean) => {
    // One list for all workers: each takes the next.
    const waiting = [...nodes].values();
    const work = async () => {
      for (const node of waiting) {
        if (!current()) return;
        await begin(node);
      }
    };
    await Promise.all(Array.from({ length: openedAtOnceMax }, work));
  };

  const fail = (node: TreeNode, error: unknown) => {
    const fault = describeFault(error);
    if (fault.ours) log.error("driver-failed", { node: describeNode(node.ref), error, stack: stackOf(error) });
    deps.failed(node, fault);
    failBelow(node, fault);
    const attempt = attemptOf(node);
    attempt.fault = fault.eventId;
    attempt.delays ??= backoff(reopenFirstMs, reopenMsMax);
    const { number } = attempt;
    const retry = () => {
      if (attempt.number === number) void begin(node);
    };
    attempt.retry = agenda.after(attempt.delays.next().value, retry);
    if (error instanceof DeviceFault && error.again) retrySooner(attempt, error.again, retry);
  };

  /** What was missing is back, a port that was plugged in again: nobody waits out a long delay for it. */
  const retrySooner = (attempt: Attempt, again: (signal: AbortSignal) => Promise<void>, retry: () => void) => {
    const waiting = new AbortController();
    const { retry: timer } = attempt;
    attempt.retry = {
      [Symbol.dispose]() {
        timer?.[Symbol.dispose]();
        waiting.abort();
      },
    };
    again(waiting.signal).then(
      () => {
        if (waiting.signal.aborted) return;
        attempt.delays = undefined;
        retry();
      },
      () => {},
    );
  };

  const failBelow = (node: TreeNode, { text }: FaultText) => {
    for (const below of withDescendants(node)) {
      if (below !== node)
        deps.failed(below, { eventId: "line-lost", text: `${node.ref.nodeId}: ${text}`, ours: false });
    }
  };

  const lose = async (node: TreeNode, fault: DeviceFault) => {
    const attempt = attemptOf(node);
    log.warning("device-lost", { node: describeNode(node.ref), error: fault });
    if (clock.monotonic() - attempt.openedAt >= reopenHealthyMs) attempt.delays = undefined;
    const closing = shut(node, fault);
    const { number } = attempt;
    deps.failed(node, describeFault(fault));
    failBelow(node, describeFault(fault));
    await closing;
    if (attempt.number === number) fail(node, fault);
  };

  /** Children first, each bounded; what reads from it is aborted with the fault at once. */
  const shut = async (node: TreeNode, reason: DeviceFault): Promise<void> => {
    const attempt = attemptOf(node);
    attempt.number++;
    attempt.retry?.[Symbol.dispose]();
    attempt.scope.abort(reason);
    const { opened } = node;
    const { leases } = attempt;
    node.opened = undefined;
    await Promise.all(Array.from(node.children, child => shut(child, reason)));
    if (opened !== undefined) await dispose(node, opened.device, leases);
    else release(leases);
  };

  const dispose = async (node: TreeNode, device: Device, leases: Disposable[]) => {
    try {
      await within(clock, closeMs, "closing", new AbortController().signal, async () => device[Symbol.asyncDispose]());
    } catch (error) {
      log.warning("device-not-closed", { node: describeNode(node.ref), error });
    }
    release(leases);
  };

  return {
    open(node) {
      void begin(node);
    },
    close: node => shut(node, new DeviceFault("unreachable", "The node is being closed.")),
    reopen(node) {
      const attempt = attemptOf(node);
      const closing = shut(node, new DeviceFault("unreachable", "The settings were changed."));
      attempt.delays = undefined;
      const { number } = attempt;
      // Closed or opened by somebody else meanwhile: then that is what counts.
      void closing.then(() => {
        if (attempt.number === number) void begin(node);
      });
    },
  };
}

const release = (leases: Disposable[]) => {
  for (const lease of leases.splice(0)) lease[Symbol.dispose]();
};
