// Starts slixmpp-client.py, a client that we did not write, and speaks with it: commands as JSON lines, each answered once;
// presence and messages that came unasked are kept.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { found } from "../e2e/house.ts";

export interface Refused {
  readonly condition: string;
  readonly type: string;
  readonly text: string;
  readonly form: ReadForm | null;
  readonly xml: string;
}

/** A form as slixmpp reads it. */
export interface ReadForm {
  readonly type: string;
  readonly title: string;
  readonly fields: Readonly<Record<string, ReadField>>;
}

export interface ReadField {
  readonly type: string;
  readonly label: string;
  readonly desc: string;
  readonly required: boolean;
  readonly value: unknown;
  readonly options: readonly { label: string; value: string }[];
  readonly datatype: string;
  readonly range: unknown;
}

/** slixmpp got an error where it asked. */
export class SlixmppError extends Error {
  override name = "SlixmppError";
  readonly refused: Refused;
  constructor(refused: Refused) {
    super(`${refused.condition}: ${refused.text}`);
    this.refused = refused;
  }
}

export interface Slixmpp extends AsyncDisposable {
  readonly presences: { kind: string; from: string }[];
  /** Payloads of messages, as XML, with the full JID they came from. */
  readonly messages: { from: string; type: string | null; payload: string }[];
  /** One command of slixmpp-client.py. Throws `SlixmppError`. */
  ask<T = unknown>(what: string, words: Readonly<Record<string, unknown>>): Promise<T>;
  /** The payloads of an iq's answer, as XML. */
  iq(to: string, type: "get" | "set", payload: string): Promise<string[]>;
  /** What the iq was refused with. */
  refusal(to: string, type: "get" | "set", payload: string): Promise<Refused>;
  /** The full JID behind a bare one, once its presence was seen. */
  meet(bare: string): Promise<string>;
}

/** The interpreter of the system, which Debian's packages are for. */
const python = "/usr/bin/python3";

export function startSlixmpp(): Slixmpp {
  const child = spawn(python, [join(import.meta.dirname, "slixmpp-client.py")], { stdio: ["pipe", "pipe", "pipe"] });
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints = (complaints + text).slice(-4_000);
  });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  const presences: Slixmpp["presences"] = [];
  const messages: Slixmpp["messages"] = [];
  let asked = 0;
  createInterface({ input: child.stdout }).on("line", line => {
    const said = JSON.parse(line);
    if (said.event === "presence") presences.push({ kind: said.kind, from: said.from });
    else if (said.event === "message") {
      for (const payload of said.payloads) messages.push({ from: said.from, type: said.type, payload });
    } else {
      const asker = waiting.get(said.id);
      waiting.delete(said.id);
      if (said.error === undefined) asker?.resolve(said.ok);
      else asker?.reject(new SlixmppError(said.error));
    }
  });
  const ended = new Promise<void>(resolve => child.once("close", () => resolve()));
  void ended.then(() => {
    for (const { reject } of waiting.values()) reject(new Error(`slixmpp ended: ${complaints}`));
  });

  const ask = <T>(what: string, words: Readonly<Record<string, unknown>>) =>
    new Promise<T>((resolve, reject) => {
      const id = ++asked;
      waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      child.stdin.write(`${JSON.stringify({ id, do: what, ...words })}\n`);
    });

  return {
    presences,
    messages,
    ask,
    iq: (to, type, payload) => ask("iq", { to, type, payload }),
    async refusal(to, type, payload) {
      try {
        await ask("iq", { to, type, payload });
      } catch (error) {
        if (error instanceof SlixmppError) return error.refused;
        throw error;
      }
      throw new Error(`not refused: ${payload}`);
    },
    async meet(bare) {
      await ask("subscribe", { to: bare });
      return await found(`presence of ${bare}`, async () => {
        const seen = presences.filter(one => one.kind === "available" && one.from.startsWith(`${bare}/`));
        return seen.at(-1)?.from;
      });
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      const late = setTimeout(() => child.kill("SIGKILL"), 3_000);
      await ended;
      clearTimeout(late);
    },
  };
}
