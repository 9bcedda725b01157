// An adapter is pulled and plugged in again under another number, below the real tree with real pseudo terminals: the node says
// so, the line comes back by its lasting name without a restart and without waiting, and polls and history go on.

import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { createConcentrator } from "#concentrator/concentrator.ts";
import { createTree } from "#concentrator/tree.ts";
import { meteringTopology, type NodeRef } from "#contract/node.ts";
import { modbusDriver } from "#drivers/modbus/driver.ts";
import { createLabMeter } from "#lab/modbus-meter.ts";
import { serveRtu } from "#lab/modbus-serial.ts";
import { openPseudoTerminal } from "#lab/pseudo-terminal.ts";
import { openDatabase } from "#store/database.ts";
import { createHistory } from "#store/history.ts";
import { edgeMigrations, historyMigrations } from "#store/migrations.ts";
import { createNodeStore } from "#store/nodes.ts";
import { manualClock } from "../support/manual-clock.ts";

const never = new AbortController().signal;

it("an adapter that is pulled is missed, and found again under another number", async () => {
  await using cleaning = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "isthmus-plug-"));
  cleaning.defer(() => rm(folder, { recursive: true, force: true }));
  const byId = join(folder, "usb-adapter");
  const clock = manualClock();

  const plugIn = async () => {
    const terminal = await openPseudoTerminal();
    const slave = serveRtu(terminal, clock);
    slave.units.set(1, createLabMeter(clock));
    await symlink(terminal.path, byId);
    return {
      path: terminal.path,
      async pull() {
        await rm(byId, { force: true });
        await slave[Symbol.asyncDispose]();
        await terminal[Symbol.asyncDispose]();
      },
    };
  };

  const edge = openDatabase(":memory:", edgeMigrations, silentLog);
  const file = openDatabase(":memory:", historyMigrations, silentLog);
  const history = createHistory(file, { clock, log: silentLog, keepMs: 86_400_000 });
  const { statuses, readings } = history;
  const nodes = createNodeStore(edge);
  const drivers = [modbusDriver];
  const tree = createTree({ drivers, nodes, statuses, readings, clock, log: silentLog, timeZone: "UTC" });
  createConcentrator({ tree, readings, rules: [], clock, log: silentLog });
  const refOf = (nodeId: string, partition: string): NodeRef => ({ nodeId, partition, sourceId: meteringTopology });
  const line = refOf("cellar", "");
  const meter = refOf("meter", "cellar");
  const add = (type: string, ref: NodeRef, settings: object, parent?: NodeRef) =>
    tree.create({
      sourceId: meteringTopology,
      type,
      nodeId: ref.nodeId,
      settings: { ...settings },
      displayName: ref.nodeId,
      tags: [],
      parent,
    });
  const stop = new AbortController();
  cleaning.defer(async () => {
    history[Symbol.dispose]();
    edge.close();
  });
  const running = Promise.all([tree.run(stop.signal), history.run(stop.signal)]);
  cleaning.defer(async () => {
    stop.abort();
    await until(() => over);
    await running;
  });
  let over = false;
  void running.finally(() => {
    over = true;
  });
  /** Pipes and folders take real time: it is given a turn, and the clock as much as is said. */
  async function until(wanted: () => boolean, stepMs = 50) {
    for (let n = 0; n < 4_000 && !wanted(); n++) {
      await systemClock.sleep(2, never);
      await clock.advance(stepMs);
    }
    expect(wanted()).toBe(true);
  }
  const isOpen = (ref: NodeRef) => tree.find(ref)?.opened !== undefined;
  const said = () => [...(tree.find(line)?.messages.values() ?? [])].map(({ text }) => text).join(" ");
  const count = () => [...readings.between(meter, -1e12, clock.now())].length;

  const first = await plugIn();
  add("modbus.rtu", line, { serialDevice: `/dev/..${byId}`, timeoutMs: 200 });
  add("modbus.unit", meter, { address: 1, profile: "eastron-sdm630", pollSeconds: 10 }, line);
  await until(() => count() > 0);

  await first.pull();
  await until(() => !isOpen(line) && /no such port: is the adapter plugged in\?/.test(said()));
  expect(isOpen(meter)).toBe(false);
  // So long that the next attempt by itself would be a minute away.
  for (let n = 0; n < 400; n++) {
    await clock.advance(1_000);
    await systemClock.sleep(2, never);
  }
  const before = count();

  const second = await plugIn();
  cleaning.defer(() => second.pull());
  expect(second.path).not.toBe("");
  // The clock stands still but for the look now and then.
  const pluggedAt = clock.now();
  await until(() => isOpen(meter), 1);
  expect(clock.now() - pluggedAt).toBeLessThan(10_000);
  expect(said()).not.toMatch(/no such port/);
  await until(() => count() > before);
}, 60_000);
