// A stream of octets to a field line, whatever carries it: a serial port (serial-port.ts), a TCP socket (tcp-channel.ts) or,
// in tests, a pipe in memory. Framers and sessions of the drivers know only this.

import { DeviceFault } from "#contract/faults.ts";
import { untilClosed } from "./until-closed.ts";

export interface ByteChannel extends AsyncDisposable {
  /** For people and logs: "/dev/ttyUSB0", "10.0.0.7:502". */
  readonly name: string;
  /**
   * Resolves when the octets are handed to the system, which for a serial port is before they are on the wire. A peer that
   * takes nothing keeps it waiting: bound it. Throws `DeviceFault` unreachable once the channel has closed.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Sets the one listener, called with chunks of any size. Octets that come while there is none are dropped. */
  onData(listener: (chunk: Uint8Array) => void): void;
  /** Settles once, when the line went away or `close` was called; never rejects. */
  readonly closed: Promise<DeviceFault>;
  /** Resolves when the port or socket is given back. Calling twice is harmless. */
  close(): Promise<void>;
}

/** What differs between a port and a socket. */
export interface Carrier {
  readonly name: string;
  onData(listener: (chunk: Uint8Array) => void): void;
  /** Told once, when it is gone. */
  onClose(listener: (error: Error | undefined) => void): void;
  onError(listener: (error: Error) => void): void;
  /** Why it went away, in words for a person, the name left out. */
  explain(error: Error | undefined): string;
  /** Calls back when the octets are handed over; need not call back once it is gone. */
  write(bytes: Uint8Array, done: () => void, failed: (fault: DeviceFault) => void): void;
  destroy(): void;
}

export function channelOver(carrier: Carrier): ByteChannel {
  const { name } = carrier;
  let listener = (_chunk: Uint8Array) => {};
  let failure: Error | undefined;
  let closing = false;
  const closed = new Promise<DeviceFault>(resolve => {
    carrier.onClose(error => {
      failure ??= error;
      const why = closing ? "closed by us" : carrier.explain(failure);
      resolve(new DeviceFault("unreachable", `${name}: ${why}`, { cause: failure }));
    });
  });
  // The error comes before the close; without a listener it would end the process.
  carrier.onError(error => {
    failure ??= error;
  });
  carrier.onData(chunk => listener(chunk));

  const close = async () => {
    closing = true;
    carrier.destroy();
    await closed;
  };
  const waiting = untilClosed(closed);
  return {
    name,
    closed,
    close,
    [Symbol.asyncDispose]: close,
    onData(next) {
      listener = next;
    },
    // A write that is pending when the carrier goes may lose its callback: `closed` ends the wait then.
    write: bytes => waiting((done, failed) => carrier.write(bytes, done, failed)),
  };
}
