// A simulated thermostat on a real MQTT broker, by the habits of such devices: state as retained JSON, commands on a topic of
// their own, a moment's thought before it obeys, and no obedience outside its range.

import { connectAsync } from "mqtt";
import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";

export interface Thermostat extends AsyncDisposable {
  /** What the device itself is set to, in degrees Celsius. */
  readonly setPoint: number;
  /** Turns the knob by hand. */
  turn(setPoint: number): Promise<void>;
  /** From now on it hears commands and does not obey. */
  jam(jammed: boolean): void;
}

export interface ThermostatOptions {
  readonly port: number;
  /** State goes to `<name>/state`, commands come from `<name>/set`. */
  readonly name: string;
  readonly clock: Clock;
  readonly reportMs?: number;
}

const thinkingMs = 30;

export async function startThermostat({ port, name, clock, reportMs = 5_000 }: ThermostatOptions): Promise<Thermostat> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4, reconnectPeriod: 500 });
  client.on("error", () => {});
  const stop = new AbortController();
  let setPoint = 21;
  let temperature = 20.4;
  let jammed = false;

  const report = async () => {
    const state = {
      time: new Date(clock.now()).toISOString(),
      temperature: Number(temperature.toFixed(1)),
      setpoint: setPoint,
      valve: Math.round(Math.min(100, Math.max(0, (setPoint - temperature) * 40))),
    };
    // Without a broker nobody hears it, and the library would keep it, and us waiting, until there is one.
    if (!client.connected) return;
    const publish = () => client.publishAsync(`${name}/state`, JSON.stringify(state), { qos: 1, retain: true });
    await within(clock, reportMs, name, stop.signal, publish).catch(() => {});
  };
  const obey = async (text: string) => {
    await clock.sleep(thinkingMs, stop.signal);
    const wanted = Number((JSON.parse(text) as { setpoint?: unknown }).setpoint);
    if (!jammed && wanted >= 5 && wanted <= 30) setPoint = wanted;
    await report();
  };
  client.on("message", (_, payload) => void obey(payload.toString()).catch(() => {}));
  await client.subscribeAsync(`${name}/set`, { qos: 1 });
  await report();
  client.on("connect", () => void report());

  const living = (async () => {
    while (!stop.signal.aborted) {
      await clock.sleep(reportMs, stop.signal);
      temperature += (setPoint - temperature) * 0.05;
      await report();
    }
  })().catch(() => {});

  return {
    get setPoint() {
      return setPoint;
    },
    async turn(wanted) {
      setPoint = wanted;
      await report();
    },
    jam(value) {
      jammed = value;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await living;
      await client.endAsync(true);
    },
  };
}
