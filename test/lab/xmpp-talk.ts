// A few words of XMPP by hand, enough to see what a broker offers and whether a login works: independent of our own
// session code, which must not be its own judge.

import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { systemClock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import { forever } from "./scene.ts";

export interface XmppTalk {
  /** What the broker offered first, raw; the connection is left open only for `login`. */
  features: string;
  /** Logs in with PLAIN, asks `question` of the domain in an iq, and resolves with the raw answer, or the SASL failure. */
  login(name: string, password: string, question: string): Promise<string>;
}

export async function xmppTalk(port: number, ca: string | undefined, domain: string): Promise<XmppTalk> {
  const socket: Socket =
    ca === undefined ? connectTcp(port, "127.0.0.1") : connectTls({ port, host: "127.0.0.1", ca, servername: domain });
  await once(socket, ca === undefined ? "connect" : "secureConnect");
  let received = "";
  socket.setEncoding("utf8").on("data", chunk => {
    received += chunk;
  });
  const say = async (words: string, until: RegExp) => {
    received = "";
    socket.write(words);
    await within(systemClock, 10_000, `an answer to ${words}`, forever, async signal => {
      while (!until.test(received)) await systemClock.sleep(5, signal);
    });
    return received;
  };
  const header = `<?xml version='1.0'?><stream:stream to='${domain}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`;
  const features = await say(header, /<\/stream:features>/);
  if (ca === undefined) socket.destroy();
  return {
    features,
    async login(name, password, question) {
      const token = Buffer.from(`\0${name}\0${password}`).toString("base64");
      const answer = await say(
        `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${token}</auth>`,
        /<success|<failure.*<\/failure>/s,
      );
      try {
        if (answer.includes("<failure")) return answer;
        await say(header, /<\/stream:features>/);
        await say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", /<\/iq>/);
        return await say(`<iq type='get' id='q' to='${domain}'>${question}</iq>`, /<\/iq>/);
      } finally {
        socket.destroy();
      }
    },
  };
}
