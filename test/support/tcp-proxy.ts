// A TCP relay between a client and a real server that can misbehave as networks do: cut, stall without closing, refuse,
// swallow, change what passes. TLS passes through it untouched.

import { connect, createServer, type Socket } from "node:net";

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Breaks all connections, as a pulled cable with a reset behind it. */
  cut(): void;
  /** Nothing passes any more and nothing is closed: a half-open link. New connections are accepted and stay silent. */
  stall(): void;
  /** New connections are closed at once. */
  refuse(): void;
  /** Back to passing everything; stalled connections stay stalled. */
  pass(): void;
}

export interface TcpProxyOptions {
  readonly targetPort: number;
  /** Changes what the server says. */
  readonly fromServer?: (chunk: Buffer) => Buffer;
  /** Told what the client says. */
  readonly fromClient?: (chunk: Buffer) => void;
}

export async function startTcpProxy({ targetPort, fromServer, fromClient }: TcpProxyOptions): Promise<TcpProxy> {
  const pairs = new Set<{ near: Socket; far: Socket }>();
  let mode: "pass" | "stall" | "refuse" = "pass";
  let accepted = 0;
  const server = createServer({ noDelay: true }, near => {
    accepted++;
    near.on("error", () => {});
    if (mode === "refuse") return void near.destroy();
    const far = connect({ port: targetPort, host: "127.0.0.1", noDelay: true });
    far.on("error", () => near.destroy());
    const pair = { near, far };
    pairs.add(pair);
    const stalled = mode === "stall";
    near.on("data", chunk => {
      fromClient?.(chunk);
      if (!stalled && mode !== "stall") far.write(chunk);
    });
    far.on("data", chunk => {
      if (!stalled && mode !== "stall") near.write(fromServer?.(chunk) ?? chunk);
    });
    near.on("close", () => far.destroy());
    far.on("close", () => {
      pairs.delete(pair);
      if (mode !== "stall") near.destroy();
    });
  });
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const cut = () => {
    for (const { near, far } of pairs) {
      near.destroy();
      far.destroy();
    }
  };
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    get accepted() {
      return accepted;
    },
    cut,
    stall: () => {
      mode = "stall";
    },
    refuse: () => {
      mode = "refuse";
    },
    pass: () => {
      mode = "pass";
    },
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
