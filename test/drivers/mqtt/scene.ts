// What the tests of the MQTT driver share: one real broker a file, a client that plays the device, and an environment.

import { connectAsync, type MqttClient } from "mqtt";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { Device, Env } from "#contract/driver.ts";
import type { Sample } from "#contract/field.ts";
import type { BrokerSettings } from "#drivers/mqtt/broker.ts";

export const never = new AbortController().signal;

export const settingsFor = (port: number, over: Partial<BrokerSettings> = {}): BrokerSettings => ({
  host: "127.0.0.1",
  port,
  version: "3.1.1",
  tls: false,
  caFile: "",
  userName: "",
  password: "",
  ...over,
});

export const envFor = <P>(parent: P, clock = systemClock): Env<P> => ({
  clock,
  log: silentLog,
  parent,
  own: () => ({ [Symbol.dispose]() {} }),
  timeZone: "UTC",
});

/** Plays the device: publishes, and hears what it is told. */
export async function playDevice(port: number): Promise<MqttClient & AsyncDisposable> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4, reconnectPeriod: 0 });
  client.on("error", () => {});
  return Object.assign(client, {
    [Symbol.asyncDispose]: async () => void (await client.endAsync(true)),
  });
}

/** Resolves when `found` gives something; fails after five seconds. */
export async function until<T>(
  what: string,
  found: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  for (let tries = 0; tries < 500; tries++) {
    const value = await found();
    if (value !== undefined && value !== false) return value;
    await systemClock.sleep(10, never);
  }
  throw new Error(`not within 5 s: ${what}`);
}

/** Everything the device tells from now on. */
export function listen(device: Device): Disposable & { samples: Sample[]; next(count?: number): Promise<Sample> } {
  const stop = new AbortController();
  const samples: Sample[] = [];
  let taken = 0;
  void (async () => {
    for await (const sample of device.watch?.(stop.signal) ?? []) samples.push(sample);
  })();
  return {
    samples,
    async next() {
      const sample = await until("a sample", () => samples[taken]);
      taken++;
      return sample;
    },
    [Symbol.dispose]: () => stop.abort(),
  };
}
