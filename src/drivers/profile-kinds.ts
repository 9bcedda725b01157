// The kinds of profiles there are, by protocol.

import { mbusProfiles } from "./mbus/product-examples.ts";
import { modbusProfiles } from "./modbus/profile-examples.ts";
import type { Kinds } from "./profile-file.ts";

export const profileKinds = { modbus: modbusProfiles, mbus: mbusProfiles } as const satisfies Kinds;
