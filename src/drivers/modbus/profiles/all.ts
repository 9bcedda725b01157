// The built-in profiles: the only file that names them all.

import type { Profile } from "../profile.ts";
import { abbBSeries } from "./abb-b-series.ts";
import { eastronSdm120 } from "./eastron-sdm120.ts";
import { eastronSdm630 } from "./eastron-sdm630.ts";
import { schneiderIem3000 } from "./schneider-iem3000.ts";

export const profiles: readonly Profile[] = [abbBSeries, eastronSdm120, eastronSdm630, schneiderIem3000];
