// The bus doctor on an M-Bus line with simulated meters behind a real socket: what two meters at one address, a noisy cable, an
// echoing converter and a battery meter leave behind, and what is said of it.

import { afterEach, expect, it } from "vitest";
import { requestAt } from "#drivers/mbus/doctor-line.ts";
import { encodeReqUd2, encodeSndNke, encodeSndUd } from "#drivers/mbus/frame.ts";
import { createOverhearing } from "#drivers/overhearing.ts";
import { heatMeter, waterMeter } from "#lab/mbus-meter.ts";
import type { MbusMeter } from "#lab/mbus-slave.ts";
import { ask } from "../report-log.ts";
import { type Bench, openBench } from "./bench.ts";

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** Meters as they hang there, and nodes for these addresses. */
async function line(addresses: readonly string[], meters?: Parameters<typeof openBench>[0], settings = {}) {
  const it = await openBench(meters);
  opened.push(it);
  for (const address of addresses) opened.push(await it.meter({ address, ...settings }));
  return it;
}

const examine = (it: Bench, seconds = 15, given = {}) => it.settle(ask(it.line, "Doctor", { seconds, ...given }), 10);

it("a line that is well: each meter has its reaction times, by primary and by secondary address", async () => {
  const it = await line(["5", "41205512"]);
  const { rows, messages } = await examine(it);
  expect(rows.slice(1, 3).map(row => row[0])).toEqual(["5", "41205512"]);
  for (const row of rows.slice(1, 3)) {
    expect(Number(row[1])).toBeGreaterThan(3);
    expect(row[3]).toEqual(expect.any(Number));
  }
  expect(messages).toEqual([expect.stringMatching(/^No fault was seen: (\d+) of \1 requests were answered\.$/)]);
});

it("two meters with one primary address acknowledge together and garble each other: the address is named", async () => {
  const it = await line(["5", "6"], clock => [
    heatMeter({ id: "30100608", primary: 5, clock }),
    waterMeter({ id: "41205512", primary: 6, clock }),
    heatMeter({ id: "30100777", primary: 6, clock }),
  ]);
  const { messages } = await examine(it);
  expect(messages[0]).toBe("Two units have the address 6.");
  expect(messages[1]).toMatch(/^Damaged answers from it: [1-9]\d* of \d+; from all others: 0 of \d+\.$/);
});

it("a noisy meter is the cable, a silent one is not there", async () => {
  const it = await line(["5", "6", "7"]);
  it.heat.behaviour = "noisy";
  const { messages } = await examine(it, 20);
  expect(messages).toContain("Unit 7 is not there.");
  expect(messages).toContain("Disturbances on the cable: a loose wire, damp, too long a cable, or noise.");
});

it("nothing but damage from everybody is a wrong rate; nothing at all is a bus without power", async () => {
  const it = await line(["5", "6"]);
  it.converter.disturb = answer => [{ afterMs: 0, bytes: answer.map(octet => octet ^ 0x5a) }];
  expect((await examine(it)).messages[0]).toBe("The baud rate or the parity is wrong.");
  const dead = await line(["5", "6"]);
  for (const meter of dead.converter.meters) (meter as MbusMeter).behaviour = "silent";
  expect((await examine(dead)).messages[0]).toBe("Nobody behind the converter answers.");
});

it("an echo is recognised and no fault; a converter that only echoes is alone", async () => {
  const it = await line(["5"]);
  it.converter.echo = true;
  expect((await examine(it)).messages[0]).toBe("The converter returns what is sent.");
  const alone = await line(["5"], () => []);
  alone.converter.echo = true;
  expect((await examine(alone, 30)).messages[0]).toBe("Only the converter itself is heard.");
});

it("another master's telegrams are told apart from ours coming back", async () => {
  const it = await line(["5"]);
  const examining = examine(it, 10);
  for (const frame of [encodeSndNke(9), encodeReqUd2(9, true)]) it.converter.inject(frame);
  expect((await examining).messages[0]).toBe("A second master speaks on this line.");
  const hearing = createOverhearing(requestAt);
  const sent = encodeSndUd(253, true, 0x52, Uint8Array.of(1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff));
  hearing.take({ at: 0, kind: "txBin", bytes: sent });
  hearing.take({ at: 0, kind: "rxBin", bytes: Uint8Array.of(...sent, 0xe5) });
  expect(hearing.requests).toBe(0);
  hearing.take({ at: 0, kind: "rxBin", bytes: encodeSndNke(9) });
  expect(hearing.requests).toBe(1);
});

it("battery meters are only greeted: none of their rationed readings is used up by looking", async () => {
  const it = await line(["5"], undefined, { minIntervalSeconds: 3_600 });
  const { rows, messages } = await examine(it);
  expect(Number(rows[1]?.[1])).toBeGreaterThan(0);
  expect(messages[0]).toMatch(/^No fault was seen/);
  expect(it.heat.readouts).toBe(0);
  // Others not so often that a battery nobody told of would feel it.
  const often = await line(["5"]);
  await examine(often, 60);
  expect(often.heat.readouts).toBeLessThanOrEqual(6);
});
