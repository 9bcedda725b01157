// The list of what was asked of an owner and is not answered, an ad-hoc command: his own questions and nobody else's, with when he
// was asked, read by the client as it is written here.

import { afterEach, beforeEach, expect, it } from "vitest";
import { createInbox } from "#client/inbox.ts";
import { createOwner, type Owner } from "#client/owner.ts";
import { format } from "#xml/element.ts";
import { decodeError } from "#xmpp/stanza.ts";
import {
  anaFull,
  bob,
  canRead,
  claimedMeter,
  disco,
  gateway,
  lastQuestion,
  meter,
  meterTags,
  mine,
  openPipe,
  outcome,
  owning,
  type Pipe,
  payloadOf,
  register,
  service,
} from "./pipe.ts";

const never = new AbortController().signal;
const hour = 3_600_000;

let pipe: Pipe;
beforeEach(async () => {
  pipe = await openPipe();
});
afterEach(() => pipe[Symbol.asyncDispose]());

const ownerAt = (full: string): Owner =>
  createOwner({
    connection: {
      jid: full,
      online: true,
      send: () => {},
      async request(type, _to, payload) {
        const reply = await pipe.iq(type, full, format(payload));
        if (reply.attrs.type === "error") throw decodeError(reply);
        return payloadOf(reply);
      },
    },
    inbox: createInbox(),
    services: async () => ({ provisioning: { jid: service, features: new Set() } }),
    registryAt: async () => undefined,
  });
const listed = (full = anaFull) => ownerAt(full).asked(never);

it("PROVO-Q-06: what was asked, by whom, about what, when, and how often it was sent; gone when it is answered", async () => {
  await claimedMeter(pipe);
  expect(await listed()).toEqual([]);
  const at = pipe.clock.now();
  await canRead(pipe, `<nd ${meter}/><f n='Energy'/><f n='Flow'/>`, bob, "m='true'");
  const { key } = lastQuestion(pipe);
  await pipe.clock.advance(hour);
  expect(await listed()).toEqual([
    {
      key,
      jid: gateway,
      ref: { nodeId: "mbus-12", sourceId: "MeteringTopology", partition: "" },
      kind: "canRead",
      remote: bob,
      names: "Energy, Flow",
      categories: "momentary",
      asked: new Date(at).toISOString(),
      sent: new Date(at).toISOString(),
      times: 1,
    },
  ]);
  const rule = `<canReadRule xmlns='${owning}' jid='${gateway}' remoteJid='${bob}' key='${key}' result='true'><fromJid/></canReadRule>`;
  expect(outcome(await pipe.iq("set", anaFull, rule))).toBe("result");
  expect(await listed()).toEqual([]);
});

it("PROVO-THR-02: nobody sees what was asked of another, nor a former owner what is asked now", async () => {
  await claimedMeter(pipe);
  await canRead(pipe);
  expect(await listed()).toHaveLength(1);
  for (const other of [`${bob}/x`, `${gateway}/edge`, "eve@evil.example/x"]) expect(await listed(other)).toEqual([]);
  await pipe.iq("set", anaFull, `<disown xmlns='${disco}' jid='${gateway}' ${meter}/>`);
  await register(pipe, meter, meterTags("second".repeat(6)));
  await mine(pipe, meterTags("second".repeat(6)), "", "carol@home.example/x");
  expect(await listed()).toEqual([]);
  expect(await listed("carol@home.example/x")).toEqual([]);
  await canRead(pipe);
  expect(await listed("carol@home.example/x")).toHaveLength(1);
  expect(await listed()).toEqual([]);
});

it("PRES-THR-02, PROVO-LIM-04: borrowed letters are written out in lists and in the sentence; what the program goes by stays as it is", async () => {
  await claimedMeter(pipe);
  const borrowed = "\u0430na@home.example";
  await canRead(pipe, `<nd ${meter}/>`, borrowed);
  const { key, body, element } = lastQuestion(pipe);
  expect(body).toMatch(/^\\u\{430\}na@home\.example wants to read /);
  expect(element.attrs.remoteJid).toBe(borrowed);
  expect((await listed()).map(({ remote }) => remote)).toEqual(["\\u{430}na@home.example"]);
  const rule = `<canReadRule xmlns='${owning}' jid='${gateway}' remoteJid='${borrowed}' key='${key}' result='true'><fromJid/></canReadRule>`;
  expect(outcome(await pipe.iq("set", anaFull, rule))).toBe("result");
  expect((await ownerAt(anaFull).rules(never)).map(({ origin }) => origin)).toEqual(["\\u{430}na@home.example"]);
});
