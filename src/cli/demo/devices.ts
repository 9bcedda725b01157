// The devices of the demonstration's house: two M-Bus meters behind a level converter, a Modbus energy meter, a thermostat on the
// house's MQTT broker, and the serial lines of serial-devices.ts. They are simulated, and they speak bytes.

import type { Clock } from "#base/clock.ts";
import { startMbusConverter } from "#lab/mbus-converter.ts";
import { heatMeter, waterMeter } from "#lab/mbus-meter.ts";
import { createLabMeter } from "#lab/modbus-meter.ts";
import { startModbusServer } from "#lab/modbus-server.ts";
import { startMosquitto } from "#lab/mosquitto.ts";
import { startThermostat } from "#lab/mqtt-thermostat.ts";
import { serialSiteOf, startSerialDevices } from "./serial-devices.ts";

export async function startDevices(folder: string, clock: Clock, signal: AbortSignal) {
  await using started = new AsyncDisposableStack();
  const heat = heatMeter({ id: "66120034", primary: 3, clock });
  const water = waterMeter({ id: "41907755", primary: 7, clock });
  const converter = started.use(await startMbusConverter(clock, [heat, water]));
  const modbus = started.use(await startModbusServer(clock));
  modbus.units.set(1, createLabMeter(clock));
  const mosquitto = started.use(await startMosquitto({ folder, clock, signal }));
  const thermostat = started.use(await startThermostat({ port: mosquitto.port, name: "home/thermostat-2", clock }));
  const serial = started.use(await startSerialDevices(clock, signal));
  const stack = started.move();
  return { heat, converter, modbus, mosquitto, thermostat, serial, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
export type Devices = Awaited<ReturnType<typeof startDevices>>;

/** The whole house. */
export const houseOf = (devices: Devices): string => siteOf(devices).trimEnd() + serialSiteOf(devices.serial);

/** The site file of that house without its serial lines, as a technician would write it. */
export const siteOf = ({
  converter,
  modbus,
  mosquitto,
}: Devices): string => `# The nodes of the house, as a technician writes them down.
nodes:
  - type: mbus.tcp
    id: attic-mbus
    name: M-Bus in the attic
    settings: { host: 127.0.0.1, port: ${converter.port} }
    nodes:
      - type: mbus.meter
        id: heat-3
        name: Heat meter, flat 3
        settings: { address: "3", pollSeconds: 0, class: HeatMeter, manufacturer: kamstrup.example, serialNumber: "66120034" }
        tags: { ROOM: Attic }
        historyDays: 365
      - type: mbus.meter
        id: water-7
        name: Water meter, flat 3
        settings: { address: "41907755", pollSeconds: 300, class: WaterMeter, manufacturer: elster.example, serialNumber: "41907755" }
        tags: { ROOM: Attic }
  - type: modbus.tcp
    id: cellar-modbus
    name: Modbus in the cellar
    settings: { host: 127.0.0.1, port: ${modbus.port} }
    nodes:
      - type: modbus.unit
        id: energy-1
        name: Energy meter of the house
        settings: { address: 1, profile: eastron-sdm630 }
        tags: { ROOM: Cellar, LAT: 59.3293, LON: 18.0686 }
  - type: mqtt.broker
    id: home-mqtt
    name: MQTT broker of the house
    settings: { host: 127.0.0.1, port: ${mosquitto.port} }
    nodes:
      - type: mqtt.topic
        id: thermostat-2
        name: Thermostat, living room
        settings: { topic: home/thermostat-2/state, timePointer: /time }
        tags: { CLASS: Thermostat, MAN: thermo.example, ROOM: Living room }
        nodes:
          - type: mqtt.value
            id: thermostat-2-temperature
            settings: { fieldName: Temperature, pointer: /temperature, unit: Cel, decimals: 1 }
          - type: mqtt.value
            id: thermostat-2-setpoint
            settings:
              fieldName: Set Point
              pointer: /setpoint
              unit: Cel
              decimals: 1
              commandTopic: home/thermostat-2/set
              commandTemplate: '{"setpoint": {value}}'
              min: 5
              max: 30
          - type: mqtt.value
            id: thermostat-2-valve
            settings: { fieldName: Valve Position, pointer: /valve, unit: "%", category: status }
`;
