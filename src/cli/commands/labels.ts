// `isthmus labels`: the labels to stick on things, with the codes by which who stands before them claims them.

import { systemClock } from "#base/clock.ts";
import { describeNode } from "#contract/node.ts";
import { faceOf, type LabelFace } from "#labels/face.ts";
import { LabelError } from "#labels/label-error.ts";
import { makeLabels } from "#labels/making.ts";
import { labelsMax } from "#limits.ts";
import { type CommandBody, CommandError, type Invocation } from "../command.ts";
import { type Making, makingOf, makingOptions, sentences } from "../labels/making.ts";
import { type LabelState, openPrinted, type Printed } from "../labels/printed.ts";
import { chosen, type Listed, thingsHere } from "../labels/things.ts";
import { createProgress } from "../progress.ts";

export const labels: CommandBody = {
  usage: "--out FILE [--sheet NAME | --size SIZE] | --list",
  details: [
    "A label for each thing: its code, its serial number in large digits, what and where it is. Whoever has a code may claim",
    "the thing: what is claimed already gets a label without one. Each code is read again before the file is there.",
    "Print in actual size, never fitted to the page.",
  ].join(" "),
  options: {
    ...makingOptions,
    node: {
      type: "string",
      value: "NODE",
      multiple: true,
      help: "Only this thing, or `appliance`; may be given again.",
    },
    line: { type: "string", value: "NODE", help: "Only what hangs on this line." },
    unclaimed: { type: "boolean", help: "Only what can be claimed." },
    outdated: { type: "boolean", help: "Only labels that were never made, or are not right any more." },
    list: { type: "boolean", help: "Make none: say which there are, and which are out of date." },
    lang: {
      type: "string",
      value: "TAG",
      help: "Language of the labels: en, sv, de, es; the appliance's unless said.",
    },
    data: {
      type: "string",
      value: "FOLDER",
      help: "The appliance's data folder; the running demonstration's, else ./data.",
    },
  },
  words: [0, 0],
  async run(call) {
    const making = makingOf(call);
    if (making === undefined && !call.flag("list"))
      throw new CommandError("Say with --out where the labels shall be written, or --list.");
    return await work(call, making, await thingsHere(call));
  },
};

async function work(call: Invocation, making: Making | undefined, listed: Listed): Promise<number> {
  const printed = openPrinted(listed.printedFile);
  const all = listed.things.map(one => faceOf(one, listed.registry));
  const wanted = new Set(chosen(listed.things, call).map(({ ref }) => ref));
  const faces = all.filter(
    face => wanted.has(face.ref) && (!call.flag("outdated") || printed.stateOf(face) !== "current"),
  );
  if (making === undefined || call.flag("list")) return list(call, faces, printed);
  if (faces.length === 0) throw new CommandError("There is no such label to make: see `isthmus labels --list`.");
  if (faces.length > labelsMax)
    throw new CommandError(`More than ${labelsMax} labels: choose some with --line or --node.`);
  const made = await make(call, making, listed, faces);
  for (const face of faces) call.out.value({ ...faceValue(face), files: made.files });
  for (const line of report(making, faces, made)) call.out.note(line);
  remember(call, printed, faces, all);
  return 0;
}

async function make(call: Invocation, making: Making, { language }: Listed, faces: readonly LabelFace[]) {
  using progress = createProgress(!call.out.json);
  try {
    return await makeLabels(faces, faces.length, {
      ...making,
      say: sentences(call.text("lang"), language),
      signal: call.signal,
      progress: done => progress.show(`${done} of ${faces.length} labels`),
    });
  } catch (error) {
    if (error instanceof LabelError) throw new CommandError(error.message);
    throw error;
  }
}

function list(call: Invocation, faces: readonly LabelFace[], printed: Printed): number {
  const rows = faces.map(face => {
    const state = printed.stateOf(face);
    const at = printed.madeAt(face);
    call.out.value({
      ...faceValue(face),
      label: state,
      ...(at === undefined ? {} : { madeAt: new Date(at).toISOString() }),
    });
    const since = at === undefined ? "" : ` (${new Date(at).toISOString().slice(0, 10)})`;
    return [describeNode(face.ref), face.name, face.serial, stateWords[face.state], `${labelWords[state]}${since}`];
  });
  if (rows.length === 0) call.out.note("There is nothing here that could have a label.");
  else call.out.table(["Node", "Name", "Serial number", "State", "Label"], rows);
  return 0;
}

const stateWords: Readonly<Record<LabelFace["state"], string>> = {
  registered: "unclaimed",
  claimed: "claimed",
  unregistered: "not registered yet",
};
const labelWords: Readonly<Record<LabelState, string>> = {
  never: "not made yet",
  current: "made",
  code: "out of date: its code is another one now",
  claimed: "out of date: the thing is claimed, its code is worth nothing",
  words: "out of date: it says something else now",
};

/** For programs; never the code itself, which is for the label alone (URI-SEC-02). */
const faceValue = ({ ref, name, serial, model, room, state, uri }: LabelFace) => ({
  ref,
  name,
  serial,
  model,
  room,
  state,
  hasCode: uri !== undefined,
});

function report(
  { out, sheet, copies }: Making,
  faces: readonly LabelFace[],
  { files, pages, missing }: Awaited<ReturnType<typeof makeLabels>>,
): string[] {
  const count = (many: number, what: string) => `${many} ${what}${many === 1 ? "" : "s"}`;
  const codes = faces.filter(({ uri }) => uri !== undefined).length;
  const waiting = faces.filter(({ state }) => state === "unregistered");
  const where = files.length === 1 ? (files[0] as string) : `${files[0]} to ${files.at(-1)?.split("/").at(-1)}`;
  const each = copies > 1 ? `, each ${copies} times` : "";
  return [
    `${count(faces.length, "label")}${each}, ${codes} with a code${sheet ? `, on ${count(pages, "sheet")}` : ""}: ${where || out}`,
    ...(codes > 0 ? ["Each code was read again. Whoever has one can claim the thing: keep the file to yourself."] : []),
    ...(waiting.length > 0
      ? [`Without a code, not being registered yet: ${waiting.map(({ ref }) => describeNode(ref)).join(", ")}.`]
      : []),
    ...(missing.length > 0
      ? [`No font here has ${missing.join(" ")}: boxes stand for them. Say --font FILE with one that has.`]
      : []),
  ];
}

/** The labels are there; that a list of them could not be written is said, and no failure. */
function remember(call: Invocation, printed: Printed, faces: readonly LabelFace[], all: readonly LabelFace[]): void {
  try {
    printed.made(faces, all, systemClock.now());
  } catch (error) {
    if (!(error instanceof LabelError)) throw error;
    call.out.note(`Which labels were made could not be noted: ${error.message}`);
  }
}
