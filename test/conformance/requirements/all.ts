// All lists of requirements: those the program answers for today, and those of the work that comes next, which are known
// and shown but not counted yet.

import { acc } from "./acc.ts";
import { clk } from "./clk.ts";
import { com } from "./com.ts";
import { con } from "./con.ts";
import { ctr } from "./ctr.ts";
import { df } from "./df.ts";
import { disco } from "./disco.ts";
import { ev } from "./ev.ts";
import type { Family } from "./family.ts";
import { fed } from "./fed.ts";
import { hi } from "./hi.ts";
import { log } from "./log.ts";
import { e2e } from "./next/e2e.ts";
import { pres } from "./pres.ts";
import { prov } from "./prov.ts";
import { provo } from "./provo.ts";
import { pub } from "./pub.ts";
import { sd } from "./sd.ts";
import { swu } from "./swu.ts";
import { tok } from "./tok.ts";
import { uri } from "./uri.ts";

export const families: readonly Family[] = [
  com,
  con,
  df,
  sd,
  ev,
  ctr,
  hi,
  clk,
  pub,
  swu,
  disco,
  uri,
  prov,
  provo,
  tok,
  acc,
  pres,
  fed,
  log,
];

export const nextFamilies: readonly Family[] = [e2e];
