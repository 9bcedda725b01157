// How often nodes are polled for those who subscribed to them, and what needs no reading because a poll has just read it
// (EV-TRG-09): an event never costs the line more than the polls it was agreed on.

import type { Clock } from "#base/clock.ts";
import { subscribedPollMs, subscribedPollMsMin } from "#limits.ts";
import type { TreeNode } from "./forest.ts";
import type { Known } from "./readout.ts";
import type { Interest } from "./subscription.ts";

export interface SubscribedPolls {
  /** Shortest interval wished for, within bounds; undefined where nobody subscribed. */
  pollMs(node: TreeNode): number | undefined;
  /** The subscriptions of the node are others than before. */
  changed(node: TreeNode): void;
  /** The node was polled, and will be again after `nextMs`. */
  polled(node: TreeNode, worked: boolean, nextMs: number): void;
  readonly known: Known;
}

export interface SubscribedPollsDeps {
  readonly clock: Clock;
  /** The poll of the node is to look at its interval again. */
  readonly hurry: (node: TreeNode) => void;
  readonly interests: (node: TreeNode) => Iterable<Interest>;
}

export function createSubscribedPolls({ clock, hurry, interests }: SubscribedPollsDeps): SubscribedPolls {
  const wished = new Map<TreeNode, number>();
  const last = new WeakMap<TreeNode, { readonly worked: boolean; readonly until: number }>();

  return {
    pollMs: node => wished.get(node),
    changed(node) {
      let shortest = Number.POSITIVE_INFINITY;
      for (const interest of interests(node)) shortest = Math.min(shortest, wishOf(interest));
      const before = wished.get(node);
      if (Number.isFinite(shortest)) wished.set(node, shortest);
      else wished.delete(node);
      if (wished.get(node) !== before) hurry(node);
    },
    polled(node, worked, nextMs) {
      // A poll that comes late because the line is busy is no reason to make it busier.
      last.set(node, { worked, until: clock.monotonic() + 2 * nextMs });
    },
    known(node) {
      const poll = last.get(node);
      if (poll === undefined || clock.monotonic() > poll.until) return undefined;
      return poll.worked ? "values" : "fault";
    },
  };
}

/** Who said how often at most is shown so; who said nothing is shown often enough for it to be of use. */
const wishOf = ({ minIntervalMs, maxIntervalMs }: Interest): number =>
  Math.max(subscribedPollMsMin, minIntervalMs ?? Math.min(maxIntervalMs ?? subscribedPollMs, subscribedPollMs));
