// Messages on nodes: one when a node turns bad, one when it recovers, none in between. The state of a node is the worst of
// its messages (CON-NI-03).

import { TimeoutError } from "#base/deadline.ts";
import { QueueFull } from "#base/turns.ts";
import { nodeMessagesMax } from "#limits.ts";
import { DeviceFault } from "./contract/faults.ts";
import { type NodeMessage, type NodeState, nodeStates } from "./contract/node.ts";
import type { TreeNode } from "./forest.ts";

/** What a device's failure is called on its node. `line-lost`: the fault is of the line above; `internal`: it is ours. */
export const faultEvents = ["timeout", "garbled", "refused", "unreachable", "line-lost", "internal"] as const;
export type FaultEvent = (typeof faultEvents)[number];

export interface FaultText {
  readonly eventId: FaultEvent;
  /** For a person; nothing internal in it. */
  readonly text: string;
  /** Neither a device's fault nor a full queue: to be logged whole. */
  readonly ours: boolean;
}

export function describeFault(error: unknown): FaultText {
  if (error instanceof DeviceFault) return { eventId: error.kind, text: error.message, ours: false };
  if (error instanceof TimeoutError) return { eventId: "timeout", text: error.message, ours: false };
  if (error instanceof QueueFull) return { eventId: "refused", text: `The line is ${error.message}.`, ours: false };
  return { eventId: "internal", text: "The driver failed; the log of the appliance says more.", ours: true };
}

const severity = ({ type, signed }: NodeMessage): NodeState =>
  type === "Information" ? "Information" : `${type}${signed ? "Signed" : "Unsigned"}`;

const gravity = (state: NodeState): number => nodeStates.indexOf(state);

export function stateOf(node: TreeNode): NodeState {
  let worst: NodeState = "None";
  for (const message of node.messages.values()) {
    const state = severity(message);
    if (gravity(state) > gravity(worst)) worst = state;
  }
  return worst;
}

/**
 * An operator has seen these messages, or all. A warning or error stays until what it tells of is over, and counts less; what
 * is told anew in other words is unsigned again. Returns how many there were to sign.
 */
export function signMessages(node: TreeNode, eventIds: readonly string[] = [...node.messages.keys()]): number {
  let signed = 0;
  for (const eventId of eventIds) {
    const message = node.messages.get(eventId);
    if (message === undefined || message.signed) continue;
    if (message.type === "Information") node.messages.delete(eventId);
    else node.messages.set(eventId, { ...message, signed: true });
    signed++;
  }
  return signed;
}

/** Adds or replaces the message of that event. False when it says nothing new: a flapping text is one, a repeated one none. */
export function setMessage(node: TreeNode, message: NodeMessage): boolean {
  const present = node.messages.get(message.eventId);
  if (present?.type === message.type && present.text === message.text) return false;
  node.messages.delete(message.eventId);
  node.messages.set(message.eventId, message);
  if (node.messages.size > nodeMessagesMax) node.messages.delete(node.messages.keys().next().value as string);
  return true;
}

/** These messages go, or all but what keeps the node from working at this moment. Returns how many went. */
export function removeMessages(node: TreeNode, eventIds?: readonly string[]): number {
  const lasting: readonly string[] = node.opened === undefined ? [...faultEvents, "settings"] : ["settings"];
  const going = eventIds ?? [...node.messages.keys()].filter(eventId => !lasting.includes(eventId));
  return going.filter(eventId => node.messages.delete(eventId)).length;
}

/** The node failed: an Error under the fault's name. The note of an earlier recovery goes. */
export function setFault(node: TreeNode, fault: FaultText, at: number): boolean {
  const cleared = node.messages.delete("recovered");
  return setMessage(node, { at, type: "Error", eventId: fault.eventId, text: fault.text }) || cleared;
}

/** These faults are over; when no other is left, one Information says so. False when there was nothing to recover from. */
export function setRecovered(node: TreeNode, at: number, over: readonly string[] = faultEvents): boolean {
  const gone = over.filter(eventId => node.messages.delete(eventId));
  if (gone.length === 0) return false;
  if (faultText(node) !== undefined) return true;
  setMessage(node, { at, type: "Information", eventId: "recovered", text: "Works again." });
  return true;
}

/** The text of the fault a node has now, for those who ask it for values. */
export function faultText(node: TreeNode): string | undefined {
  for (const eventId of faultEvents) {
    const message = node.messages.get(eventId);
    if (message !== undefined) return message.text;
  }
  return undefined;
}
