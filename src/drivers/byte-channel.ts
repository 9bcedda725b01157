// A stream of octets to a field line, whatever carries it: a serial port (serial-port.ts), a TCP socket (tcp-channel.ts) or,
// in tests, a pipe in memory. Framers and sessions of the drivers know only this.

import type { DeviceFault } from "#contract/faults.ts";

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
