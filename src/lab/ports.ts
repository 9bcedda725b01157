// TCP ports on the loopback interface for lab parts: finding free ones, saying in a sentence which is taken, and waiting
// until a server answers.

import { connect, createServer } from "node:net";
import type { Clock } from "#base/clock.ts";
import { LabError } from "./child.ts";

export const loopback = "127.0.0.1";

/** Below the range from which Linux takes ports for outgoing connections, so that none of those can step in between. */
const firstPort = 20_000;
const lastPort = 32_000;
const triesMax = 200;

/** Distinct ports on which nobody listens now. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let tries = 0; found.size < count && tries < triesMax; tries += 1) {
    const port = firstPort + Math.floor(Math.random() * (lastPort - firstPort));
    if ((await whyNotFree(port)) === undefined) found.add(port);
  }
  if (found.size < count) throw new LabError(`No ${count} free ports between ${firstPort} and ${lastPort} were found.`);
  return [...found];
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port as number;
}

/** The message names the port, what it is for, and what to do. */
export class PortTakenError extends LabError {
  override name = "PortTakenError";
}

const choicesMax = 3;

/** A port that was free when it was looked at may be taken when it is used: who chose it himself chooses again. */
export async function choosingPorts<T>(fixed: boolean, start: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await start();
    } catch (error) {
      if (fixed || !(error instanceof PortTakenError) || tries === choicesMax) throw error;
    }
  }
}

/** Rejects with a sentence that names the first port that cannot be used. `ports` is what each is for, and its number. */
export async function requireFreePorts(ports: Record<string, number>): Promise<void> {
  for (const [use, port] of Object.entries(ports)) {
    const code = await whyNotFree(port);
    if (code === undefined) continue;
    throw new PortTakenError(
      code === "EADDRINUSE"
        ? `Port ${port} (${use}) is taken by another program: stop that program or choose another port.`
        : `Port ${port} (${use}) cannot be used (${code}): choose another port.`,
    );
  }
}

function whyNotFree(port: number): Promise<string | undefined> {
  return new Promise(resolve => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host: loopback, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

const pollMs = 20;

/** Resolves when a connection to the port is accepted; the signal is its only bound. */
export async function untilPortAnswers(port: number, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!(await answers(port))) await clock.sleep(pollMs, signal);
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: loopback });
    const settle = (yes: boolean) => {
      socket.destroy();
      resolve(yes);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}
