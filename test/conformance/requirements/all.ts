// All lists of requirements: those the program answers for today, and those of the work that comes next, which are known
// and shown but not counted yet.

import { clk } from "./clk.ts";
import { com } from "./com.ts";
import { con } from "./con.ts";
import { ctr } from "./ctr.ts";
import { df } from "./df.ts";
import { ev } from "./ev.ts";
import type { Family } from "./family.ts";
import { hi } from "./hi.ts";
import { pub } from "./pub.ts";
import { sd } from "./sd.ts";
import { swu } from "./swu.ts";

export const families: readonly Family[] = [com, con, df, sd, ev, ctr, hi, clk, pub, swu];

export const nextFamilies: readonly Family[] = [];
