// The built-in drivers: the only file that names them all.

import type { Driver } from "#contract/driver.ts";
import { boardDriver } from "./board/driver.ts";
import { mbusDriver } from "./mbus/driver.ts";
import { modbusDriver } from "./modbus/driver.ts";
import { mqttDriver } from "./mqtt/driver.ts";
import { simDriver } from "./sim/driver.ts";

export const drivers: readonly Driver[] = [boardDriver, mbusDriver, modbusDriver, mqttDriver, simDriver];
