// The errors that mean something between rooms. Anything else that is thrown is our bug.

import type { NodeRef } from "./node.ts";

/** Ours to refuse; becomes a stanza error (xmpp/stanza.ts holds the one table). */
export type RefusalKind =
  | "bad-request"
  | "not-found"
  | "denied"
  | "unsupported"
  | "busy"
  | "conflict"
  | "not-acceptable"
  | "not-allowed";

/** A refusal with a reason a person can act on. `parameters` names faulty control parameters or form fields. */
export class Refusal extends Error {
  override name = "Refusal";
  readonly kind: RefusalKind;
  readonly parameters: readonly { name: string; message: string }[];
  constructor(kind: RefusalKind, message: string, parameters: readonly { name: string; message: string }[] = []) {
    super(message);
    this.kind = kind;
    this.parameters = parameters;
  }
}

/** timeout: no answer · garbled: an answer that cannot be trusted · refused: the device said no · unreachable: no way to it. */
export type DeviceFaultKind = "timeout" | "garbled" | "refused" | "unreachable";

/** The field side failed: data for the asker (an `err` in the readout, a message on the node), never an exception to him. */
export class DeviceFault extends Error {
  override name = "DeviceFault";
  readonly kind: DeviceFaultKind;
  /** What opening waits for besides its time: resolves when it is worth trying again, at the abort at the latest. */
  readonly again: ((signal: AbortSignal) => Promise<void>) | undefined;
  constructor(
    kind: DeviceFaultKind,
    message: string,
    options?: ErrorOptions & { readonly again?: (signal: AbortSignal) => Promise<void> },
  ) {
    super(message, options);
    this.kind = kind;
    this.again = options?.again;
  }
}

/** One parameter of one node that was not written, and why. */
export interface WriteFailure {
  readonly node: NodeRef;
  readonly name: string;
  readonly message: string;
}

/** A device did not take what it was told. Says what was done before and beside, and what was not (CTR-SET-12). */
export class ControlFault extends Error {
  override name = "ControlFault";
  readonly done: { readonly nodes: readonly NodeRef[]; readonly parameters: readonly string[] };
  readonly failures: readonly WriteFailure[];
  constructor(
    done: { readonly nodes: readonly NodeRef[]; readonly parameters: readonly string[] },
    failures: readonly WriteFailure[],
  ) {
    super(failures.map(({ name, message }) => `${name}: ${message}`).join("; "));
    this.done = done;
    this.failures = failures;
  }
}
