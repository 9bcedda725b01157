// The built-in drivers: the only file that names them all.

import type { Driver } from "#contract/driver.ts";
import { boardDriver } from "./board/driver.ts";
import { createMbusDriver } from "./mbus/driver.ts";
import { mbusShelf } from "./mbus/profiles/all.ts";
import { createModbusDriver } from "./modbus/driver.ts";
import { modbusShelf } from "./modbus/profiles/all.ts";
import { mqttDriver } from "./mqtt/driver.ts";
import type { ProfileHead } from "./profile.ts";
import { simDriver } from "./sim/driver.ts";

/** `own`: profiles of the owner, beside and before those that come with the program. */
export const createDrivers = (own: readonly ProfileHead[] = []): readonly Driver[] => [
  boardDriver,
  createMbusDriver(mbusShelf(own)),
  createModbusDriver(modbusShelf(own)),
  mqttDriver,
  simDriver,
];

export const drivers: readonly Driver[] = createDrivers();
