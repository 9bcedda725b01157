// Roles in a real file: what was given is there after the file is opened again, and a wrong role cannot get in.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import type { Grant } from "#concentrator/grants.ts";
import { rootRef } from "#contract/node.ts";
import { openDatabase } from "#store/database.ts";
import { createGrantStore } from "#store/grants.ts";
import { edgeMigrations } from "#store/migrations.ts";

it("COM-AUTH-10: roles survive; the same one given again replaces the first; unknown ones are refused", () => {
  const folder = mkdtempSync(join(tmpdir(), "grants-"));
  const open = () => openDatabase(join(folder, "edge.db"), edgeMigrations, silentLog);
  try {
    const whole: Grant = {
      jid: "ana@home.example",
      role: "installer",
      node: rootRef,
      by: "owner@home.example",
      as: "appliance",
      at: 1_000,
      until: undefined,
    };
    const meter = { nodeId: "heat-3", sourceId: "MeteringTopology", partition: "attic" };
    const one: Grant = { ...whole, role: "viewer", node: meter, as: "node", at: 2_000, until: 3_000 };
    const first = open();
    for (const grant of [whole, one, { ...whole, until: 9_000 }]) createGrantStore(first).put(grant);
    expect(() => createGrantStore(first).put({ ...whole, role: "king" as Grant["role"] })).toThrow();
    first.close();

    const second = open();
    expect(createGrantStore(second).all()).toEqual([{ ...whole, until: 9_000 }, one]);
    createGrantStore(second).delete([whole]);
    expect(createGrantStore(second).all()).toEqual([one]);
    second.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
