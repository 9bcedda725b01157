// One connection to a site's MQTT broker, shared by the topics below it. The only file that touches the MQTT library; it
// does not reconnect by itself: a lost connection settles `closed`, and the tree opens the broker and its topics anew.

import { readFileSync } from "node:fs";
import { connect, type IClientOptions, type MqttClient } from "mqtt";
import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import type { Device } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import type { DisplayParameter } from "#contract/node.ts";
import { mqttConnectMs, mqttPayloadBytesMax, mqttPublishMs } from "#limits.ts";

export interface BrokerSettings {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly caFile: string;
  readonly userName: string;
  readonly password: string;
}

export interface MqttMessage {
  readonly payload: Uint8Array;
  /** The broker kept it from before we came: its age is unknown unless it tells its own time. */
  readonly retained: boolean;
}

export interface MqttBroker extends Device {
  /** Messages of one topic, from now on. Throws `DeviceFault`. */
  subscribe(topic: string, take: (message: MqttMessage) => void, signal: AbortSignal): Promise<Disposable>;
  /** Resolves when the broker has acknowledged it (QoS 1). Throws `DeviceFault`. */
  publish(topic: string, payload: string, signal: AbortSignal): Promise<void>;
  readonly closed: Promise<DeviceFault>;
}

export async function openBroker(settings: BrokerSettings, clock: Clock, signal: AbortSignal): Promise<MqttBroker> {
  const where = `${settings.host}:${settings.port}`;
  const client = connect(optionsOf(settings));
  // Without a listener an error would end the process; `closed` tells of it.
  client.on("error", error => (lastError = error));
  let lastError: Error | undefined;
  try {
    await within(clock, mqttConnectMs, where, signal, () => untilConnected(client));
  } catch (error) {
    client.end(true);
    signal.throwIfAborted();
    throw faultOf(error, where);
  }
  return createBroker(client, where, clock, () => lastError);
}

function createBroker(client: MqttClient, where: string, clock: Clock, lastError: () => Error | undefined): MqttBroker {
  const takers = new Map<string, Set<(message: MqttMessage) => void>>();
  let received = 0;
  let tooLarge = 0;
  let ended = false;

  client.on("message", (topic, payload, packet) => {
    received++;
    if (payload.length > mqttPayloadBytesMax) {
      tooLarge++;
      return;
    }
    for (const take of takers.get(topic) ?? []) take({ payload, retained: packet.retain });
  });
  const closed = new Promise<DeviceFault>(resolve =>
    client.once("close", () => {
      ended = true;
      resolve(new DeviceFault("unreachable", `The connection to ${where} was lost${because(lastError())}.`));
    }),
  );
  const whileOpen = async <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    if (ended) throw new DeviceFault("unreachable", `There is no connection to ${where}.`);
    try {
      const lost = closed.then(fault => Promise.reject(fault));
      return await within(clock, mqttPublishMs, where, signal, () => Promise.race([work(), lost]));
    } catch (error) {
      signal.throwIfAborted();
      throw faultOf(error, where);
    }
  };

  return {
    closed,
    async subscribe(topic, take, signal) {
      const those = takers.get(topic) ?? new Set();
      takers.set(topic, those.add(take));
      // A second topic node of the same topic needs the retained message too: subscribing again makes the broker repeat it.
      await whileOpen(signal, () => client.subscribeAsync(topic, { qos: 1 }));
      return {
        [Symbol.dispose]() {
          those.delete(take);
          if (those.size > 0) return;
          takers.delete(topic);
          if (!ended) client.unsubscribe(topic);
        },
      };
    },
    publish: (topic, payload, signal) =>
      whileOpen(signal, async () => {
        await client.publishAsync(topic, payload, { qos: 1 });
      }),
    describe: (): DisplayParameter[] => [
      { id: "Received", name: "Messages received", value: { kind: "int", value: received } },
      { id: "TooLarge", name: "Messages too large", value: { kind: "int", value: tooLarge } },
    ],
    async [Symbol.asyncDispose]() {
      if (ended) return;
      ended = true;
      client.end(true);
      await closed;
    },
  };
}

const optionsOf = (settings: BrokerSettings): IClientOptions => ({
  protocol: settings.tls ? "mqtts" : "mqtt",
  host: settings.host,
  port: settings.port,
  protocolVersion: 4,
  clean: true,
  keepalive: 30,
  reconnectPeriod: 0,
  connectTimeout: mqttConnectMs,
  ...(settings.userName === "" ? {} : { username: settings.userName, password: settings.password }),
  ...(settings.tls && settings.caFile !== "" ? { ca: readFileSync(settings.caFile) } : {}),
});

const untilConnected = (client: MqttClient): Promise<void> =>
  new Promise((resolve, reject) => {
    client.once("connect", () => resolve());
    client.once("error", reject);
    client.once("close", () => reject(new Error("the connection was closed")));
  });

const because = (error: Error | undefined): string => (error === undefined ? "" : `: ${error.message}`);

function faultOf(error: unknown, where: string): DeviceFault {
  if (error instanceof DeviceFault) return error;
  if (error instanceof TimeoutError) return new DeviceFault("timeout", `${where} did not answer.`, { cause: error });
  const code = (error as { code?: unknown }).code;
  if (code === 4 || code === 5 || code === 134 || code === 135) {
    return new DeviceFault("refused", `${where} does not accept the user name and password.`, { cause: error });
  }
  const what = error instanceof Error ? error.message || String(code) : String(error);
  return new DeviceFault("unreachable", `${where} cannot be reached: ${what}.`, { cause: error });
}
