// Two byte channels joined in memory: what one end writes the other hears, in order, a turn of the event loop later. For
// sessions under a manual clock, where a socket would bring time of its own.

import { DeviceFault } from "#contract/faults.ts";
import type { ByteChannel } from "#drivers/byte-channel.ts";

/** Closing either end closes both; `cut` does the same as a cable that is pulled. */
export function bytePipe(name = "pipe"): { near: ByteChannel; far: ByteChannel; cut(): void } {
  let open = true;
  let settle = (_fault: DeviceFault) => {};
  const closed = new Promise<DeviceFault>(resolve => {
    settle = resolve;
  });
  const end = (why: string) => {
    open = false;
    settle(new DeviceFault("unreachable", `${name}: ${why}`));
  };
  const listeners: ((chunk: Uint8Array) => void)[] = [() => {}, () => {}];
  const channel = (own: 0 | 1): ByteChannel => {
    const close = async () => end("closed by us");
    return {
      name,
      closed,
      close,
      [Symbol.asyncDispose]: close,
      onData(listener) {
        listeners[own] = listener;
      },
      async write(bytes) {
        if (!open) throw await closed;
        const chunk = Uint8Array.from(bytes);
        setImmediate(() => {
          if (open) listeners[1 - own]?.(chunk);
        });
      },
    };
  };
  return { near: channel(0), far: channel(1), cut: () => end("the line went away") };
}
