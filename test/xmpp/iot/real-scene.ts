// The faces over the real concentrator: real SQLite in a temporary folder, simulated devices of the real sim driver, rules
// of a few lines, and the router in front.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LogEvent, silentLog } from "#base/log.ts";
import type { Rule } from "#concentrator/admission.ts";
import { createConcentrator } from "#concentrator/concentrator.ts";
import { createTree, type SiteNode } from "#concentrator/tree.ts";
import { english } from "#contract/language.ts";
import { meteringTopology } from "#contract/node.ts";
import { simDriver } from "#drivers/sim/driver.ts";
import { createControl } from "#iot/control.ts";
import { createDynamicForms } from "#iot/dynamic-forms.ts";
import { createNodes } from "#iot/nodes.ts";
import { createSensorData } from "#iot/sensor-data.ts";
import { openDatabase } from "#store/database.ts";
import { openHistory } from "#store/history.ts";
import { edgeMigrations } from "#store/migrations.ts";
import { createNodeStore } from "#store/nodes.ts";
import type { Route } from "#xmpp/router.ts";
import { type Ask1, type Bench, createBench } from "./face-bench.ts";

export interface RealScene extends AsyncDisposable {
  readonly bench: Bench;
  readonly ask: Ask1;
  readonly events: LogEvent[];
}

/** Who is named "owner" may all; rules given go first. */
export async function createRealScene(
  nodes: readonly SiteNode[],
  rules: readonly Rule[] = [],
  others: readonly Route[] = [],
): Promise<RealScene> {
  const folder = mkdtempSync(join(tmpdir(), "isthmus-face-"));
  const bench = createBench();
  const { clock, stop } = bench;
  const database = openDatabase(join(folder, "edge.db"), edgeMigrations, silentLog);
  const history = openHistory(join(folder, "history.db"), { clock, log: silentLog, keepMs: 86_400_000 });
  const tree = createTree({
    drivers: [simDriver],
    nodes: createNodeStore(database),
    statuses: history.statuses,
    readings: history.readings,
    clock,
    log: silentLog,
    timeZone: "Europe/Stockholm",
  });
  tree.import(meteringTopology, nodes);
  const owner: Rule = {
    name: "owner",
    ask: async ({ caller, nodes, categories, names }) =>
      caller.bareJid === "owner@city.example" ? nodes.map(node => ({ node, grant: { categories, names } })) : [],
  };
  const concentrator = createConcentrator({
    tree,
    readings: history.readings,
    rules: [...rules, owner],
    clock,
    log: silentLog,
  });
  const sensorData = createSensorData({ concentrator, send: bench.send, clock, log: silentLog, signal: stop.signal });
  const ask = bench.serve([
    ...sensorData.routes,
    ...createControl({ concentrator, forms: createDynamicForms({ clock, languages: english }), clock, log: silentLog })
      .routes,
    ...createNodes({ concentrator, others }).routes,
    ...others,
  ]);
  const running = tree.run(stop.signal);
  await clock.advance(10);
  return {
    bench,
    ask,
    events: bench.events,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error("the test is over"));
      await clock.advance(10_000);
      await running;
      history[Symbol.dispose]();
      database.close();
      rmSync(folder, { recursive: true });
    },
  };
}
