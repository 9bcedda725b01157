// The bus doctor on Modbus lines with simulated units behind real sockets and pipes, each fault made with real octets.

import { afterEach, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import type { Device } from "#contract/driver.ts";
import { doctorCommand } from "#drivers/doctor-query.ts";
import { createLineHealth } from "#drivers/line-health.ts";
import { encodeAscii } from "#drivers/modbus/ascii.ts";
import { requestAt } from "#drivers/modbus/doctor-line.ts";
import { createLine, type ModbusLine } from "#drivers/modbus/line.ts";
import { encodeRequest, type Request } from "#drivers/modbus/pdu.ts";
import { encodeRtu, rtu } from "#drivers/modbus/rtu.ts";
import { createSerialSession } from "#drivers/modbus/serial-session.ts";
import { createOverhearing } from "#drivers/overhearing.ts";
import { createTap } from "#drivers/tap.ts";
import { type LabSlave, serveRtu } from "#lab/modbus-serial.ts";
import { createLabUnit, type LabUnit } from "#lab/modbus-unit.ts";
import { bytePipe } from "../../support/byte-pipe.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";
import { ask, type ReportLog } from "../report-log.ts";

const never = new AbortController().signal;
const timing = { timeoutMs: 300, gapMs: 0, unitChangeGapMs: 0, baudRate: 19_200 } as const;
const read: Request = { function: 3, address: 0, quantity: 2 };

interface Bench {
  readonly clock: ManualClock;
  readonly line: ModbusLine;
  readonly slave: LabSlave;
  readonly far: ReturnType<typeof bytePipe>["far"];
  units: Map<number, LabUnit>;
  examine(seconds?: number, given?: object): Promise<ReportLog>;
}

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** A line of these units over a pipe: a converter, as far as the doctor can tell; with a path for a name a port. */
function bench(addresses: readonly number[], name = "/dev/ttyUSB7"): Bench {
  const clock = manualClock();
  const { near, far } = bytePipe(name);
  const slave = serveRtu({ write: bytes => void far.write(bytes), onData: listener => far.onData(listener) }, clock);
  for (const address of addresses) {
    const unit = createLabUnit();
    unit.setWords("holding", 0, [address, 7]);
    slave.units.set(address, unit);
  }
  const tap = createTap(clock);
  const line = createLine(createSerialSession(tap.over(near), rtu, timing, clock), clock, silentLog, tap);
  for (const address of addresses) line.unit(address, 0);
  opened.push(slave, line);
  return {
    clock,
    line,
    slave,
    far,
    units: slave.units as Map<number, LabUnit>,
    examine: (seconds = 10, given = {}) => settle(clock, ask(line as Device, "Doctor", { seconds, ...given })),
  };
}

async function settle<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let done = false;
  const end = () => {
    done = true;
  };
  work.then(end, end);
  for (let waited = 0; !done && waited < 120_000; waited += 10) await clock.advance(10);
  return work;
}

it("a line that is well: every unit has its round trips, and nothing is found", async () => {
  const it = bench([1, 2]);
  const { rows, messages, statuses } = await it.examine();
  expect(rows.slice(1).map(row => [row[0], Number(row[1]) > 5, typeof row[3]])).toEqual([
    ["1", true, "number"],
    ["2", true, "number"],
  ]);
  expect(messages).toEqual([expect.stringMatching(/^No fault was seen: (\d+) of \1 requests were answered\.$/)]);
  expect(statuses[0]).toBe("Watching the line: 0 s of 10 s, 0 answers so far.");
});

it("asks behind everybody else and writes nothing; not asked to, it only watches", async () => {
  const it = bench([1]);
  const seen: number[] = [];
  const watching = it.examine(3, { ask: false });
  await settle(it.clock, it.line.unit(1, 0).ask(read, "read", never));
  const { rows } = await watching;
  expect(rows[1]?.slice(0, 2)).toEqual(["1", 1]);
  await it.examine(3);
  for (const pdu of it.units.get(1)?.requests ?? []) seen.push(pdu[0] ?? 0);
  // The unit's own last question is what it is asked again.
  expect(new Set(seen)).toEqual(new Set([3]));
  expect(it.units.get(1)?.requests.at(-1)).toEqual(encodeRequest(read));
});

it("can be given up, and leaves the line to the others at once", async () => {
  const it = bench([1]);
  const stop = new AbortController();
  const examining = ask(it.line, "Doctor", { seconds: 60 }, stop.signal);
  await it.clock.advance(1_500);
  stop.abort(new Error("enough"));
  await expect(settle(it.clock, examining)).rejects.toThrow("enough");
  expect(await settle(it.clock, it.line.unit(1, 0).ask(read, "read", never))).toMatchObject({ registers: [1, 7] });
});

it("a dead unit among others is named, and how long it rests", async () => {
  const it = bench([1, 2]);
  (it.units.get(2) as LabUnit).silent = true;
  await settle(
    it.clock,
    it.line
      .unit(2, 0)
      .ask(read, "poll", never)
      .catch(() => {}),
  );
  const { messages, rows } = await it.examine(5);
  expect(messages).toContain("Unit 2 is not there.");
  expect(messages.at(-1)).toMatch(/^Unit 2 rests, next try in [1-9] s$|^Unit 2 rests, next try in [0-9]+ s\.$/);
  expect(rows.find(row => row[0] === "2")?.at(-1)).toEqual(expect.any(Number));
});

it("damage at one unit alone is a duplicate address; damage here and there is the cable", async () => {
  const twins = bench([1, 2]);
  const other = createLabUnit();
  // Two answer at once: what arrives is neither's.
  twins.units.set(2, {
    ...other,
    answer: () => Uint8Array.of(3, 4, 0, 1, 0),
    get requests() {
      return [];
    },
  } as LabUnit);
  expect((await twins.examine()).messages).toContain("Two units have the address 2.");
  const cable = bench([1, 2, 3]);
  for (let n = 0; n < 60; n++) cable.slave.next(n % 4 === 0 ? { damage: true } : {});
  const { messages } = await cable.examine();
  expect(messages[0]).toBe("Disturbances on the cable: termination missing or doubled, a loose wire, or noise.");
});

it("another master's requests are told apart from echoes and answers", async () => {
  const it = bench([1]);
  const foreign = encodeRtu(5, encodeRequest({ function: 4, address: 100, quantity: 10 }));
  const examining = it.examine(4);
  for (let n = 0; n < 3; n++) {
    await it.clock.advance(300);
    void it.far.write(foreign);
  }
  const { messages, rows } = await examining;
  expect(messages.slice(0, 2)).toEqual([
    "A second master speaks on this line.",
    "Requests that this appliance did not send: 3.",
  ]);
  expect(rows[0]?.at(-1)).toBe(3);
  const echoing = bench([1]);
  echoing.slave.echoes = true;
  expect((await echoing.examine()).messages[0]).toBe("The converter returns what is sent.");
});

it("a wrong rate, a dead bus and a converter alone are three different things", async () => {
  const wrong = bench([1, 2]);
  wrong.slave.always = { damage: true };
  expect((await wrong.examine()).messages[0]).toBe("The baud rate or the parity is wrong.");
  const dead = bench([1, 2]);
  for (const unit of dead.units.values()) unit.silent = true;
  expect((await dead.examine()).messages[0]).toBe("The line is dead: nobody on it answers.");
  const behind = bench([1, 2], "10.0.0.7:4001");
  for (const unit of behind.units.values()) unit.silent = true;
  expect((await behind.examine()).messages[0]).toBe("Nobody behind the converter answers.");
  const alone = bench([1, 2]);
  alone.slave.echoes = true;
  for (const unit of alone.units.values()) unit.silent = true;
  expect((await alone.examine()).messages[0]).toBe("Only the converter itself is heard.");
});

it("answers that come after the timeout are late, not missing", async () => {
  const it = bench([1, 2]);
  it.slave.always = { delayMs: 420 };
  const { messages } = await it.examine(20);
  expect(messages[0]).toMatch(/^The timeout is too short for unit 1, 2\.$/);
  expect(messages[2]).toBe("Set the timeout of the line to at least 700 ms.");
});

it("a pause that is too short when the unit changes is found by who misses what", async () => {
  const it = bench([1, 2]);
  it.slave.needsGapMs = 8;
  const busy = (async () => {
    for (let n = 0; n < 8; n++) {
      for (const address of [1, 2]) {
        for (let twice = 0; twice < 3; twice++) {
          await it.line
            .unit(address, 0)
            .ask(read, "poll", never)
            .catch(() => {});
          await it.clock.sleep(twice === 2 ? 0 : 20, never);
        }
      }
    }
  })();
  const { messages } = await it.examine(20, { ask: false });
  await settle(it.clock, busy);
  expect(messages[0]).toBe("The pause is too short when the unit changes.");
});

it("nothing asked is said to be nothing, and a line without units too", async () => {
  expect((await bench([1]).examine(2, { ask: false })).messages[0]).toMatch(/^Nothing was asked/);
  expect((await bench([]).examine(2)).messages[0]).toMatch(/^No unit is known/);
});

it("Modbus over Serial Line 2.5: requests are found among any octets, our own and answers are not", () => {
  const sent = encodeRtu(1, encodeRequest({ function: 1, address: 0, quantity: 24 }));
  const answer = encodeRtu(1, Uint8Array.of(1, 3, 0, 5, 9));
  const others: Request[] = [
    { function: 3, address: 0, quantity: 2 },
    { function: 6, address: 1, value: 7 },
    { function: 16, address: 1, values: [1, 2, 3] },
    { function: 15, address: 1, bits: [true, false] },
    { function: 5, address: 1, value: true },
  ];
  const listen = (...parts: Uint8Array[]) => {
    const hearing = createOverhearing(requestAt);
    hearing.take({ at: 0, kind: "txBin", bytes: sent });
    for (const bytes of parts) hearing.take({ at: 0, kind: "rxBin", bytes });
    return hearing.requests;
  };
  expect(listen(sent, answer)).toBe(0);
  for (const request of others) {
    const frame = encodeRtu(9, encodeRequest(request));
    expect(listen(Uint8Array.of(0, 255), frame.subarray(0, 3), frame.subarray(3), answer)).toBe(1);
  }
  const line = Uint8Array.from(encodeAscii(9, encodeRequest({ function: 3, address: 0, quantity: 2 })), c =>
    c.charCodeAt(0),
  );
  expect(listen(line, line)).toBe(2);
});

it("octets that the port itself reports with wrong parity are shown, and are the cause when nobody answers", async () => {
  const clock = manualClock();
  const tap = createTap(clock);
  const health = createLineHealth(clock);
  let errors = 40;
  const silent = async () => {
    health.timeout("unit 1");
    errors += 12;
  };
  health.known("unit 1", silent);
  const line = { bus: "modbus", way: "port", tap, health, requestAt, portErrors: async () => errors } as const;
  const device = { commands: [doctorCommand(line, clock)], async [Symbol.asyncDispose]() {} };
  const { messages, rows } = await settle(clock, ask(device, "Doctor", { seconds: 5 }));
  expect(messages[0]).toBe("The parity or the number of stop bits is wrong.");
  expect(messages[1]).toBe(`Octets that the port reports with wrong parity or framing: ${errors - 40}.`);
  expect(rows[0]?.at(-1)).toBe(errors - 40);
});
