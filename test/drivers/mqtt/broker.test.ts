import { getEventListeners } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { DeviceFault } from "#contract/faults.ts";
import { type MqttMessage, openBroker } from "#drivers/mqtt/broker.ts";
import { createAuthority } from "#lab/certificates.ts";
import { type Mosquitto, startMosquitto } from "#lab/mosquitto.ts";
import { freePort } from "#lab/ports.ts";
import { mqttConnectMs, mqttPayloadBytesMax, mqttPublishMs } from "#limits.ts";
import { temporaryFolder } from "../../lab/scene.ts";
import { manualClock } from "../../support/manual-clock.ts";
import { failOnUnhandledRejections } from "../../support/unhandled.ts";
import { never, playDevice, settingsFor, until } from "./scene.ts";

failOnUnhandledRejections();

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let mosquitto: Mosquitto;
let caFile: string;
let otherCaFile: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  const authority = await createAuthority(join(folder.path, "ca"), systemClock, never);
  const other = await createAuthority(join(folder.path, "other"), systemClock, never);
  caFile = authority.caPath;
  otherCaFile = other.caPath;
  const certificate = await authority.issue({ hosts: ["127.0.0.1"] });
  mosquitto = await startMosquitto({
    folder: join(folder.path, "mosquitto"),
    clock: systemClock,
    signal: never,
    secure: { certificate, users: [{ name: "edge", password: "right" }] },
  });
});
afterAll(async () => {
  await mosquitto.stop();
  await folder[Symbol.asyncDispose]();
});

const text = (message: MqttMessage | undefined) => new TextDecoder().decode(message?.payload);
const faultOf = async (work: Promise<unknown>): Promise<DeviceFault> => {
  const error = await work.then(
    () => new Error("no fault"),
    error => error,
  );
  expect(error).toBeInstanceOf(DeviceFault);
  return error;
};

/** A server of bytes where a real broker would not misbehave; `answer` gets each packet (all are short here). */
async function partner(answer: (packet: Buffer, socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server: Server = createServer(socket => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", chunk => {
      for (let at = 0; at < chunk.length; at += 2 + (chunk[at + 1] ?? 0)) answer(chunk.subarray(at), socket);
    });
  });
  const port = await freePort();
  await new Promise<void>(resolve => server.listen(port, "127.0.0.1", resolve));
  return {
    port,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
const connack = Buffer.of(0x20, 2, 0, 0);

describe.each(["3.1.1", "5.0"] as const)("connecting by MQTT %s", version => {
  const open = (port: number, over = {}) => openBroker(settingsFor(port, { version, ...over }), systemClock, never);

  it("publishes and hears, plain", async () => {
    await using broker = await open(mosquitto.port);
    const heard: MqttMessage[] = [];
    using _ = await broker.subscribe("plain/state", message => heard.push(message), never);
    await broker.publish("plain/state", "21.5", never);
    await until("the message", () => heard.length > 0);
    expect(heard.map(text)).toEqual(["21.5"]);
    expect(heard[0]?.retained).toBe(false);
    expect(Math.abs((heard[0]?.at ?? 0) - systemClock.now())).toBeLessThan(5_000);
    expect(broker.isOpen).toBe(true);
  });

  it("with TLS, a private authority, name and password", async () => {
    const secure = { tls: true, caFile, userName: "edge", password: "right" };
    await using broker = await open(mosquitto.securePort, secure);
    await broker.publish("secure/state", "1", never);
  });

  it.each([
    ["a wrong password", { userName: "edge", password: "wrong" }],
    ["an unknown name", { userName: "nobody", password: "right" }],
    ["no name at all", {}],
  ])("%s is refused, in words that do not tell the password", async (_, login) => {
    const fault = await faultOf(open(mosquitto.securePort, { tls: true, caFile, ...login }));
    expect(fault.kind).toBe("refused");
    expect(fault.message).toBe(`127.0.0.1:${mosquitto.securePort} does not accept the user name and password.`);
    expect(JSON.stringify(fault)).not.toMatch(/wrong|right/);
  });

  it("a certificate of another authority, of none, or for another host is not trusted", async () => {
    const login = { tls: true, userName: "edge", password: "right" };
    const other = await faultOf(open(mosquitto.securePort, { ...login, caFile: otherCaFile }));
    const none = await faultOf(open(mosquitto.securePort, login));
    const wrongHost = await faultOf(open(mosquitto.securePort, { ...login, caFile, host: "localhost" }));
    for (const fault of [other, none, wrongHost]) {
      expect(fault.kind).toBe("unreachable");
      expect(fault.message).toMatch(/^The certificate of \S+ is not trusted: /);
    }
  });
});

describe("what keeps a broker from being opened", () => {
  it("an authority's file that is not there", async () => {
    const settings = settingsFor(mosquitto.securePort, { tls: true, caFile: "/nowhere/ca.pem" });
    const fault = await faultOf(openBroker(settings, systemClock, never));
    expect(fault.message).toBe("The certificate authority /nowhere/ca.pem cannot be read (ENOENT).");
  });

  it("nobody listening", async () => {
    const port = await freePort();
    const fault = await faultOf(openBroker(settingsFor(port), systemClock, never));
    expect(fault.kind).toBe("unreachable");
    expect(fault.message).toContain(`127.0.0.1:${port}`);
  });

  it("plain where TLS is spoken, and TLS where it is not", async () => {
    const plain = await faultOf(openBroker(settingsFor(mosquitto.securePort), systemClock, never));
    expect(plain.kind).toBe("unreachable");
    const tls = await faultOf(openBroker(settingsFor(mosquitto.port, { tls: true, caFile }), systemClock, never));
    expect(tls.kind).toBe("unreachable");
  });

  it("somebody who accepts and is silent: a timeout, and the socket is closed", async () => {
    await using silent = await partner(() => {});
    const clock = manualClock();
    const opening = faultOf(openBroker(settingsFor(silent.port), clock, never));
    await until("the connection", () => silent.sockets.size === 1);
    await clock.advance(mqttConnectMs);
    expect((await opening).kind).toBe("timeout");
    await until("the socket to be closed", () => silent.sockets.size === 0);
  });

  it("who is no broker", async () => {
    await using web = await partner((_, socket) => void socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
    expect((await faultOf(openBroker(settingsFor(web.port), systemClock, never))).kind).toBe("unreachable");
  });

  it("an abort: at once, with its reason, and the socket is closed", async () => {
    await using silent = await partner(() => {});
    const stop = new AbortController();
    const opening = openBroker(settingsFor(silent.port), systemClock, stop.signal);
    opening.catch(() => {});
    await until("the connection", () => silent.sockets.size === 1);
    stop.abort(new Error("stopping"));
    await expect(opening).rejects.toThrow("stopping");
    await until("the socket to be closed", () => silent.sockets.size === 0);
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
    await expect(openBroker(settingsFor(silent.port), systemClock, stop.signal)).rejects.toThrow("stopping");
  });
});

describe("a connection", () => {
  const open = () => openBroker(settingsFor(mosquitto.port), systemClock, never);

  it("what was retained comes as retained, what is said then as said", async () => {
    await using device = await playDevice(mosquitto.port);
    await device.publishAsync("kept/state", "old", { qos: 1, retain: true });
    await using broker = await open();
    const heard: MqttMessage[] = [];
    using _ = await broker.subscribe("kept/state", message => heard.push(message), never);
    await until("the retained message", () => heard.length === 1);
    await device.publishAsync("kept/state", "new", { qos: 1, retain: true });
    await until("the live message", () => heard.length === 2);
    expect(heard.map(one => [text(one), one.retained])).toEqual([
      ["old", true],
      ["new", false],
    ]);
  });

  it("a second listener is told the last message with its own time; the first does not hear it again", async () => {
    await using device = await playDevice(mosquitto.port);
    const clock = manualClock();
    await using broker = await openBroker(settingsFor(mosquitto.port), clock, never);
    const [first, second]: [MqttMessage[], MqttMessage[]] = [[], []];
    const one = await broker.subscribe("shared/state", message => first.push(message), never);
    await device.publishAsync("shared/state", "1", { qos: 1, retain: true });
    await until("the message", () => first.length === 1);
    await clock.advance(60_000);
    const two = await broker.subscribe("shared/state", message => second.push(message), never);
    expect(second).toEqual(first);
    expect(second[0]?.at).toBe(clock.now() - 60_000);

    one[Symbol.dispose]();
    one[Symbol.dispose]();
    await device.publishAsync("shared/state", "2", { qos: 1, retain: true });
    await until("the second message", () => second.length === 2);
    expect(first).toHaveLength(1);

    two[Symbol.dispose]();
    const again: MqttMessage[] = [];
    using _ = await broker.subscribe("shared/state", message => again.push(message), never);
    // A lease given back twice must not take away who came after.
    two[Symbol.dispose]();
    await until("the retained message", () => again.length === 1);
    await device.publishAsync("shared/state", "3", { qos: 1 });
    await until("the third message", () => again.length === 2);
    expect(second).toHaveLength(2);
  });

  it("a message that is too large is dropped and counted, and the connection stays", async () => {
    await using device = await playDevice(mosquitto.port);
    await using broker = await open();
    const heard: MqttMessage[] = [];
    using _ = await broker.subscribe("large/state", message => heard.push(message), never);
    await device.publishAsync("large/state", Buffer.alloc(mqttPayloadBytesMax + 1), { qos: 1 });
    await device.publishAsync("large/state", Buffer.alloc(mqttPayloadBytesMax, 0x20), { qos: 1 });
    await until("the message after it", () => heard.length === 1);
    expect(heard[0]?.payload).toHaveLength(mqttPayloadBytesMax);
    const counted = Object.fromEntries(broker.describe?.().map(one => [one.id, one.value.value]) ?? []);
    expect(counted).toEqual({ Received: 2, TooLarge: 1 });
  });

  it("a broker of version 5.0 does not even send what is too large", async () => {
    await using device = await playDevice(mosquitto.port);
    await using broker = await openBroker(settingsFor(mosquitto.port, { version: "5.0" }), systemClock, never);
    const heard: MqttMessage[] = [];
    using _ = await broker.subscribe("huge/state", message => heard.push(message), never);
    await device.publishAsync("huge/state", Buffer.alloc(8 * mqttPayloadBytesMax), { qos: 1 });
    await device.publishAsync("huge/state", "small", { qos: 1 });
    await until("the message after it", () => heard.length === 1);
    expect(heard.map(text)).toEqual(["small"]);
  });

  it("a broker that stops: `closed` settles, what is under way fails, what is asked then is refused at once", async () => {
    const mortal = await startMosquitto({ folder: join(folder.path, "mortal"), clock: systemClock, signal: never });
    const broker = await openBroker(settingsFor(mortal.port), systemClock, never);
    await broker.subscribe("mortal/state", () => {}, never);
    await mortal.stop();
    const fault = await broker.closed;
    expect(fault).toMatchObject({ kind: "unreachable" });
    expect(fault.message).toContain(`127.0.0.1:${mortal.port} was lost`);
    expect(broker.isOpen).toBe(false);
    expect((await faultOf(broker.publish("a", "b", never))).kind).toBe("unreachable");
    expect((await faultOf(broker.subscribe("a", () => {}, never))).kind).toBe("unreachable");
    await broker[Symbol.asyncDispose]();
    await broker[Symbol.asyncDispose]();
    await mortal[Symbol.asyncDispose]();
  });

  it("an acknowledgement that does not come: a timeout, or the loss of the connection, whichever is first", async () => {
    await using lazy = await partner((packet, socket) => {
      if (packet[0] === 0x10) socket.write(connack);
    });
    const clock = manualClock();
    await using broker = await openBroker(settingsFor(lazy.port), clock, never);
    const late = faultOf(broker.publish("a", "b", never));
    await until("the bound of the wait", () => clock.sleepers === 1);
    await clock.advance(mqttPublishMs);
    expect((await late).kind).toBe("timeout");

    const cut = faultOf(broker.publish("a", "b", never));
    for (const socket of lazy.sockets) socket.destroy();
    expect((await cut).kind).toBe("unreachable");
    expect(clock.sleepers).toBe(0);
  });

  it("a topic that one may not hear is refused, and does not stay listed", async () => {
    await using strict = await partner((packet, socket) => {
      if (packet[0] === 0x10) socket.write(connack);
      if (packet[0] === 0x82) socket.write(Buffer.of(0x90, 3, packet[2] ?? 0, packet[3] ?? 0, 0x80));
    });
    await using broker = await openBroker(settingsFor(strict.port), systemClock, never);
    for (let tries = 0; tries < 2; tries++) {
      const fault = await faultOf(broker.subscribe("secret", () => {}, never));
      expect(fault.kind).toBe("refused");
      expect(fault.message).toContain("does not let us hear the topic");
    }
  });

  it("an abort ends a wait with its reason, and nothing stays on a signal that lives for years", async () => {
    await using broker = await open();
    const stop = new AbortController();
    for (let at = 0; at < 100; at++) await broker.publish("often", String(at), stop.signal);
    (await broker.subscribe("often", () => {}, stop.signal))[Symbol.dispose]();
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
    stop.abort(new Error("left"));
    await expect(broker.publish("often", "x", stop.signal)).rejects.toThrow("left");
  });
});
