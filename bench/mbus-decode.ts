// How fast telegrams become typed records: link check, header, and every record with its value in the base unit, unit, quantity,
// function, storage, tariff, subunit and modifiers. Beside it, in the same run, the engine's own JSON.parse of the same facts
// written down, so that the figure means something on another machine.

import { readdirSync, readFileSync } from "node:fs";
import { parseHex } from "#base/bytes.ts";
import { decodeMbusOctets } from "#cli/commands/decode-mbus.ts";
import type { DataRecord } from "#drivers/mbus/record.ts";
import { decodeTelegram, isFaulty } from "#drivers/mbus/telegram.ts";
import { scaled, scaledReal } from "#drivers/mbus/value.ts";
import type { Figure } from "./figures.ts";

const folder = new URL("../test/vectors/mbus/frames/", import.meta.url);
const roundMs = 400;
const rounds = 9;
const warmUpMs = 800;

export async function mbusDecodeFigures(note: (text: string) => void, signal: AbortSignal): Promise<Figure[]> {
  const telegrams = readdirSync(folder)
    .filter(name => name.endsWith(".hex"))
    .map(name => parseHex(readFileSync(new URL(name, folder), "utf8")) ?? new Uint8Array());
  const texts = telegrams.map(octets => JSON.stringify(decodeMbusOctets(octets).json));
  const records = telegrams.reduce((sum, octets) => sum + recordsIn(octets), 0);
  note(`${telegrams.length} telegrams, ${records} records, ${rounds} rounds of each`);

  const decode = () => telegrams.reduce((sum, octets) => sum + decodeAll(octets), 0);
  const parse = () => texts.reduce((sum, text) => sum + Object.keys(JSON.parse(text)).length, 0);
  run(decode, warmUpMs);
  run(parse, warmUpMs);
  const decoded: number[] = [];
  const parsed: number[] = [];
  for (let round = 0; round < rounds; round++) {
    decoded.push(run(decode, roundMs) * telegrams.length);
    parsed.push(run(parse, roundMs) * telegrams.length);
    await new Promise(resolve => setImmediate(resolve));
    signal.throwIfAborted();
  }
  const perSecond = median(decoded);
  return [
    {
      name: "mbus.decode.telegrams",
      text: "M-Bus telegrams decoded to typed records",
      value: perSecond,
      unit: "1/s",
      target: { atLeast: 150_000 },
    },
    {
      name: "mbus.decode.records",
      text: "M-Bus records in them",
      value: (perSecond * records) / telegrams.length,
      unit: "1/s",
    },
    {
      name: "mbus.decode.ratio",
      text: "… against JSON.parse of the same facts",
      value: median(decoded.map((value, round) => value / (parsed[round] as number))),
      unit: "times",
    },
  ];
}

/** Of this thread, in milliseconds: what others do on the machine meanwhile is not counted. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** Calls in a second of this thread. */
function run(work: () => number, forMs: number): number {
  const began = threadMs();
  let calls = 0;
  let sum = 0;
  let took: number;
  do {
    for (let n = 0; n < 20; n++) sum += work();
    calls += 20;
    took = threadMs() - began;
  } while (took < forMs);
  if (!Number.isFinite(sum)) throw new Error("a decoder gave what is no number");
  return (calls * 1_000) / took;
}

function decodeAll(octets: Uint8Array): number {
  const telegram = decodeTelegram(octets);
  if (isFaulty(telegram)) throw new Error(`a recorded telegram was refused: ${telegram.fault}`);
  const { body } = telegram;
  if (body?.kind !== "variable" || !body.header) return 0;
  let sum = body.header.status;
  for (const item of body.items) if (item.kind === "record") sum += touch(item);
  return sum;
}

/** Everything a reader of records wants of one. */
function touch({ dib, vib, data: { value } }: DataRecord): number {
  const identity = dib.storage + dib.tariff + dib.subunit + dib.function.length + vib.quantity.length + vib.unit.length;
  const facts = identity + vib.modifiers.length;
  if (value.kind === "number") return facts + Number(scaled(value.mantissa, vib).mantissa);
  if (value.kind === "real") return facts + scaledReal(value.value, vib);
  return facts + ("text" in value ? value.text.length : 0);
}

function recordsIn(octets: Uint8Array): number {
  const telegram = decodeTelegram(octets);
  if (isFaulty(telegram) || telegram.body?.kind !== "variable") return 0;
  return telegram.body.items.filter(({ kind }) => kind === "record").length;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
