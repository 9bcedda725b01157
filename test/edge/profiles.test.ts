// The owner's own profiles from the folder to the node: a choice like the built-in ones, and what is wrong with one where people look.

import { mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { createLog, type LogEvent } from "#base/log.ts";
import { readBootSettings } from "#config.ts";
import { openStores } from "#edge/stores.ts";
import { runEdge } from "../../src/main.ts";

let folder: string;
let logged: LogEvent[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "isthmus-own-"));
  logged = [];
});
afterEach(() => rm(folder, { recursive: true }));

const profile = `protocol: modbus
name: acme-hp7
manufacturer: Acme
model: HP 7
fields:
  - { field: Supply Temperature, address: 10, type: int16, scale: 0.1, unit: Cel }
examples:
  - { field: Supply Temperature, registers: "00d7", value: 21.5 }
`;
const site = `nodes:
  - type: modbus.tcp
    id: hall
    settings: { host: 127.0.0.1, port: 1 }
    nodes:
      - { type: modbus.unit, id: pump, settings: { address: 1, profile: acme-hp7 } }
`;

/** Starts and stops; what it logged. */
async function boot(more: Record<string, unknown> = {}): Promise<LogEvent[]> {
  writeFileSync(join(folder, "site.yaml"), site);
  writeFileSync(
    join(folder, "isthmus.yaml"),
    JSON.stringify({ domain: "house.localhost", host: "127.0.0.1", port: 1, siteFile: "site.yaml", ...more }),
  );
  logged = [];
  const log = createLog(event => void logged.push(event));
  await runEdge({ settings: readBootSettings(join(folder, "isthmus.yaml")), clock, log, signal: AbortSignal.abort() });
  return logged;
}

const put = (path: string, text: string) => {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), text);
};

/** Messages of all nodes, as the next start finds them. */
function messages(): string[] {
  const log = createLog(() => {});
  using stores = openStores(readBootSettings(join(folder, "isthmus.yaml")), clock, log);
  return [...stores.history.statuses.messages()].flatMap(({ node, messages: all }) =>
    all.map(({ eventId, text }) => `${node.nodeId} ${eventId}: ${text}`),
  );
}

it("a profile of the data folder is a choice of units from the start", async () => {
  put("data/profiles/acme.yaml", profile);
  const events = await boot();
  expect(events.find(({ event }) => event === "profiles")).toMatchObject({ facts: { names: "acme-hp7" } });
  expect(events.filter(({ event }) => event === "node-not-usable")).toEqual([]);
  expect(messages()).toEqual([]);
});

it("one that becomes wrong stops neither the appliance nor the others; the node keeps its settings and says why", async () => {
  put("own/acme.yaml", profile);
  await boot({ profilesFolder: "own" });
  put("own/acme.yaml", profile.replace("21.5", "21.6"));
  put("own/other.yaml", profile.replace("acme-hp7", "acme-hp8"));
  const events = await boot({ profilesFolder: "own" });
  expect(events.find(({ event }) => event === "profile-wrong")).toMatchObject({
    level: "warning",
    facts: {
      file: "acme.yaml",
      line: 8,
      what: "Supply Temperature: 21.6 Cel is expected, and it is: 21.5 Cel",
    },
  });
  expect(events.find(({ event }) => event === "profiles")).toMatchObject({ facts: { names: "acme-hp8" } });
  expect(events.find(({ event }) => event === "node-not-usable")?.facts?.why).toContain("no such profile");
  expect(messages().filter(one => one.startsWith("board"))).toEqual([
    "board profiles: The profile acme.yaml is wrong in line 8 and is not used: Supply Temperature: 21.6 Cel is expected, and it is: 21.5 Cel",
  ]);

  // Put right, all is well again, and nothing is left standing.
  put("own/acme.yaml", profile);
  const again = await boot({ profilesFolder: "own" });
  expect(again.filter(({ event }) => event === "node-not-usable" || event === "profile-wrong")).toEqual([]);
  expect(messages().filter(one => one.startsWith("board"))).toEqual([]);
});
