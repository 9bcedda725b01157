// A wait that is over must leave nothing behind on a channel that lives for years.

import { expect, it, vi } from "vitest";
import { DeviceFault } from "#contract/faults.ts";
import { untilClosed } from "#drivers/until-closed.ts";

it("a wait ends by being done, by its own failure, or with the channel", async () => {
  let close = (_fault: DeviceFault) => {};
  const waiting = untilClosed(new Promise(resolve => (close = resolve)));
  await waiting(done => done());
  await expect(waiting((_, failed) => failed(new Error("no")))).rejects.toThrow("no");
  const pending = waiting(() => {});
  close(new DeviceFault("unreachable", "gone"));
  await expect(pending).rejects.toMatchObject({ kind: "unreachable", message: "gone" });
  await expect(waiting(done => done())).rejects.toMatchObject({ message: "gone" });
});

it("what was waited for is let go while the channel stays open", async () => {
  const closed = new Promise<DeviceFault>(() => {});
  const waiting = untilClosed(closed);
  const then = vi.spyOn(closed, "then");
  for (let n = 0; n < 100; n++) await waiting(done => done());
  expect(then).not.toHaveBeenCalled();
});
