// A SunSpec device: finds its models when it is first read, reads each in as few blocks as its limits allow, and finds them anew
// when a model is not where it was. One model that cannot be read costs its own fields and no others.

import type { ControlParameter } from "#contract/control.ts";
import type { Device } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import { type Ask, type Field, isAsked, type Sample } from "#contract/field.ts";
import { textFact } from "../device-facts.ts";
import type { ModbusLine } from "./line.ts";
import { unitName } from "./session.ts";
import { modelsCommand } from "./sunspec-command.ts";
import { failedField, fieldOf, type NamedPoint, shownUnit } from "./sunspec-field.ts";
import { type LoadedModel, loadModels, type ReadModels } from "./sunspec-models.ts";
import { isInPlace, type ModelReading, readModel, readSpan } from "./sunspec-read.ts";
import type { PointValue } from "./sunspec-value.ts";
import { type Ask as AskUnit, findBase, type SunspecMap, usualBases, walkModels } from "./sunspec-walk.ts";
import { type Fresh, parameterOf } from "./sunspec-write.ts";
import { unitCommands } from "./unit-commands.ts";
import type { UnitLink } from "./unit-link.ts";

export interface SunspecPlan {
  /** Where the map begins, where it is not at one of the usual places. */
  readonly base?: number;
  readonly models: ReadModels;
  /** Registers in one read. */
  readonly wordsMax: number;
}

const words = {
  noMap: "it holds no SunSpec map at 40000, 50000 or 0",
  moves: "its SunSpec map is another each time it is looked at",
};

interface Loaded extends SunspecMap {
  readonly loaded: readonly LoadedModel[];
}

export function createSunspec(line: ModbusLine, link: UnitLink, plan: SunspecPlan): Device {
  const { clock } = line;
  const who = unitName(link.address);
  const parameters: ControlParameter[] = [];
  const seen = new Set<string>();
  let map: Loaded | undefined;
  let closed = false;

  const askFor =
    (order: "read" | "poll" | "control", signal: AbortSignal): AskUnit =>
    request => {
      if (closed) throw new DeviceFault("unreachable", `${who} is closed`);
      return link.ask(request, order, signal);
    };

  const look = async (ask: AskUnit): Promise<SunspecMap> => {
    const base = await findBase(ask, plan.base === undefined ? usualBases : [plan.base]);
    if (base === undefined) throw new DeviceFault("refused", `${who}: ${words.noMap}`);
    return walkModels(ask, base);
  };

  /** What control sees: what may be written and was seen to be there. */
  const offer = (implemented: Iterable<string>) => {
    for (const name of implemented) seen.add(name);
    const offered = (map?.loaded ?? []).flatMap(parametersOf).filter(({ name }) => seen.has(name));
    // In place: the tree holds the list that the device had when it was opened.
    if (offered.length !== parameters.length) parameters.splice(0, parameters.length, ...offered);
  };

  const load = async (ask: AskUnit): Promise<Loaded> => {
    const found = await look(ask);
    map = { ...found, loaded: await loadModels(ask, found, plan.models, plan.wordsMax) };
    offer([]);
    return map;
  };

  /** What the registers of a point hold now, after the model's id was seen beside them or right before. */
  const fresh = async (named: NamedPoint, { id, occurrence }: LoadedModel, signal: AbortSignal): Promise<Fresh> => {
    const ask = askFor("control", signal);
    for (let tries = 1; tries <= 2; tries++) {
      const { loaded } = map ?? (await load(ask));
      const model = loaded.find(one => one.id === id && one.occurrence === occurrence);
      const chunk = model?.plan.chunks.find(one => one.points.some(({ offset }) => offset === named.placed.offset));
      if (model === undefined || chunk === undefined) break;
      if (await isInPlace(ask, model)) {
        const registers = await readSpan(ask, model, chunk);
        if (registers instanceof DeviceFault) throw registers;
        return { address: model.address, registerAt: offset => registers[offset - chunk.offset] };
      }
      map = undefined;
    }
    throw new DeviceFault("refused", `${who}: ${words.moves}`);
  };

  const parametersOf = (model: LoadedModel): ControlParameter[] =>
    [...model.named.values()]
      .filter(({ placed }) => placed.point.access === "RW" && isControl(model.id))
      .map(named =>
        parameterOf(
          named,
          (one, signal) => fresh(one, model, signal),
          signal => askFor("control", signal),
          shownUnit(named.placed.point).unit,
        ),
      );

  async function* read(asked: Ask, signal: AbortSignal): AsyncGenerator<Sample> {
    const now = clock.now();
    if (now < asked.from || now > asked.to) return;
    const ask = askFor(asked.order ?? "read", signal);
    const done = new Set<string>();
    const failed: Sample[] = [];
    let fault: DeviceFault | undefined;
    for (let tries = 1; tries <= 2; tries++) {
      const { loaded } = map ?? (await load(ask));
      for (const model of loaded.filter(one => !done.has(keyOf(one)))) {
        const wanted = [...model.named.values()].filter(named => isAsked(fieldOf(named, unread), asked));
        if (wanted.length === 0) continue;
        const points = new Set(wanted.map(({ placed }) => placed));
        const reading = await readModel(ask, model, point => points.has(point));
        if (reading.moved) {
          map = undefined;
          break;
        }
        done.add(keyOf(model));
        offer(wanted.filter(({ placed }) => isThere(reading.values.get(placed))).map(({ name }) => name));
        const sample = { at: clock.now(), fields: fieldsOf(wanted, reading) };
        fault ??= [...reading.failed.values()][0];
        if (reading.values.size > 0) yield sample;
        else failed.push(sample);
      }
      if (map !== undefined) break;
      if (tries === 2) throw new DeviceFault("refused", `${who}: ${words.moves}`);
    }
    // Where nothing could be read the device has failed, not one of its models.
    if (fault !== undefined && failed.length === done.size) throw fault;
    yield* failed;
  }

  return {
    read,
    parameters,
    describe: () => [
      ...link.describe(),
      ...(map === undefined ? [] : [textFact("models", "Models", map.models.map(({ id }) => id).join(", "))]),
      ...(map?.cut === undefined ? [] : [textFact("modelsCut", "List of Models Breaks Off", map.cut)]),
    ],
    commands: [modelsCommand(signal => look(askFor("read", signal)), plan.models), ...unitCommands(line, link.address)],
    sniff: signal => line.tap.listen(signal, who),
    async [Symbol.asyncDispose]() {
      closed = true;
      line.tap.forget(who);
    },
  };
}

const unread: PointValue = { kind: "none", reason: "" };

const keyOf = ({ id, occurrence }: LoadedModel): string => `${id}/${occurrence}`;

const isThere = (value: PointValue | undefined): boolean => value !== undefined && value.kind !== "none";

/** The models below 100 are of the device's identity and networks: they are not set over the bus they would cut. */
const isControl = (id: number): boolean => id >= 100;

function fieldsOf(wanted: readonly NamedPoint[], { values, failed }: ModelReading): Field[] {
  return wanted.flatMap(named => {
    const value = values.get(named.placed);
    if (value !== undefined) return [fieldOf(named, value)];
    const fault = failed.get(named.placed);
    return fault === undefined ? [] : [failedField(named, fault.message)];
  });
}
