// The bare partner of the comparison: a component of the same broker that answers every iq get with one element given
// beforehand. It says `notice ready` when it is online, like our other programs.

import { readFileSync } from "node:fs";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { type Element, element } from "#xml/element.ts";
import { type ComponentOptions, createComponent } from "#xmpp/component.ts";

export interface ComponentEchoOrder {
  readonly component: ComponentOptions;
  readonly answer: Element;
}

const { component, answer } = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as ComponentEchoOrder;
const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());

const connection = createComponent(
  component,
  {
    iq({ attrs, ns }) {
      if (attrs.type !== "get") return;
      connection.send(element("iq", ns, { type: "result", id: attrs.id, to: attrs.from, from: attrs.to }, [answer]));
    },
    message() {},
    presence() {},
    online: jid => console.log(`notice ready jid=${jid}`),
  },
  { clock: systemClock, log: silentLog },
);
await connection.run(stop.signal);
