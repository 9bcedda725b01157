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
import { acc } from "./next/acc.ts";
import { disco } from "./next/disco.ts";
import { fed } from "./next/fed.ts";
import { log } from "./next/log.ts";
import { pres } from "./next/pres.ts";
import { prov } from "./next/prov.ts";
import { provo } from "./next/provo.ts";
import { tok } from "./next/tok.ts";
import { uri } from "./next/uri.ts";
import { pub } from "./pub.ts";
import { sd } from "./sd.ts";
import { swu } from "./swu.ts";

export const families: readonly Family[] = [com, con, df, sd, ev, ctr, hi, clk, pub, swu];

export const nextFamilies: readonly Family[] = [disco, uri, prov, provo, tok, acc, pres, fed, log];
