// Sniffers: who listens to what is said on a node's line, until when. Only where the right is held, for a time that we decide,
// by timer, and shown on the node as long as it lasts (CON-SNIFF).

import { createBroadcast } from "#base/broadcast.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import {
  snifferMs,
  snifferMsMax,
  sniffersPerCallerAndNodeMax,
  sniffersPerCallerMax,
  sniffersPerNodeMax,
  sniffItemsMax,
} from "#limits.ts";
import type { Admission } from "./admission.ts";
import { createAudit } from "./audit.ts";
import type { Caller } from "./contract/caller.ts";
import { Refusal } from "./contract/faults.ts";
import type { NodeRef } from "./contract/node.ts";
import type { SniffedItem } from "./contract/sniff.ts";
import type { TreeNode } from "./forest.ts";
import { describeFault } from "./status.ts";
import type { Tree } from "./tree.ts";

export interface StartedSniffer {
  /** 128 random bits. */
  readonly id: string;
  /** Granted and enforced, milliseconds since 1970 UTC. */
  readonly expires: number;
  /** To be read once. Ends when it was removed; at its expiry `expired` is the last. */
  readonly items: AsyncIterable<SniffedItem | { readonly kind: "expired"; readonly at: number }>;
  /** Asked before each delivery: false once the right was taken away, and then nothing more comes (COM-AUTH-09). */
  mayHear(): Promise<boolean>;
  /** Nobody listens any more: it is removed. Harmless when it has ended. */
  leave(): void;
}

export interface Sniffers {
  /**
   * `expires`: wanted, undefined for the standard time; cut to the longest. Throws `Refusal`: not-found, denied, busy (the
   * quotas), not-acceptable (the node is not sniffable, or the time is past).
   */
  registerSniffer(
    caller: Caller,
    ref: NodeRef,
    expires: number | undefined,
    signal: AbortSignal,
  ): Promise<StartedSniffer>;
  /** By its registrant, or by who manages the node. Throws `Refusal` not-found, denied. */
  unregisterSniffer(caller: Caller, ref: NodeRef, id: string, signal: AbortSignal): Promise<void>;
  /** This full JID is not there any more: its sniffers end unsaid (CON-SNIFF-04). */
  sniffersGone(fullJid: string): void;
  sniffersWithdrawn(bareJid: string): void;
  /** Rights may have changed: who may listen no more does not (COM-AUTH-09). */
  sniffersReconsidered(): Promise<void>;
}

export interface SniffersDeps {
  readonly tree: Pick<Tree, "find" | "note" | "erase" | "whenOpened" | "whenChanged">;
  readonly admission: Pick<Admission, "require" | "allowed">;
  /** Bare JID of who claimed this node. */
  readonly ownerOf: (ref: NodeRef) => string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

interface Entry {
  readonly id: string;
  readonly caller: Caller;
  readonly node: TreeNode;
  readonly expires: number;
  /** Listens to the node's device as it is now. */
  attach(): void;
  end(why: "expired" | "removed"): void;
}

export function createSniffers(deps: SniffersDeps): Sniffers {
  const { tree, admission, clock, log } = deps;
  const audit = createAudit(log);
  const active = new Map<string, Entry>();

  const show = (node: TreeNode) => {
    const listening = [...active.values()].filter(one => one.node === node);
    const [first] = listening;
    if (first === undefined) return void tree.erase(node, [eventId]);
    const who = [...new Set(listening.map(({ caller }) => caller.bareJid))].join(", ");
    const until = new Date(Math.max(...listening.map(({ expires }) => expires))).toISOString();
    tree.note(
      node,
      "Information",
      eventId,
      `${who} listens to what is said on the line, until ${until} at the latest.`,
    );
  };

  const refuseMore = (caller: Caller, node: TreeNode) => {
    const here = [...active.values()].filter(one => one.node === node);
    const isHis = (one: Entry) => one.caller.bareJid === caller.bareJid;
    if (here.filter(isHis).length >= sniffersPerCallerAndNodeMax)
      throw new Refusal(
        "busy",
        `${sniffersPerCallerAndNodeMax} sniffers of yours listen to this node already; remove one.`,
      );
    if (here.length >= sniffersPerNodeMax)
      throw new Refusal("busy", `${sniffersPerNodeMax} sniffers listen to this node already.`);
    if ([...active.values()].filter(isHis).length >= sniffersPerCallerMax)
      throw new Refusal("busy", `${sniffersPerCallerMax} sniffers of yours are active already; remove one.`);
  };

  const grantedUntil = (wanted: number | undefined): number => {
    const now = clock.now();
    if (wanted !== undefined && wanted <= now) throw new Refusal("not-acceptable", "This time is past.");
    return Math.min(wanted ?? now + snifferMs, now + snifferMsMax);
  };

  const open = (caller: Caller, node: TreeNode, expires: number, signal: AbortSignal) => {
    const scope = createScope(signal);
    const heard = createBroadcast<SniffedItem>(sniffItemsMax);
    let lost = 0;
    let expired = false;
    const items = heard.listen(scope.signal, count => {
      lost += count;
    });
    const entry: Entry = {
      id: randomId(),
      caller,
      node,
      expires,
      attach() {
        const { opened } = node;
        if (opened?.device.sniff !== undefined)
          void listen(opened.device.sniff, opened.signal, heard.send, scope.signal);
      },
      end(why) {
        if (!active.delete(entry.id)) return;
        expired = why === "expired";
        scope[Symbol.dispose]();
        audit(`sniffer-${why}`, caller, [node.ref]);
        show(node);
      },
    };
    active.set(entry.id, entry);
    clock.sleep(expires - clock.now(), scope.signal).then(
      () => entry.end("expired"),
      // Removed before its time, or the program stops.
      () => entry.end("removed"),
    );
    audit("sniffer", caller, [node.ref], { until: new Date(expires).toISOString() });
    entry.attach();
    show(node);

    return { entry, items: told() };
    async function* told(): AsyncGenerator<SniffedItem | { kind: "expired"; at: number }> {
      for await (const item of items) {
        // What this listener was too slow for, at the place where it is missing (CON-SNIFF-06).
        if (lost > 0) yield { at: item.at, kind: "warning", text: `${lost} items were dropped.` };
        lost = 0;
        yield item;
      }
      if (expired) yield { kind: "expired", at: clock.now() };
    }
  };

  /** Until the device is closed; it is listened to again when it is open again. */
  const listen = async (
    sniff: (signal: AbortSignal) => AsyncIterable<SniffedItem>,
    device: AbortSignal,
    send: (item: SniffedItem) => void,
    signal: AbortSignal,
  ): Promise<void> => {
    using scope = createScope(signal);
    const closed = () => {
      send({ at: clock.now(), kind: "info", text: `Closed: ${describeFault(device.reason).text}` });
      scope.abort(device.reason);
    };
    device.addEventListener("abort", closed, { once: true });
    try {
      for await (const item of sniff(scope.signal)) send(item);
    } catch (error) {
      if (!scope.signal.aborted) log.error("sniffing-failed", { error });
    } finally {
      device.removeEventListener("abort", closed);
    }
  };

  const endWhere = (which: (entry: Entry) => boolean) => {
    for (const entry of [...active.values()].filter(which)) entry.end("removed");
  };

  tree.whenOpened(node => {
    for (const entry of active.values()) if (entry.node === node) entry.attach();
  });
  tree.whenChanged(({ kind }, node) => {
    if (kind !== "removed") return;
    for (const entry of [...active.values()]) if (entry.node === node) entry.end("expired");
  });

  const required = async (caller: Caller, ref: NodeRef, right: "view" | "sniff", signal: AbortSignal) => {
    await admission.require(caller, right, [ref], signal);
    const node = tree.find(ref);
    if (node === undefined) throw new Refusal("not-found", "There is no such node.");
    return node;
  };

  /** Of a node that is gone nothing is left to say but that. */
  const mayHear = async (caller: Caller, { ref }: TreeNode, signal: AbortSignal): Promise<boolean> =>
    tree.find(ref) === undefined || (await admission.allowed(caller, "sniff", [ref], signal)).size > 0;

  return {
    async registerSniffer(caller, ref, wanted, signal) {
      const node = await required(caller, ref, "sniff", signal);
      if (node.opened?.device.sniff === undefined)
        throw new Refusal("not-acceptable", "There is nothing to listen to on this node, or its line is not open.");
      const expires = grantedUntil(wanted);
      refuseMore(caller, node);
      const { entry, items } = open(caller, node, expires, signal);
      return {
        id: entry.id,
        expires,
        items,
        mayHear: () => mayHear(caller, node, signal),
        leave: () => entry.end("removed"),
      };
    },
    async unregisterSniffer(caller, ref, id, signal) {
      const node = await required(caller, ref, "view", signal);
      const entry = active.get(id);
      if (entry === undefined || entry.node !== node) throw new Refusal("not-found", "There is no such sniffer.");
      const isHis = entry.caller.fullJid === caller.fullJid || deps.ownerOf(node.ref) === caller.bareJid;
      if (!isHis && (await admission.allowed(caller, "destroy", [node.ref], signal)).size === 0)
        throw new Refusal("denied", "This sniffer is not yours.");
      entry.end("removed");
    },
    sniffersGone: fullJid => endWhere(({ caller }) => caller.fullJid === fullJid),
    sniffersWithdrawn: bareJid => endWhere(({ caller }) => caller.bareJid === bareJid),
    async sniffersReconsidered() {
      for (const entry of [...active.values()])
        if (!(await mayHear(entry.caller, entry.node, never))) entry.end("removed");
    },
  };
}

const eventId = "sniffer";

/** Nobody waits for it who could leave. */
const never = new AbortController().signal;

const randomId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), one => one.toString(16).padStart(2, "0")).join("");
