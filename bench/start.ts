// How long the appliance takes from being started until it is ready, and what it occupies then: as a process of its own, with
// the nodes in its database already, as after a power cut.

import { systemClock } from "#base/clock.ts";
import type { Figure } from "./figures.ts";
import { createScene, residentMb, type Scene, until } from "./scene.ts";

const starts = 5;
/** After ready: the devices are open, the broker is reached, the garbage of starting is collected or not. */
const settledMs = 5_000;

export async function startFigures(note: (text: string) => void, signal: AbortSignal): Promise<Figure[]> {
  await using scene = await createScene(signal);
  const figures: Figure[] = [];
  for (const count of [10, 1_000]) figures.push(...(await startWith(scene, count, note, signal)));
  return figures;
}

async function startWith(
  scene: Scene,
  count: number,
  note: (text: string) => void,
  signal: AbortSignal,
): Promise<Figure[]> {
  const edge = scene.edge(`edge-${count}`, siteOf(count));
  note(`${count} nodes, created at the first start`);
  const first = await edge.start();
  await until("every node open", async () => (await edge.status()).nodes.length >= count, signal);
  await first.child.stop();

  const ready: number[] = [];
  const atOnce: number[] = [];
  const settled: number[] = [];
  for (let at = 0; at < starts; at++) {
    const { child, readyMs } = await edge.start();
    ready.push(readyMs);
    atOnce.push(residentMb(child.pid));
    await until("online", async () => (await edge.status()).connection.phase === "online", signal);
    await systemClock.sleep(settledMs, signal);
    settled.push(residentMb(child.pid));
    note(`start ${at + 1}: ready after ${readyMs.toFixed(0)} ms, ${(settled.at(-1) ?? 0).toFixed(0)} MB`);
    await child.stop();
  }
  const many = count === 1_000;
  const name = `start.${count}`;
  return [
    { name: `${name}.first`, text: `${count} nodes: first start to ready`, value: first.readyMs / 1_000, unit: "s" },
    {
      name: `${name}.ready`,
      text: `${count} nodes: start to ready, median of ${starts}`,
      value: median(ready) / 1_000,
      unit: "s",
      ...(many ? { target: { below: 2 } } : {}),
    },
    { name: `${name}.rssReady`, text: `${count} nodes: memory when ready`, value: median(atOnce), unit: "MB" },
    {
      name: `${name}.rss`,
      text: `${count} nodes: memory when online for ${settledMs / 1_000} s`,
      value: median(settled),
      unit: "MB",
      ...(many ? { target: { atMost: 140 } } : {}),
    },
  ];
}

/** Meters on lines of fifty, as on real sites. */
function siteOf(count: number): string {
  const perLine = 50;
  const lines = Array.from({ length: Math.ceil(count / perLine) }, (_, line) => ({
    type: "sim.line",
    id: `line-${line}`,
    nodes: Array.from({ length: Math.min(perLine, count - line * perLine) }, (_, at) => ({
      type: "sim.meter",
      id: `meter-${line * perLine + at}`,
      settings: { fields: 20 },
    })),
  }));
  return JSON.stringify({ nodes: lines });
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
