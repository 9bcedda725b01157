// The serial lines of the demonstration's house, on pseudo terminals at their real bit rates: M-Bus with a noisy meter and one
// that is dead, and Modbus RTU with a unit that is dead.

import type { Clock } from "#base/clock.ts";
import { createMbusBus } from "#lab/mbus-bus.ts";
import { heatMeter, waterMeter } from "#lab/mbus-meter.ts";
import { createLabMeter } from "#lab/modbus-meter.ts";
import { serveRtu } from "#lab/modbus-serial.ts";
import { openPseudoTerminal } from "#lab/pseudo-terminal.ts";

export async function startSerialDevices(clock: Clock, signal: AbortSignal) {
  await using started = new AsyncDisposableStack();
  const mbus = started.use(await openPseudoTerminal());
  const noisy = heatMeter({ id: "66120112", primary: 12, clock });
  noisy.behaviour = "noisy";
  const bus = createMbusBus(clock, [waterMeter({ id: "41907711", primary: 11, clock }), noisy], signal);
  bus.baudRate = 2_400;
  mbus.onData(chunk => bus.hear(chunk, bytes => mbus.write(bytes)));
  const rtu = started.use(await openPseudoTerminal());
  const slave = started.use(serveRtu(rtu, clock));
  slave.baudRate = 19_200;
  slave.units.set(2, createLabMeter(clock));
  const stack = started.move();
  return { mbusPath: mbus.path, rtuPath: rtu.path, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
export type SerialDevices = Awaited<ReturnType<typeof startSerialDevices>>;

/** Nodes that nobody answers for. */
export const deadNodes: readonly string[] = ["gas-13", "boiler-9"];

/** Their part of the site file. Meters behind a meter: nobody claims them one by one. */
export const serialSiteOf = ({ mbusPath, rtuPath }: SerialDevices): string => `
  - type: mbus.serial
    id: shaft-mbus
    name: M-Bus in the shaft
    settings: { serialDevice: ${mbusPath}, baudRate: 2400, answerMarginMs: 200 }
    nodes:
      - type: mbus.meter
        id: water-11
        name: Water meter, laundry
        registered: false
        settings: { address: "11" }
      - type: mbus.meter
        id: heat-12
        name: Heat meter, workshop (noisy)
        registered: false
        settings: { address: "12" }
      - type: mbus.meter
        id: gas-13
        name: Gas meter (dead)
        registered: false
        settings: { address: "13" }
  - type: modbus.rtu
    id: boiler-room
    name: Modbus in the boiler room
    settings: { serialDevice: ${rtuPath}, baudRate: 19200, timeoutMs: 300 }
    nodes:
      - type: modbus.unit
        id: pumps-2
        name: Energy meter of the pumps
        registered: false
        settings: { address: 2, profile: eastron-sdm630 }
      - type: modbus.unit
        id: boiler-9
        name: Boiler (dead)
        registered: false
        settings: { address: 9, profile: eastron-sdm630 }
`;
