// The bare partner of the comparison: a plain client session, or a component of the broker, that answers every iq get with one
// element given beforehand. It says `notice ready jid=…` when it is online, like our other programs.

import { readFileSync } from "node:fs";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { type Element, element } from "#xml/element.ts";
import { type ComponentOptions, createComponent } from "#xmpp/component.ts";
import { createSession } from "#xmpp/session.ts";
import { type Login, sessionOptions } from "./scene.ts";

export type EchoOrder = { readonly answer: Element } & (
  | { readonly login: Login }
  | { readonly component: ComponentOptions }
);

const order = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as EchoOrder;
const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());

const handlers = {
  iq({ ns, attrs: { type, id, from, to } }: Element) {
    if (type === "get") connection.send(element("iq", ns, { type: "result", id, to: from, from: to }, [order.answer]));
  },
  message() {},
  presence() {},
  online: (jid: string) => console.log(`notice ready jid=${jid}`),
};
const deps = { clock: systemClock, log: silentLog };
const connection =
  "login" in order
    ? createSession(sessionOptions(order.login), handlers, deps)
    : createComponent(order.component, handlers, deps);
await connection.run(stop.signal);
