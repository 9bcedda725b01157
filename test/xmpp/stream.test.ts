// The stream over real sockets: bytes in any pieces, one write a turn, what ends it and how it says so.

import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { type Element, textOf } from "#xml/element.ts";
import { createStream, StreamEnded, type StreamOptions } from "#xmpp/stream.ts";
import { manualClock } from "../support/manual-clock.ts";
import { forever, until } from "../support/xmpp-peer.ts";

const header =
  "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='s1' version='1.0'>";
const options: StreamOptions = { ns: "jabber:client", to: "a'b.example", version: "1.0" };

let server: Server;
let near: Socket;
let far: Socket;
let heard = "";
let chunks = 0;

beforeEach(async () => {
  heard = "";
  chunks = 0;
  const accepted = Promise.withResolvers<Socket>();
  server = createServer({ allowHalfOpen: true }, socket => accepted.resolve(socket));
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  near = connect(typeof address === "object" && address !== null ? address.port : 0, "127.0.0.1");
  far = await accepted.promise;
  far.on("error", () => {});
  far.on("data", chunk => {
    heard += chunk.toString();
    chunks++;
  });
});
afterEach(async () => {
  near.destroy();
  far.destroy();
  await new Promise(resolve => server.close(resolve));
});

const opened = async (more: Partial<StreamOptions> = {}, clock = systemClock) => {
  const stream = createStream(near, { ...options, ...more }, clock);
  const answer = stream.restart();
  far.write(header);
  await answer;
  return stream;
};

describe("the stream", () => {
  it("sends a header with all that is special in names escaped, and reads the other's", async () => {
    const stream = await opened();
    await until("the header", () => heard.includes(">"));
    expect(heard).toContain("to='a&apos;b.example' version='1.0' xml:lang='en'>");
    expect(stream.over).toBeUndefined();
  });

  it("stack.md: characters cut by chunks of any size arrive whole", async () => {
    const stream = await opened();
    const body = "Wärme 🔥 電力 é".repeat(20);
    const bytes = Buffer.from(`<message><body>${body}</body></message>`);
    far.setNoDelay(true);
    const read = stream.read();
    for (const byte of bytes) {
      far.write(Uint8Array.of(byte));
      if (byte % 7 === 0) await new Promise(resolve => setImmediate(resolve));
    }
    expect(textOf((await read).children[0] as Element)).toBe(body);
  });

  it("stack.md: Nagle's delay is off, and what is written in one turn leaves in one piece", async () => {
    let noDelay = false;
    const original = near.setNoDelay.bind(near);
    near.setNoDelay = on => {
      noDelay = on ?? true;
      return original(on);
    };
    const stream = await opened();
    expect(noDelay).toBe(true);
    await until("the header", () => chunks > 0);
    const before = chunks;
    for (let n = 0; n < 100; n++) stream.write(`<iq id='${n}'/>`);
    await Promise.resolve();
    stream.write("<iq id='last'/>");
    await until("all", () => heard.includes("last"));
    expect(chunks - before).toBe(1);
    expect(heard.match(/<iq/g)).toHaveLength(101);
  });

  it("a peer that does not read is not written to beyond the bound", async () => {
    const stream = await opened();
    far.pause();
    const big = "x".repeat(1_000_000);
    for (let n = 0; n < 100 && stream.over === undefined; n++) {
      stream.write(big);
      await new Promise(resolve => setImmediate(resolve));
    }
    expect((await stream.ended).message).toMatch(/does not take what is sent/);
  });

  it("elements not yet read come first to a listener", async () => {
    const stream = await opened();
    far.write("<a/><b/>");
    await stream.read();
    const seen: string[] = [];
    await systemClock.sleep(20, forever);
    stream.listen(
      node => void seen.push(node.name),
      () => {},
    );
    far.write("<c/>");
    await until("all", () => seen.length === 2);
    expect(seen).toEqual(["b", "c"]);
  });
});

describe("what ends it", () => {
  const endedBy = async (text: string | Uint8Array): Promise<StreamEnded> => {
    const stream = await opened({ limits: { charsMax: 500, depthMax: 5 } });
    const read = stream.read();
    far.write(text);
    const reason = await stream.ended;
    await expect(read).rejects.toBe(reason);
    await expect(stream.restart()).rejects.toBe(reason);
    return reason;
  };

  it.each([
    ["not-well-formed", "<a></b>"],
    ["restricted-xml", "<!DOCTYPE x>"],
    ["restricted-xml", "<!-- -->"],
    ["policy-violation", `<a>${"<b>".repeat(20)}${"</b>".repeat(20)}</a>`],
    ["policy-violation", `<a x='${"y".repeat(600)}'/>`],
    ["unsupported-encoding", Uint8Array.of(0x3c, 0x61, 0x3e, 0xff, 0xfe)],
  ])("RFC 6120 section 4.9.3: %s is told to the peer and closes", async (condition, text) => {
    const reason = await endedBy(text);
    expect(reason).toMatchObject({ condition, byPeer: false });
    await until("told", () => heard.includes("</stream:stream>"));
    expect(heard).toContain(`<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`);
  });

  it("a stream error of the peer, with its words", async () => {
    const ns = "urn:ietf:params:xml:ns:xmpp-streams";
    const reason = await endedBy(
      `<stream:error><conflict xmlns='${ns}'/><text xmlns='${ns}'>Replaced by new connection</text></stream:error></stream:stream>`,
    );
    expect(reason).toMatchObject({ condition: "conflict", byPeer: true });
    expect(reason.message).toContain("Replaced by new connection");
  });

  it("the peer closes, resets, or just goes", async () => {
    const closed = await opened();
    far.write("</stream:stream>");
    expect(await closed.ended).toMatchObject({ byPeer: true, condition: undefined });
    await until("answered", () => heard.includes("</stream:stream>"));
  });

  it("a reset is no unhandled error", async () => {
    const stream = await opened();
    far.resetAndDestroy();
    expect((await stream.ended).message).toMatch(/connection was lost \(ECONNRESET\)/);
    stream.write("<late/>");
    stream.fail("bad-format", "too late");
    stream.destroy("again");
    await stream.close();
    expect((await stream.ended).message).toMatch(/ECONNRESET/);
  });

  it("something that is no XMPP stream", async () => {
    const stream = createStream(near, options, systemClock);
    const answer = stream.restart();
    far.write("<html>");
    await expect(answer).rejects.toMatchObject({ condition: "invalid-namespace" });
  });

  it("more elements than anybody reads", async () => {
    const stream = await opened();
    far.write("<a/>".repeat(6_000));
    expect(await stream.ended).toMatchObject({ condition: "policy-violation" });
  });

  it("closing waits for the peer, but not for ever", async () => {
    const clock = manualClock();
    const stream = await opened({}, clock);
    const closing = stream.close();
    await until("said", () => heard.includes("</stream:stream>"));
    let done = false;
    closing.then(() => {
      done = true;
    });
    await clock.advance(1_900);
    expect(done).toBe(false);
    await clock.advance(200);
    await closing;
    expect(near.destroyed).toBe(true);
    expect(await stream.ended).toBeInstanceOf(StreamEnded);
  });
});
