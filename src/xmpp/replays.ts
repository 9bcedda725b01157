// Replies remembered for a while, for those who ask the same again because the answer was lost (COM-STZ-12, PRES-REP-01).

import { createHash } from "node:crypto";
import type { RouterDeps } from "./router.ts";
import { type Element, format } from "./xml/element.ts";
import { formattedBytes } from "./xml/size.ts";

export type ReplaysDeps = Pick<RouterDeps, "clock" | "replayMs" | "replaysMax" | "replayBytesMax">;

/** A repeated request (same sender, id, type and content) gets the stored reply, not a second execution. */
export function createReplays({ clock, replayMs, replaysMax, replayBytesMax = Number.POSITIVE_INFINITY }: ReplaysDeps) {
  const seen = new Map<string, { at: number; bytes: number; reply: Promise<Element> }>();
  let bytes = 0;
  const forget = () => {
    for (const [one, { at, bytes: its }] of seen) {
      if (seen.size <= replaysMax && bytes <= replayBytesMax && clock.monotonic() - at < replayMs) return;
      seen.delete(one);
      bytes -= its;
    }
  };
  return {
    once(from: string, id: string, stanza: Element, work: () => Promise<Element>): Promise<Element> {
      forget();
      // A digest, for a thousand requests kept whole would be a quarter of a gigabyte.
      const one = createHash("sha256")
        .update(`${from}\n${id}\n${format(stanza)}`)
        .digest("base64");
      const before = seen.get(one);
      if (before) return before.reply;
      const reply = work();
      const entry = { at: clock.monotonic(), bytes: 0, reply };
      seen.set(one, entry);
      // A rejected form holds all that was submitted: a thousand of those would be another quarter of a gigabyte.
      return reply.then(said => {
        if (seen.get(one) === entry) {
          // Names and addresses in it are pieces of the text that came in, and each piece would keep the whole of it in memory:
          // megabytes, and in a registry the KEYs of things (DISCO-KEY-02).
          entry.reply = Promise.resolve(structuredClone(said));
          entry.bytes = formattedBytes(said);
          bytes += entry.bytes;
          forget();
        }
        return said;
      });
    },
  };
}
