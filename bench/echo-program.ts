// The bare partner of the comparison: a plain client session that answers every iq get with one element given beforehand.
// It says `notice ready jid=…` when it is online, like our other programs.

import { readFileSync } from "node:fs";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { type Element, element } from "#xml/element.ts";
import { createSession } from "#xmpp/session.ts";
import { type Login, sessionOptions } from "./scene.ts";

export interface EchoOrder {
  readonly login: Login;
  readonly answer: Element;
}

const { login, answer } = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as EchoOrder;
const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());

const session = createSession(
  sessionOptions(login),
  {
    iq(stanza) {
      if (stanza.attrs.type !== "get") return;
      session.send(element("iq", stanza.ns, { type: "result", id: stanza.attrs.id, to: stanza.attrs.from }, [answer]));
    },
    message() {},
    presence() {},
    online: jid => console.log(`notice ready jid=${jid}`),
  },
  { clock: systemClock, log: silentLog },
);
await session.run(stop.signal);
