// One owner of a physical line, by whatever name it is called.

import { expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { createLines } from "#concentrator/lines.ts";
import { owning } from "#drivers/line-ownership.ts";
import { tcpLineKey } from "#drivers/tcp-channel.ts";
import { udpLineKey } from "#drivers/udp-channel.ts";

const device = () => Promise.resolve({ async [Symbol.asyncDispose]() {} });

it("a converter called by name and by address is one line; over UDP and at another port it is another", async () => {
  const lines = createLines();
  const open = (owner: string, key: string) =>
    owning({ own: line => lines.own(line, owner), clock: systemClock }, key, device);
  const first = await open("attic", tcpLineKey({ host: "LOCALHOST.", port: 4001 }));
  for (const host of ["localhost", "127.0.0.1", "::ffff:127.0.0.1"]) {
    // The system may know localhost by either address.
    if (host !== "localhost" && !(await isLocalhost(host.replace("::ffff:", "")))) continue;
    await expect(open("cellar", tcpLineKey({ host, port: 4001 })), host).rejects.toThrow(
      /:4001 is in use by the node attic/,
    );
  }
  await using _other = await open("cellar", tcpLineKey({ host: "localhost", port: 4002 }));
  await using _udp = await open("udp", udpLineKey({ host: "localhost", port: 4001 }));
  await first[Symbol.asyncDispose]();
  await using _again = await open("cellar", tcpLineKey({ host: "127.0.0.1", port: 4001 }));
});

it("what is not opened is not owned, under none of its names", async () => {
  const lines = createLines();
  const env = { own: (line: string) => lines.own(line, "attic"), clock: systemClock };
  const failing = owning(env, "tcp:localhost:4001", () => Promise.reject(new Error("refused")));
  await expect(failing).rejects.toThrow("refused");
  await using _open = await owning(env, "tcp:localhost:4001", device);
});

async function isLocalhost(address: string): Promise<boolean> {
  const { lookup } = await import("node:dns/promises");
  return (await lookup("localhost")).address === address;
}
