// One connection to a site's MQTT broker, shared by the topics below it. The only file that touches the MQTT library; it
// does not reconnect by itself: a lost connection settles `closed`, and the tree opens the broker and its topics anew.

import { readFile } from "node:fs/promises";
import type { IClientOptions, MqttClient } from "mqtt";
import { type Broadcast, createBroadcast } from "#base/broadcast.ts";
import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import { createScope } from "#base/scope.ts";
import type { Device } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import type { DisplayParameter } from "#contract/node.ts";
import {
  mqttConnectMs,
  mqttKeepAliveSeconds,
  mqttPacketBytesMax,
  mqttPayloadBytesMax,
  mqttPublishMs,
  sniffItemsMax,
} from "#limits.ts";

export interface BrokerSettings {
  readonly host: string;
  readonly port: number;
  readonly version: "3.1.1" | "5.0";
  readonly tls: boolean;
  readonly caFile: string;
  readonly userName: string;
  readonly password: string;
}

export interface MqttMessage {
  readonly payload: Uint8Array;
  /** When we received it. */
  readonly at: number;
  /** The broker kept it from before we came: its age is unknown unless it tells its own time. */
  readonly retained: boolean;
}

/** A message as it went over the connection, for those who listen. */
export interface Passing {
  readonly topic: string;
  readonly direction: "rx" | "tx";
  readonly payload: Uint8Array;
  readonly at: number;
}

export interface MqttBroker extends Device {
  /** All that this connection receives and publishes, within the size we take. */
  readonly passing: Broadcast<Passing>;
  /**
   * Messages of one topic, from now on, beginning with what is known of it already: the last one received, or the one
   * the broker retained. Throws `DeviceFault`.
   */
  subscribe(topic: string, take: (message: MqttMessage) => void, signal: AbortSignal): Promise<Disposable>;
  /** Resolves when the broker has acknowledged it (QoS 1, not retained). Throws `DeviceFault`. */
  publish(topic: string, payload: string, signal: AbortSignal): Promise<void>;
  readonly isOpen: boolean;
  readonly closed: Promise<DeviceFault>;
}

export async function openBroker(settings: BrokerSettings, clock: Clock, signal: AbortSignal): Promise<MqttBroker> {
  const where = `${settings.host}:${settings.port}`;
  const options = await optionsOf(settings);
  signal.throwIfAborted();
  // Not before it is needed: the library is a seventh of what this program may occupy.
  const { connect } = await import("mqtt");
  signal.throwIfAborted();
  const client = connect(options);
  const broker = createBroker(client, where, clock);
  try {
    await within(clock, mqttConnectMs, where, signal, () => untilConnected(client));
    return broker;
  } catch (error) {
    client.end(true);
    signal.throwIfAborted();
    throw faultOf(error, where);
  }
}

/**
 * Hears all that the broker lets us hear below a filter, for so long, on a connection of its own: to subscribe on the one in
 * use would repeat to every topic what was retained.
 */
export async function overhear(
  settings: BrokerSettings,
  filter: string,
  ms: number,
  take: (topic: string, message: MqttMessage) => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const where = `${settings.host}:${settings.port}`;
  const options = await optionsOf(settings);
  const { connect } = await import("mqtt");
  signal.throwIfAborted();
  const client = connect(options);
  const lost = new Promise<never>((_, reject) => {
    client.once("close", () => reject(new Error("it closed the connection")));
  });
  lost.catch(() => {});
  client.on("error", () => {});
  client.on("message", (topic, payload, packet) => {
    if (payload.length <= mqttPayloadBytesMax) take(topic, { payload, at: clock.now(), retained: packet.retain });
  });
  try {
    await within(clock, mqttConnectMs, where, signal, async () => {
      await untilConnected(client);
      await client.subscribeAsync(filter, { qos: 0 });
    });
    await Promise.race([clock.sleep(ms, signal), lost]);
  } catch (error) {
    signal.throwIfAborted();
    throw faultOf(error, where);
  } finally {
    client.end(true);
  }
}

interface Topic {
  readonly takers: Set<(message: MqttMessage) => void>;
  last: MqttMessage | undefined;
  /** The broker sends it to us already. */
  heard: boolean;
}

function createBroker(client: MqttClient, where: string, clock: Clock): MqttBroker {
  const topics = new Map<string, Topic>();
  const lost = new AbortController();
  let lastError: Error | undefined;
  let received = 0;
  let tooLarge = 0;
  const passing = createBroadcast<Passing>(sniffItemsMax);

  // Without a listener an error would end the process; `closed` tells of it.
  client.on("error", error => {
    lastError = error;
  });
  client.on("message", (name, payload, packet) => {
    received++;
    if (payload.length > mqttPayloadBytesMax) {
      tooLarge++;
      return;
    }
    if (passing.listeners > 0) passing.send({ topic: name, direction: "rx", payload, at: clock.now() });
    const topic = topics.get(name);
    if (topic === undefined) return;
    const message = { payload, at: clock.now(), retained: packet.retain };
    topic.last = message;
    for (const take of topic.takers) take(message);
  });
  const closed = new Promise<DeviceFault>(resolve =>
    client.once("close", () => {
      const fault = new DeviceFault("unreachable", `The connection to ${where} was lost${because(lastError)}.`);
      lost.abort(fault);
      resolve(fault);
    }),
  );

  /** Bounded, and over as soon as the connection is. */
  const whileOpen = async <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    if (lost.signal.aborted) throw new DeviceFault("unreachable", `There is no connection to ${where}.`);
    using scope = createScope(signal);
    const onLost = () => scope.abort(lost.signal.reason);
    lost.signal.addEventListener("abort", onLost, { once: true });
    try {
      return await within(clock, mqttPublishMs, where, scope.signal, work);
    } catch (error) {
      signal.throwIfAborted();
      throw faultOf(error, where);
    } finally {
      lost.signal.removeEventListener("abort", onLost);
    }
  };

  const leave = (name: string, topic: Topic, take: (message: MqttMessage) => void) => {
    if (!topic.takers.delete(take) || topic.takers.size > 0) return;
    topics.delete(name);
    if (!lost.signal.aborted) client.unsubscribe(name);
  };

  return {
    closed,
    passing,
    get isOpen() {
      return client.connected && !lost.signal.aborted;
    },
    async subscribe(name, take, signal) {
      const topic = topics.get(name) ?? { takers: new Set(), last: undefined, heard: false };
      topics.set(name, topic);
      topic.takers.add(take);
      // To subscribe again would make the broker repeat the retained message to all, as if it had just been sent.
      if (topic.heard && topic.last !== undefined) take(topic.last);
      try {
        if (!topic.heard) await whileOpen(signal, () => client.subscribeAsync(name, { qos: 1 }));
        topic.heard = true;
      } catch (error) {
        leave(name, topic, take);
        throw error;
      }
      return { [Symbol.dispose]: () => leave(name, topic, take) };
    },
    publish: (topic, payload, signal) =>
      whileOpen(signal, async () => {
        const octets = Buffer.from(payload);
        if (passing.listeners > 0) passing.send({ topic, direction: "tx", payload: octets, at: clock.now() });
        await client.publishAsync(topic, octets, { qos: 1 });
      }),
    describe: (): DisplayParameter[] => [
      { id: "Received", name: "Messages received", value: { kind: "int", value: received } },
      { id: "TooLarge", name: "Messages too large", value: { kind: "int", value: tooLarge } },
    ],
    async [Symbol.asyncDispose]() {
      if (lost.signal.aborted) return;
      client.end(true);
      await closed;
    },
  };
}

async function optionsOf(settings: BrokerSettings): Promise<IClientOptions> {
  const modern = settings.version === "5.0";
  return {
    protocol: settings.tls ? "mqtts" : "mqtt",
    host: settings.host,
    port: settings.port,
    protocolVersion: modern ? 5 : 4,
    clean: true,
    keepalive: mqttKeepAliveSeconds,
    reconnectPeriod: 0,
    connectTimeout: mqttConnectMs,
    // Only the newer protocol lets us say so; of the older one, larger messages are dropped when they are here.
    ...(modern ? { properties: { maximumPacketSize: mqttPacketBytesMax } } : {}),
    ...(settings.userName === "" ? {} : { username: settings.userName, password: settings.password }),
    ...(settings.tls && settings.caFile !== "" ? { ca: await readAuthority(settings.caFile) } : {}),
  };
}

async function readAuthority(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown reason";
    throw new DeviceFault("unreachable", `The certificate authority ${file} cannot be read (${code}).`, {
      cause: error,
    });
  }
}

const untilConnected = (client: MqttClient): Promise<void> =>
  new Promise((resolve, reject) => {
    client.once("connect", () => resolve());
    client.once("error", reject);
    client.once("close", () => reject(new Error("it closed the connection")));
  });

const because = (error: Error | undefined): string => (error === undefined ? "" : `: ${error.message}`);

function faultOf(error: unknown, where: string): DeviceFault {
  if (error instanceof DeviceFault) return error;
  if (error instanceof TimeoutError) return new DeviceFault("timeout", `${where} did not answer.`, { cause: error });
  const { code, message } = error as { code?: unknown; message?: string };
  if (code === 4 || code === 5 || code === 134 || code === 135) {
    return new DeviceFault("refused", `${where} does not accept the user name and password.`, { cause: error });
  }
  if (message?.startsWith("Subscribe error")) {
    return new DeviceFault("refused", `${where} does not let us hear the topic.`, { cause: error });
  }
  if (typeof code === "string" && /CERT|SIGNATURE|ISSUER|TLS_/.test(code)) {
    return new DeviceFault("unreachable", `The certificate of ${where} is not trusted: ${message}.`, { cause: error });
  }
  return new DeviceFault("unreachable", `${where} cannot be reached: ${message || String(code ?? error)}.`, {
    cause: error,
  });
}
